#!/bin/sh
# SPDX-License-Identifier: MIT
# A mount that follows, whose worker is killed: before a change, after it, and at random while snapshots come and go. Inode numbers keep their meaning, open files their
# content, and nothing of a revision before is seen when a change is over.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

m=$T/mnt
options=
[ "$(id -u)" -eq 0 ] || options=-u
revision() { getfattr --only-values -n user.fetchfs.revision "$m" 2>/dev/null; }
shows() { [ "$(revision)" = "$1" ]; }
follows_to() { wait_for 40 shows "$1"; }
ino() { stat -c %i "$m/$1"; }
has_another() { now=$(worker_pid "$m") && [ -n "$now" ] && [ "$now" != "$1" ]; }
kill_worker() {
	old=$(worker_pid "$m")
	kill -9 "$old"
	wait_for 30 has_another "$old"
}
drop_caches() { [ ! -w /proc/sys/vm/drop_caches ] || echo "$1" >/proc/sys/vm/drop_caches; }
compare() {
	# shellcheck disable=SC2086 # none or one option
	treecmp $options "$1" "$m" >"$T/differences" || fail "$2: $(cat "$T/differences")"
}
publish() { fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"; }

fetchfs keygen "$T/key" 2>/dev/null
mkdir -p "$T/www" "$T/tree/dir/sub" "$T/tree/other"
fetchfs init -n test -k "$T/key" "$T/www/repo" 2>/dev/null
cd "$T/tree"
echo one >changed
echo same >same
echo gone >gone
head -c 100000 /dev/urandom >dir/kept
head -c 6000000 /dev/urandom >large
cp large "$T/large.old"
seq 1000 | sed 's/^/n/' | (cd dir/sub && xargs touch)
find . -exec touch -h -d @1700000000 {} +
cd "$top"
publish
serve_nginx "$T/www"
mount_fetchfs "$m" -K "$T/key.pub" -c "$T/cache" -o ttl=1 "$server_url/repo"
compare "$T/tree" "the first snapshot"
first=$(ino changed)
for name in same dir dir/kept dir/sub/n7 large; do
	ino "$name" >"$T/ino.$(echo "$name" | tr / _)"
done
same_numbers() {
	for name in same dir dir/kept dir/sub/n7; do
		[ "$(ino "$name")" = "$(cat "$T/ino.$(echo "$name" | tr / _)")" ] || fail "$1: $name has another inode number"
	done
}

step "killed before a change"
kill_worker
same_numbers "before a change"
compare "$T/tree" "a successor before a change"

step "a change, with files open; killed; what was open goes on, what is new is seen, numbers stay"
exec 5<"$m/large" 6<"$m/gone"
head -c 100000 <&5 >"$T/part1"
echo two >"$T/tree/changed"
rm "$T/tree/gone"
echo new >"$T/tree/new"
head -c 6000000 /dev/urandom >"$T/tree/large"
publish
follows_to 2
second=$(ino changed)
[ "$second" != "$first" ] || fail "changed has kept its number"
kill_worker
[ "$(revision)" = 2 ] || fail "the successor shows revision $(revision)"
drop_caches 3
same_numbers "after a change"
[ "$(ino changed)" = "$second" ] || fail "changed has another number after the kill"
compare "$T/tree" "a successor after a change"
cat <&5 >"$T/part2"
[ "$(cat <&6)" = gone ] || fail "a file that was open and is gone cannot be read"
exec 5<&- 6<&-
cat "$T/part1" "$T/part2" | cmp - "$T/large.old" || fail "an open file does not have the content that it had"

step "the successor follows on"
echo three >"$T/tree/changed"
rm "$T/tree/new"
echo again >"$T/tree/gone"
publish
follows_to 3
compare "$T/tree" "a change after the kill"
same_numbers "a change after the kill"
[ "$(cat "$m/changed" "$m/gone")" = "three
again" ] || fail "stale"
[ ! -e "$m/new" ] || fail "new is still there"

step "the server is away: the successor shows the same revision"
stop_nginx
kill_worker
[ "$(revision)" = 3 ] || fail "the successor shows revision $(revision)"
drop_caches 2
compare "$T/tree" "without a server"
start_nginx

step "killed while the kernel is being told of many changes: the successor tells it"
mkdir "$T/tree/many"
(cd "$T/tree/many" && seq 20000 | xargs touch)
publish
follows_to 4
[ "$(find "$m/many" -type f -size 0 | wc -l)" = 20000 ] || fail "not all of many is shown"
for n in $(seq 20000); do
	echo "$n" >"$T/tree/many/$n"
done
old=$(worker_pid "$m")
publish
until shows 5; do
	:
done
kill -9 "$old"
wait_for 30 has_another "$old"
settled() { [ "$(find "$m/many" -type f -size 0 | wc -l)" = 0 ]; }
wait_for 30 settled
rm -r "$T/tree/many"

step "killed at random while snapshots come and go"
# Files say in which revision they were written; a reader never sees an older one after a newer one of the same name.
reader() {
	last=0
	while [ ! -e "$T/enough" ]; do
		now=$(cat "$m/clock" 2>/dev/null) || return 1
		[ "$now" -ge "$last" ] || { echo "clock went back from $last to $now"; return 1; }
		last=$now
		cmp "$m/dir/kept" "$T/tree/dir/kept" || return 1
	done
}
echo 0 >"$T/tree/clock"
publish
follows_to 6
reader >"$T/reader1.log" 2>&1 &
one=$!
reader >"$T/reader2.log" 2>&1 &
two=$!
(
	while [ ! -e "$T/enough" ]; do
		victim=$(worker_pid "$m") || continue
		sleep "0.$(printf '%03d' $(($(od -An -N2 -tu2 /dev/urandom) % 900)))"
		kill -9 "$victim" 2>/dev/null && echo >>"$T/kills"
	done
) &
killer=$!
end_with_test "$killer"
for n in 1 2 3 4 5 6 7 8 9 10; do
	echo "$n" >"$T/tree/clock"
	rm -rf "$T/tree/other"
	mkdir "$T/tree/other"
	seq $((n * 20)) | sed 's/^/o/' | (cd "$T/tree/other" && xargs touch)
	publish
	follows_to $((n + 6))
done
: >"$T/enough"
wait "$one" || fail "a reader failed: $(cat "$T/reader1.log")"
wait "$two" || fail "a reader failed: $(cat "$T/reader2.log")"
wait "$killer" || :
echo "  $(wc -l <"$T/kills") kills"
wait_for 30 shows 16
# Nothing is stale, whatever the kernel was being told when somebody died.
compare "$T/tree" "in the end"
[ "$(cat "$m/clock")" = 10 ] || fail "clock is $(cat "$m/clock")"
fetchfs umount "$m"
