#!/bin/sh
# SPDX-License-Identifier: MIT
# What was published comes back exactly when it is mounted over HTTP: at first, from the cache, with two mounts, after the client was killed and the cache
# damaged, with a quota, and while the server is away.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

options=
[ "$(id -u)" -eq 0 ] || options=-u
compare() {
	# shellcheck disable=SC2086 # none or one option
	treecmp $options "$T/tree" "$1" >"$T/differences" || fail "$2: $(cat "$T/differences")"
}
# As a power cut takes it away, save that what was written is there.
kill_client() {
	kill_mount "$T/mnt"
	umount -l "$T/mnt" 2>/dev/null || fusermount3 -uz "$T/mnt"
}
is_gone() { ! kill -0 "$1" 2>/dev/null; }
counter() { mount_stat "$T/mnt" "$1"; }
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@" "$server_url/repo"; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mktree -s "$T/tree"
head -c 9000000 /dev/urandom >"$T/tree/large"
fetchfs publish -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"

step "first mount: everything is as it was"
mount_it
compare "$T/mnt" "first mount"
[ "$(counter bad_objects)" = 0 ] || fail "objects did not verify"
requests=$(grep -c 'GET /repo/objects' "$T/nginx/access.log")
different=$(grep -o 'GET /repo/objects[^ ]*' "$T/nginx/access.log" | sort -u | wc -l)
[ "$requests" -eq "$different" ] || fail "$requests requests for $different objects: something was fetched twice"

step "what the kernel has got it does not ask for again"
find "$T/mnt" -ls >/dev/null
listings=$(counter listings) opens=$(counter opens)
find "$T/mnt" -ls >/dev/null
: <"$T/mnt/large"
[ "$(counter listings)" = "$listings" ] || fail "directories were listed again: $listings, then $(counter listings) requests"
[ "$(counter opens)" = "$opens" ] || fail "an open was asked for: $opens, then $(counter opens) requests"

step "the mount tells about itself"
[ "$(getfattr --only-values -n user.fetchfs.revision "$T/mnt")" = 1 ] || fail "user.fetchfs.revision is not 1"
[ "$(stat -f -c %T "$T/mnt")" = fuseblk ] || [ "$(stat -f -c %T "$T/mnt")" = fuse ] || fail "not a FUSE file system"
touch "$T/mnt/x" 2>/dev/null && fail "it can be written to"
[ -z "$(getfattr -d -m fetchfs "$T/mnt")" ] || fail "the mount's own attributes are listed"

step "holes are where they were"
# shellcheck disable=SC2086 # none or one option
treecmp $options -H "$T/tree" "$T/mnt" >"$T/differences" || fail "holes: $(cat "$T/differences")"

step "a second mount of the same cache fetches nothing"
mount_fetchfs "$T/second" -K "$T/key.pub" -c "$T/cache" "$server_url/repo"
compare "$T/second" "second mount"
objects=$(mount_stat "$T/second" objects)
[ "$objects" = 0 ] || fail "$objects objects were fetched again"
fetchfs umount "$T/second"

step "umount leaves a clean cache"
fetchfs umount "$T/mnt"
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
[ -z "$(find "$T/cache/files" -name '*-[0-9]*' ! -name 'b2-*' -o -name '*.part')" ] || fail "temporary files are left in the cache"

step "the client is killed after it has only read: the cache is as clean as before"
mount_it
cat "$T/mnt/large" >/dev/null
kill_client
grep -qx clean "$T/cache/session" || fail "the mark is gone, though nothing was written"

step "the client is killed after it has written, files in the cache are cut, altered and emptied: right all the same"
rm -rf "$T/cache"
mount_it
compare "$T/mnt" "filling the cache"
kill_client
n=0
find "$T/cache/files" -type f -name 'b2-*' >"$T/cached"
while read -r file; do
	n=$((n + 1))
	case $((n % 4)) in
	0) : >"$file" ;;
	1) truncate -s -1 "$file" 2>/dev/null || : ;;
	2) printf x | dd of="$file" bs=1 count=1 conv=notrunc status=none ;;
	esac
done <"$T/cached"
[ "$n" -gt 8 ] || fail "only $n files in the cache"
mount_it
compare "$T/mnt" "after a kill and damage"
[ "$(counter cache_bad)" -gt 0 ] || fail "the damage was not noticed: $(counter cache_bad)"

