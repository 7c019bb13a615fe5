#!/bin/sh
# SPDX-License-Identifier: MIT
# The worker of a mount is killed at random moments while programs read: what they read is right every time, nobody gets an error, and what was being waited for
# arrives.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

KILLS=${WORKER_KILLS:-40}
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

step "with opens: files that were open before the kill go on"
rm -rf "$T/cache"
mount_it -o opens "$server_url/repo"
exec 5<"$T/mnt/large"
head -c 1000000 <&5 >"$T/part1"
kill_worker
cat <&5 >"$T/part2"
exec 5<&-
cat "$T/part1" "$T/part2" | cmp - "$T/tree/large" || fail "what was read over a kill differs"
KILLS=15
under_load
fetchfs umount "$T/mnt"

step "requests in flight are answered when the server answers, however many workers have died"
rm -rf "$T/cache"
serve_faultd slow "$T/www"
mount_it -o stall_timeout=2,request_timeout=5 "$faultd_url/repo"
faultd_rules 'hang:100:*/objects/*'
sha256sum "$T/mnt/large" "$T/mnt/d3/middle" >"$T/late" 2>"$T/late.err" &
late=$!
find "$T/mnt/nasty" >"$T/late.names" 2>&1 &
late_names=$!
has_asked() { [ "$(faultd_count hang)" -gt "$1" ]; }
wait_for 20 has_asked 0
for n in 1 2 3; do
	asked=$(faultd_count hang)
	kill_worker
	# What was taken and not answered is asked for again.
	wait_for 20 has_asked "$asked"
done
kill -0 "$late" || fail "a read did not wait: $(cat "$T/late.err")"
faultd_rules ''
fetchfs ctl "$T/mnt" mirrors reset >/dev/null
wait "$late" || fail "a read in flight failed: $(cat "$T/late.err")"
wait "$late_names" || fail "a listing in flight failed: $(tail -n 3 "$T/late.names")"
[ "$(cut -d ' ' -f 1 "$T/late")" = "$(sha256sum "$T/tree/large" "$T/tree/d3/middle" | cut -d ' ' -f 1)" ] || fail "a read in flight brought the wrong thing"

step "the server is away: the next worker comes up from the cache, and knows what it knew"
inode=$(stat -c %i "$T/mnt/nasty")
end=$faultd_pid
kill "$end"
wait_for 10 is_gone "$end"
begin=$(date +%s)
kill_worker
[ $(($(date +%s) - begin)) -lt 5 ] || fail "it took $(($(date +%s) - begin)) s without a server"
[ "$(stat -c %i "$T/mnt/nasty")" = "$inode" ] || fail "another inode number"
[ ! -w /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
cmp "$T/tree/large" "$T/mnt/large" || fail "what is in the cache cannot be read without a server"
fetchfs umount "$T/mnt"

step "a cache in memory outlives the worker"
mount_it -o cache=ram "$server_url/repo"
cat "$T/mnt/large" >/dev/null
fetched=$(mount_stat "$T/mnt" bytes_fetched)
kill_worker
[ ! -w /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
[ "$(mount_stat "$T/mnt" bytes_fetched)" -lt $((fetched + 1000000)) ] || fail "it was fetched again"
fetchfs umount "$T/mnt"

step "workers that cannot start are tried with growing pauses, and given up clearly"
mkdir -p "$T/mnt"
fetchfs mount -f -K "$T/key.pub" -c "$T/cache" "$server_url/repo" "$T/mnt" 2>"$T/loop.log" &
supervisor=$!
end_with_test "$supervisor"
unmount_with_test "$T/mnt"
wait_for 20 mountpoint -q "$T/mnt"
# Ends each worker before it can answer anything.
children() { awk -v parent="$1" '$4 == parent { print $1 }' /proc/[0-9]*/stat 2>/dev/null; }
while kill -0 "$supervisor" 2>/dev/null; do
	for child in $(children "$supervisor"); do
		kill -SEGV "$child" 2>/dev/null || :
	done
	sleep 0.02
done
code=0
wait "$supervisor" || code=$?
[ "$code" = 70 ] || fail "exit $code of a mount that was given up"
grep -q 'signal 11' "$T/loop.log" || fail "the signal is not told: $(cat "$T/loop.log")"
grep -q 'the mount is given up' "$T/loop.log" || fail "not told: $(cat "$T/loop.log")"
expect_failure 2 'not connected|Transport endpoint' ls "$T/mnt"
umount -l "$T/mnt" 2>/dev/null || fusermount3 -uz "$T/mnt"

step "the supervisor killed: the worker ends too, and whoever reads gets an error"
mount_it "$server_url/repo"
supervisor=$(mount_pid "$T/mnt") worker=$(worker_pid "$T/mnt")
kill -9 "$supervisor"
wait_for 10 is_gone "$worker"
expect_failure 2 'not connected|Transport endpoint' ls "$T/mnt"
umount -l "$T/mnt" 2>/dev/null || fusermount3 -uz "$T/mnt"

step "what asks the mount to end is the supervisor's affair"
mount_it "$server_url/repo"
supervisor=$(mount_pid "$T/mnt") worker=$(worker_pid "$T/mnt")
kill -TERM "$worker"
kill -INT "$worker"
cat "$T/mnt/d1/small" >/dev/null || fail "the worker has heard SIGTERM"
[ "$(worker_pid "$T/mnt")" = "$worker" ] || fail "SIGTERM has ended the worker"
kill -TERM "$supervisor"
wait_for 10 is_gone "$supervisor"
is_gone "$worker" || fail "the worker has outlived its supervisor"
mountpoint -q "$T/mnt" && fail "still mounted"
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"

step "no process or descriptor is to be had for another worker: it is tried again, and the mount stays"
if command -v prlimit >/dev/null; then
	mkdir -p "$T/mnt"
	fetchfs mount -f -K "$T/key.pub" -c "$T/cache" "$server_url/repo" "$T/mnt" 2>"$T/poor.log" &
	supervisor=$!
	end_with_test "$supervisor"
	wait_for 20 mountpoint -q "$T/mnt"
	worker=$(worker_pid "$T/mnt")
	limits=$(prlimit -p "$supervisor" --nofile -o SOFT,HARD --noheadings | tr -s ' ' : | sed 's/^://; s/:$//')
	prlimit -p "$supervisor" --nofile="8:${limits#*:}"
	kill -9 "$worker"
	wait_for 20 grep -q 'cannot start another worker' "$T/poor.log"
	prlimit -p "$supervisor" --nofile="$limits"
	cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
	[ "$(mount_pid "$T/mnt")" = "$supervisor" ] || fail "another supervisor"
	fetchfs umount "$T/mnt"
fi

step "a worker that hangs does not keep the mount from ending: the second signal kills it"
mount_it "$server_url/repo"
supervisor=$(mount_pid "$T/mnt") worker=$(worker_pid "$T/mnt")
kill -STOP "$worker"
ends() { kill -TERM "$supervisor" 2>/dev/null; is_gone "$supervisor"; }
wait_for 10 ends
is_gone "$worker" || fail "the worker has outlived its supervisor"
mountpoint -q "$T/mnt" && fail "still mounted"
:
