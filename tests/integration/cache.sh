#!/bin/sh
# SPDX-License-Identifier: MIT
# The cache of a mount under hard conditions: in memory, full and read-only disks, damage behind its back, caches beneath it, several users that evict
# against each other. What is read is right every time.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
need_root
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

compare() { treecmp "$T/tree" "$1" >"$T/differences" || fail "$2: $(cat "$T/differences")"; }
counter() { mount_stat "$T/mnt" "$1"; }
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" "$@" "$server_url/repo"; }
drop_caches() { echo 1 >/proc/sys/vm/drop_caches; }
# small_disk DIRECTORY SIZE: a file system of its own.
small_disk() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2" tmpfs "$1"
	unmount_with_test "$1"
}
fill() { cat /dev/zero >"$1/filling" 2>/dev/null || :; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mktree -s "$T/tree"
head -c 9000000 /dev/urandom >"$T/tree/large"
head -c 700000 /dev/urandom >"$T/tree/middle"
i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	head -c 300000 /dev/urandom >"$T/tree/many-$i"
done
fetchfs publish -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"

step "in memory"
mount_it -c ram
compare "$T/mnt" "in memory"
compare "$T/mnt" "in memory, again"
[ "$(counter cache_full)" = 0 ] || fail "the memory was full"
[ "$(counter cache_writes)" -gt 5 ] || fail "nothing was put into the cache"
fetchfs umount "$T/mnt"

step "in memory, with a limit"
mount_it -o cache=ram,quota=4M
compare "$T/mnt" "in memory with a limit"
[ "$(counter evicted)" -gt 0 ] || fail "nothing was evicted"
fetchfs umount "$T/mnt"

step "a disk that cannot be written to: it is kept in memory, and that is said"
small_disk "$T/disk" 24M
mkdir "$T/disk/cache"
mount -o remount,ro "$T/disk"
mount_it -c "$T/disk/cache" 2>"$T/output"
grep -q 'kept in memory' "$T/output" || fail "it does not say so: $(cat "$T/output")"
compare "$T/mnt" "read-only disk"
fetchfs umount "$T/mnt"
mount -o remount,rw "$T/disk"

step "a disk that was full from the beginning"
fill "$T/disk"
mount_it -c "$T/disk/cache" 2>"$T/output"
compare "$T/mnt" "full disk"
fetchfs umount "$T/mnt"
rm "$T/disk/filling"

step "a disk that others fill while the cache is used, to the end"
mount_it -c "$T/disk/cache" -o free=0
find "$T/mnt" >/dev/null
head -c 300000 "$T/mnt/many-1" >/dev/null
fill "$T/disk"
compare "$T/mnt" "disk filled by others"
compare "$T/mnt" "disk filled by others, again"
fetchfs umount "$T/mnt"
rm "$T/disk/filling"
mount_it -c "$T/disk/cache" -o free=0
compare "$T/mnt" "after the disk was full"
fetchfs umount "$T/mnt"

step "a quarter of the disk stays free for others"
rm -rf "$T/disk/cache"
mount_it -c "$T/disk/cache" -q 100% -o free=25%
compare "$T/mnt" "free="
free=$(df --output=avail -k "$T/disk" | tail -n 1)
size=$(df --output=size -k "$T/disk" | tail -n 1)
# An extent may be on its way.
[ $((free + 2048)) -gt $((size / 4)) ] || fail "only $free KiB of $size are free"
[ "$(counter evicted)" -gt 0 ] || fail "nothing was evicted"
fetchfs umount "$T/mnt"

step "files cut short, emptied and removed under the mount"
mount_it -c "$T/cache"
compare "$T/mnt" "filling the cache"
exec 4<"$T/mnt/large" 5<"$T/mnt/middle" 6<"$T/mnt/many-7"
head -c 1 <&4 >/dev/null
head -c 1 <&5 >/dev/null
find "$T/cache/files" -type f >"$T/cached"
n=0
while read -r file; do
	n=$((n + 1))
	case $((n % 3)) in
	0) : >"$file" ;;
	1) truncate -s -1 "$file" 2>/dev/null || : ;;
	2) rm "$file" ;;
	esac