step "killed while a large file is being fetched: what is there is used, and right"
fetchfs umount "$T/mnt"
rm -rf "$T/cache"
mount_it
head -c 3000000 "$T/mnt/large" >/dev/null
kill_client
mount_it
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
fetched=$(counter bytes_fetched)
[ "$fetched" -lt 8000000 ] || fail "$fetched bytes were fetched: the first part was not used again"
fetchfs umount "$T/mnt"

step "without the server: mounts from the cache, and what was read can be read"
mount_it
compare "$T/mnt" "filling the cache"
fetchfs umount "$T/mnt"
stop_nginx
mount_it -o mount_timeout=1 2>"$T/output"
grep -q 'from the cache' "$T/output" || fail "it does not say that it mounted from the cache: $(cat "$T/output")"
compare "$T/mnt" "without the server"
fetchfs umount "$T/mnt"

step "reads wait for the server, and what is cached stays readable meanwhile"
start_nginx
rm -rf "$T/cache"
mount_it
find "$T/mnt" -ls >/dev/null
cat "$T/mnt/large" >/dev/null
stop_nginx
find "$T/tree" -type f -size +0 -size -100k ! -path '*large*' | sed "s|^$T/tree/||" | head -n 30 >"$T/names"
waiting=
while IFS= read -r name; do
	(cmp "$T/tree/$name" "$T/mnt/$name" || echo "$name" >>"$T/wrong") >/dev/null 2>&1 &
	waiting="$waiting $!"
done <"$T/names"
sleep 1
timeout 10 cmp "$T/tree/large" "$T/mnt/large" || fail "a cached file cannot be read while others wait"
start_nginx
for pid in $waiting; do
	wait "$pid" || :
done
[ ! -s "$T/wrong" ] || fail "wrong after the server came back: $(cat "$T/wrong")"

step "who waits can be killed"
fetchfs umount "$T/mnt"
rm -rf "$T/cache"
mount_it
find "$T/mnt" -ls >/dev/null
stop_nginx
cat "$T/mnt/large" >/dev/null &
reader=$!
sleep 1
kill -9 "$reader"
wait_for 10 is_gone "$reader"
start_nginx

step "SIGTERM ends it in order, also while somebody waits"
stop_nginx
(cat "$T/mnt/large" >/dev/null 2>&1 || :) &
reader=$!
sleep 0.5
client=$(mount_pid "$T/mnt")
kill "$client"
wait_for 20 is_gone "$client"
wait_for 10 is_gone "$reader"
mountpoint -q "$T/mnt" && fail "it is still mounted"
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
start_nginx
mount_it

step "the quota is kept"
fetchfs umount "$T/mnt"
rm -rf "$T/cache"
mount_it -q 4M
compare "$T/mnt" "with a quota"
used=$(du -s --block-size=1 "$T/cache/files" | cut -f1)
folders=$((257 * 4096))
# What is open and what is under way may exceed it.
[ "$used" -lt $((4194304 + folders + 3 * 1048576)) ] || fail "the cache takes $used bytes with a quota of 4 MiB"
[ "$(counter evicted)" -gt 0 ] || fail "nothing was evicted"
fetchfs umount "$T/mnt"

step "mirrors: a dead one does not matter"
rm -rf "$T/cache"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" http://127.0.0.1:1/repo "$server_url/repo"
compare "$T/mnt" "with a dead mirror"
fetchfs umount "$T/mnt"

step "a new revision is mounted, an old one refused"
cp -a "$T/www/repo/manifest" "$T/manifest.old"
echo new >"$T/tree/new"
fetchfs publish -k "$T/key" -t now "$T/www/repo" "$T/tree"
mount_it -t now
compare "$T/mnt" "new revision"
fetchfs umount "$T/mnt"
cp -a "$T/manifest.old" "$T/www/repo/manifest"
expect_failure 65 'older than revision 2' fetchfs mount -K "$T/key.pub" -c "$T/cache" "$server_url/repo" "$T/mnt"

step "file:// and a plain path"
rm -rf "$T/cache"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$T/www/repo"
[ -e "$T/mnt/large" ] || fail "nothing is there"
fetchfs umount "$T/mnt"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "file://$T/www/repo"
[ -e "$T/mnt/large" ] || fail "nothing is there"
fetchfs umount "$T/mnt"

step "called by mount(8)"
ln -s "$(command -v fetchfs)" "$T/mount.fetchfs"
"$T/mount.fetchfs" "$server_url/repo" "$T/mnt" -o "rw,key=$T/key.pub,cache=$T/cache2,quota=1G,_netdev"
unmount_with_test "$T/mnt"
[ -e "$T/mnt/large" ] || fail "nothing is there"
fetchfs umount "$T/mnt"
