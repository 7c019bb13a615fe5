#!/bin/sh
# SPDX-License-Identifier: MIT
# The program as the guest has it (static, musl, libfuse with passthrough where this kernel has it), mounting as it does there: everything is as it was
# published, small files and large ones, while they are fetched and when they are whole, with passthrough and with opens that the kernel does not ask for; and the
# root file system's program stays when it is asked to end, and has a worker that another one can follow.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
need_root
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
guest=build/$(uname -m)/guest/spore
[ -x "$guest" ] || skip "$guest is not built (make guest)"

mkdir "$T/www" "$T/bin" "$T/mnt"
cp "$guest" "$T/bin/@fetchfs"
fetchfs keygen "$T/key"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mktree -s "$T/tree"
head -c 9000000 /dev/urandom >"$T/tree/large"
fetchfs publish -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
compare() { treecmp "$T/tree" "$T/mnt" >"$T/differences" || fail "$1: $(cat "$T/differences")"; }

step "first mount"
# By a name, which later workers look up without files.
"$T/bin/@fetchfs" mount -o root,passthrough -K "$T/key.pub" -c "$T/cache" "http://localhost:$server_port/repo" "$T/mnt"
unmount_with_test "$T/mnt"
passthrough=$(getfattr --only-values -n user.fetchfs.passthrough "$T/mnt" 2>/dev/null)
step "passthrough: $passthrough"
# Opened again while the first open, which began to fill it, lasts: both are of one mode.
exec 5<"$T/mnt/large"
head -c 100000 <&5 | cmp - "$T/tree/large" -n 100000 || fail "large differs at its begin"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs while it is being filled"
exec 5<&-
compare "first mount"
compare "once more"
if [ "$passthrough" = 1 ]; then
	before=$(mount_stat "$T/mnt" reads)
	echo 1 >/proc/sys/vm/drop_caches
	cmp "$T/tree/large" "$T/mnt/large" || fail "large differs when it is whole"
	[ "$(mount_stat "$T/mnt" reads)" = "$before" ] || fail "reads of a whole file came to the program"
fi

step "its worker sees no files and has no capabilities; killed, another one goes on with what is open, passed through or not"
has_another() { now=$(worker_pid "$T/mnt") && [ -n "$now" ] && [ "$now" != "$1" ]; }
# None of the directories that the worker of the mount MNT has open, save the one of /proc, has anything above it.
cannot_climb() {
	for fd in "/proc/$(worker_pid "$1")/fd"/*; do
		[ -d "$fd" ] || continue
		[ "$(stat -L -c %d:%i "$fd/")" = "$(stat -L -c %d:%i "$fd/..")" ] || fail "the worker can go up from $(readlink "$fd")"
	done
}
kill_worker() {
	cannot_climb "$T/mnt"
	old=$(worker_pid "$T/mnt")
	grep -q '^CapEff:[[:space:]]*0000000000000000$' "/proc/$old/status" || fail "the worker has capabilities"
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/$old/status" || fail "the worker's system calls are not filtered"
	[ "$(ls "/proc/$old/root")" = etc ] || fail "the worker sees files: $(ls "/proc/$old/root")"
	kill -9 "$old"
	wait_for 30 has_another "$old"
}
exec 5<"$T/mnt/large"
head -c 100000 <&5 >/dev/null
kill_worker
echo 1 >/proc/sys/vm/drop_caches
cmp "$T/tree/large" "$T/mnt/large" || fail "large, which is open, differs when it is opened anew after a kill"
tail -c +100001 "$T/tree/large" >"$T/rest"
cat <&5 | cmp - "$T/rest" || fail "large differs through what was opened before the kill"
kill_worker
exec 5<&-
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs after two kills"
compare "after two kills"
fetchfs ctl "$T/mnt" upgrade "$T/bin/@fetchfs" >/dev/null
echo 1 >/proc/sys/vm/drop_caches
compare "after an upgrade"

step "in memory, and over a cache beneath: reads of a whole file are passed through all the same"
for where in "cache=ram" "cache=$T/upper,lower=$T/cache"; do
	mkdir -p "$T/second"
	"$T/bin/@fetchfs" mount -o "root,passthrough,$where" -K "$T/key.pub" "$server_url/repo" "$T/second"
	unmount_with_test "$T/second"
	treecmp "$T/tree" "$T/second" >"$T/differences" || fail "$where: $(cat "$T/differences")"
	cannot_climb "$T/second"
	before=$(mount_stat "$T/second" reads)
	echo 1 >/proc/sys/vm/drop_caches
	cmp "$T/tree/large" "$T/second/large" || fail "$where: large differs"
	[ "$passthrough" != 1 ] || [ "$(mount_stat "$T/second" reads)" = "$before" ] || fail "$where: reads of a cached file came to the program"
	fetchfs umount "$T/second"
done

step "programs of the mount can be run"
mkdir "$T/tree/bin"
cp "$guest" "$T/tree/bin/spore"
fetchfs publish -k "$T/key" "$T/www/repo" "$T/tree"
fetchfs umount "$T/mnt"
"$T/bin/@fetchfs" mount -o root -K "$T/key.pub" -c "$T/cache" "$server_url/repo" "$T/mnt"
(exec "$T/mnt/bin/spore" --help >"$T/output" 2>&1) || grep -q . "$T/output" || fail "the program says nothing"

step "an overlay over the mount, as the guest's root is"
mkdir "$T/over"
mount -t tmpfs tmpfs "$T/over"
mkdir "$T/over/upper" "$T/over/work" "$T/over/root"
mount -t overlay -o "lowerdir=$T/mnt,upperdir=$T/over/upper,workdir=$T/over/work,index=off,metacopy=off,redirect_dir=off,xino=off" overlay "$T/over/root"
test_mounts="$T/over/root $T/over $test_mounts"
compare "mounted again, without opens"
cmp "$T/tree/large" "$T/over/root/large" || fail "large differs through the overlay"
echo changed >>"$T/over/root/large"
cmp -n 9000000 "$T/tree/large" "$T/over/root/large" || fail "large differs after it was copied up"
cmp "$T/tree/large" "$T/mnt/large" || fail "the mount has changed"
umount "$T/over/root"

step "SIGTERM does not end it; umount does, in order"
client=$(mount_pid "$T/mnt")
kill "$client"
sleep 0.3
[ -e "$T/mnt/large" ] || fail "SIGTERM ended the root file system"
fetchfs umount "$T/mnt"
is_gone() { ! kill -0 "$client" 2>/dev/null; }
wait_for 10 is_gone
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
