#!/bin/sh
# SPDX-License-Identifier: MIT
# The worker of a mount is killed at random moments while programs read: what they read is right every time, nobody gets an error, and what was being waited for
# arrives.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

KILLS=120
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@"; }
restarts() { fetchfs ctl -j "$T/mnt" info | sed -n 's/.*"worker_restarts": *\([0-9]*\).*/\1/p'; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
# A worker that is not the one given.
has_another() { now=$(worker_pid "$T/mnt") && [ -n "$now" ] && [ "$now" != "$1" ]; }
kill_worker() {
	old=$(worker_pid "$T/mnt")
	kill -9 "$old"
	wait_for 30 has_another "$old"
}

fetchfs keygen "$T/key" 2>/dev/null
mkdir -p "$T/www" "$T/tree"
fetchfs init -n busy -k "$T/key" "$T/www/repo" 2>/dev/null
mktree -s "$T/tree/nasty"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	mkdir "$T/tree/d$i"
	head -c $((i * 60000)) /dev/urandom >"$T/tree/d$i/middle"
	head -c 3000 /dev/urandom >"$T/tree/d$i/small"
done
head -c 9000000 /dev/urandom >"$T/tree/large"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
(cd "$T/tree" && find . -path ./nasty/deep -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"

# Reads everything again and again, past the kernel's cache now and then, until told to stop.
reader() {
	while [ ! -e "$T/enough" ]; do
		(cd "$T/mnt" && sha256sum --quiet -c "$T/sums" && find . -ls >/dev/null && cat "$T/mnt/d$1/small" >/dev/null) || return 1
		[ "$(id -u)" -ne 0 ] || [ "$1" -ne 1 ] || echo 2 >/proc/sys/vm/drop_caches 2>/dev/null || :
	done
}

# under_load OPTION...: kills the worker KILLS times while four readers compare.
under_load() {
	rm -f "$T/enough"
	readers=
	for n in 1 2 3 4; do
		reader "$n" >"$T/reader$n.log" 2>&1 &
		readers="$readers $!"
	done
	killed=0
	while [ "$killed" -lt "$KILLS" ]; do
		victim=$(worker_pid "$T/mnt") || fail "the mount does not answer after $killed kills"
		# A moment by chance, up to a fifth of a second.
		sleep "0.$(printf '%03d' $(($(od -An -N2 -tu2 /dev/urandom) % 200)))"
		kill -9 "$victim" 2>/dev/null || continue
		killed=$((killed + 1))
	done
	: >"$T/enough"
	for pid in $readers; do
		wait "$pid" || fail "a reader failed: $(cat "$T"/reader*.log)"
	done
	(cd "$T/mnt" && sha256sum --quiet -c "$T/sums") || fail "after all the kills something is wrong"
}

step "killed $KILLS times at random under load: everything is right"
mount_it "$server_url/repo"
under_load
[ "$(restarts)" -ge "$((KILLS - 5))" ] || fail "$(restarts) restarts for $KILLS kills"
fetchfs umount "$T/mnt"
