#!/bin/sh
# SPDX-License-Identifier: MIT
# The power goes while a cache is being filled, evicted from and marked clean: every write to its disk is recorded, and after any number of them the disk is
# mounted, and a mount over it shows everything as it is. CUTS says after how many different numbers (25).
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
need_root
[ -e /dev/loop-control ] || skip "no loop devices"
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

compare() { treecmp "$T/tree" "$T/mnt" >"$T/differences" || fail "$1: $(cat "$T/differences")"; }
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/disk/cache" "$@" "$server_url/repo" 2>"$T/mount.log" || fail "$(cat "$T/mount.log")"; }

mkdir -p "$T/www" "$T/tree/dir" "$T/served" "$T/disk"
i=0
while [ $i -lt 120 ]; do
	i=$((i + 1))
	head -c $((i * 97)) /dev/urandom >"$T/tree/dir/$i"
done
head -c 5000000 /dev/urandom >"$T/tree/large"
head -c 2500000 /dev/urandom >"$T/tree/larger"
truncate -s 9M "$T/tree/holes"
printf 'the end' >>"$T/tree/holes"
fetchfs keygen "$T/key"
fetchfs init -n cut -k "$T/key" "$T/www/repo"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"

step "recording"
truncate -s 40M "$T/image"
mkfs.ext4 -q -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 "$T/image"
cp --sparse=always "$T/image" "$T/first"
blocklog serve "$T/image" "$T/log" "$T/served" &
end_with_test $!
unmount_with_test "$T/served"
wait_for 10 test -e "$T/served/disk"
mount -o loop,commit=1 "$T/served/disk" "$T/disk"
unmount_with_test "$T/disk"
mount_it
compare "while recording"
fetchfs umount "$T/mnt"
mount_it -q 4M -o free=0
compare "with a quota"
kill_mount "$T/mnt"
umount -l "$T/mnt"
mount_it
head -c 3000000 "$T/mnt/large" >"$T/ignored"
sync "$T/disk"
cat "$T/mnt/dir/"* >"$T/ignored"
compare "after the kill"
fetchfs umount "$T/mnt"
umount "$T/disk"
umount "$T/served"
writes=$(blocklog count "$T/log")
[ "$writes" -gt 100 ] || fail "only $writes writes were recorded"

cuts=${CUTS:-25}
[ "$cuts" -le "$writes" ] || cuts=$writes
step "$cuts cuts, in $writes writes"
n=0 done=0 bad=0 uncleanly=0
while [ $n -lt "$cuts" ]; do
	n=$((n + 1))
	to=$((writes * n / cuts))
	blocklog apply "$T/first" "$T/log" "$done" "$to"
	done=$to
	cp --sparse=always "$T/first" "$T/now"
	mount -o loop "$T/now" "$T/disk"
	grep -qx clean "$T/disk/cache/session" 2>/dev/null || uncleanly=$((uncleanly + 1))
	mount_it
	compare "cut after write $to"
	bad=$((bad + $(mount_stat "$T/mnt" cache_bad)))
	fetchfs umount "$T/mnt"
	umount "$T/disk"
done
step "$uncleanly times the cache was not marked clean; $bad damaged files were found in it"
[ "$uncleanly" -gt 0 ] || fail "no cut has come while the cache was in use"