done <"$T/cached"
drop_caches
cmp "$T/tree/large" /proc/self/fd/4 || fail "large, open when it was damaged, differs"
cmp "$T/tree/middle" /proc/self/fd/5 || fail "middle, open when it was damaged, differs"
cmp "$T/tree/many-7" /proc/self/fd/6 || fail "many-7, open when it was damaged, differs"
exec 4<&- 5<&- 6<&-
compare "$T/mnt" "after the damage"
[ "$(counter cache_bad)" -gt 0 ] || fail "the damage was not noticed"
drop_caches
compare "$T/mnt" "after the repair"
fetchfs umount "$T/mnt"

step "catalogs emptied, cut short and altered under the mount"
mount_it -c "$T/cache"
pid=$(mount_pid "$T/mnt")
find "$T/mnt" >"$T/names"
for change in alter cut empty; do
	for file in "$T"/cache/catalogs/*; do
		case $change in
		alter) printf '\377\377\377\377' | dd of="$file" bs=1 seek=200 conv=notrunc status=none ;;
		cut) truncate -s 1000 "$file" ;;
		empty) : >"$file" ;;
		esac
	done
	echo 3 >/proc/sys/vm/drop_caches
	compare "$T/mnt" "catalogs, $change"
done
[ "$(mount_pid "$T/mnt")" = "$pid" ] || fail "the client has ended"
fetchfs umount "$T/mnt"
mount_it -c "$T/cache"
compare "$T/mnt" "new mount, catalogs damaged"
[ "$(counter cache_bad)" -gt 0 ] || fail "the damaged catalog was not noticed"
fetchfs umount "$T/mnt"

# alter: one byte of every file in the cache, behind the mount's back.
alter() {
	find "$T/cache/files" -type f -name 'b2-*' ! -name '*.*' | while read -r file; do
		# In the middle, where there is content and not a pack's head.
		printf '\377\376' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
	done
	drop_caches
}

step "verify=always: what is altered behind the mount's back is never handed out"
mount_it -c "$T/cache" -o verify=always
compare "$T/mnt" "verify=always"
exec 4<"$T/mnt/large" 5<"$T/mnt/middle"
alter
cmp "$T/tree/large" /proc/self/fd/4 || fail "large, open when it was altered, differs"
cmp "$T/tree/middle" /proc/self/fd/5 || fail "middle, open when it was altered, differs"
exec 4<&- 5<&-
compare "$T/mnt" "verify=always, altered"
[ "$(counter cache_bad)" -gt 5 ] || fail "the damage was not noticed: $(counter cache_bad)"
fetchfs umount "$T/mnt"

step "verify=open: what was altered is not handed out by the opens that follow"
mount_it -c "$T/cache" -o verify=open
compare "$T/mnt" "verify=open"
alter
compare "$T/mnt" "verify=open, altered"
[ "$(counter cache_bad)" -gt 5 ] || fail "the damage was not noticed: $(counter cache_bad)"
fetchfs umount "$T/mnt"

step "the scrub finds what was altered on the disk; what the kernel had read of it is forgotten"
rm -rf "$T/cache"
mount_it -c "$T/cache"
compare "$T/mnt" "filling the cache"
fetchfs umount "$T/mnt"
files=$(find "$T/cache/files" -type f -name 'b2-*' ! -name '*.*' | wc -l)
alter
mount_it -c "$T/cache" -o scrub=30M
exec 4<"$T/mnt/large"
# Perhaps wrong: nobody has looked yet.
cat <&4 >"$T/unverified"
cat "$T/mnt/middle" >"$T/unverified"
all_scrubbed() { [ "$(counter scrubbed)" -ge "$files" ]; }
wait_for 30 all_scrubbed
[ "$(counter cache_bad)" = "$files" ] || fail "$(counter cache_bad) of $files damaged files were found"
cmp "$T/tree/large" /proc/self/fd/4 || fail "large, open when it was found damaged, differs"
exec 4<&-
compare "$T/mnt" "after the scrub"
fetchfs umount "$T/mnt"

step "a cache beneath: everything is used from there, nothing is fetched but what is damaged in it, and it is not written to"
rm -rf "$T/cache"
mount_it -c "$T/cache"
compare "$T/mnt" "filling the cache"
fetchfs umount "$T/mnt"
cp -a "$T/cache" "$T/lower"
mount_it -c "$T/upper" -o lower="$T/lower"
compare "$T/mnt" "with a cache beneath"
compare "$T/mnt" "with a cache beneath, again"
[ "$(counter objects)" = 0 ] || fail "$(counter objects) objects were fetched"
[ "$(du -s "$T/upper/files" | cut -f1)" -lt 3000 ] || fail "what is beneath was copied"
fetchfs umount "$T/mnt"
# Sizes and times tell it: to read the holes of large files would take long.
(cd "$T/cache" && find . -printf '%p %s %T@ %m\n' | sort) >"$T/as.it.was"
(cd "$T/lower" && find . -printf '%p %s %T@ %m\n' | sort) | diff "$T/as.it.was" - >"$T/differences" || fail "the cache beneath was changed: $(cat "$T/differences")"
mv "$T/cache" "$T/kept"
cp -a "$T/lower" "$T/cache"
alter
rm -rf "$T/upper"
mount_it -c "$T/upper" -o lower="$T/cache"
compare "$T/mnt" "with a damaged cache beneath"
[ "$(counter cache_bad)" -gt 5 ] || fail "the damage was not noticed: $(counter cache_bad)"
drop_caches
compare "$T/mnt" "with a damaged cache beneath, again"
fetchfs umount "$T/mnt"
stop_nginx
rm -rf "$T/upper"
mount_it -c "$T/upper" -o lower="$T/missing:$T/lower,mount_timeout=1" 2>"$T/output" && fail "a missing directory beneath was accepted"
mkdir "$T/missing"
mount_it -c "$T/upper" -o lower="$T/missing:$T/lower,mount_timeout=1" 2>"$T/output" || fail "no mount from the cache beneath: $(cat "$T/output")"
compare "$T/mnt" "without the server, from the cache beneath"
fetchfs umount "$T/mnt"
start_nginx

step "two repositories in three mounts of one cache, with different quotas, evicting from each other under 64 readers"
fetchfs init -n other -k "$T/key" "$T/www/other"
mkdir "$T/second"
i=0
while [ $i -lt 30 ]; do
	i=$((i + 1))
	head -c 400000 /dev/urandom >"$T/second/other-$i"
done
head -c 6000000 /dev/urandom >"$T/second/large"
fetchfs publish -q -k "$T/key" "$T/www/other" "$T/second"
rm -rf "$T/cache"
mount_fetchfs "$T/a" -K "$T/key.pub" -c "$T/cache" -q 8M "$server_url/repo"
mount_fetchfs "$T/b" -K "$T/key.pub" -c "$T/cache" -q 12M -o opens "$server_url/repo"
mount_fetchfs "$T/c" -K "$T/key.pub" -c "$T/cache" -q 16M "$server_url/other"
(cd "$T/tree" && ls -d large middle many-*) >"$T/names"
(cd "$T/second" && ls) >"$T/names.other"
# reader NUMBER: files in an order of its own.
reader() {
	case $(($1 % 3)) in
	0) original=$T/tree mounted=$T/a names=$T/names ;;
	1) original=$T/tree mounted=$T/b names=$T/names ;;
	2) original=$T/second mounted=$T/c names=$T/names.other ;;
	esac
	awk -v seed="$1" 'BEGIN { srand(seed) } { print rand(), $0 }' "$names" | sort | head -n 5 | cut -d' ' -f2 | while read -r name; do
		cmp "$original/$name" "$mounted/$name" || echo "$mounted/$name" >>"$T/wrong"
	done
}
readers=
i=0
while [ $i -lt 64 ]; do
	i=$((i + 1))
	reader $i &
	readers="$readers $!"
	[ $((i % 16)) -ne 0 ] || drop_caches
done
# shellcheck disable=SC2086 # several
wait $readers
[ ! -s "$T/wrong" ] || fail "read wrongly: $(cat "$T/wrong")"
for mount in a b c; do
	[ "$(mount_stat "$T/$mount" evicted)" -gt 0 ] || fail "$mount has evicted nothing"
	fetchfs umount "$T/$mount"
done
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
