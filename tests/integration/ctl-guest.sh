#!/bin/sh
# SPDX-License-Identifier: MIT
# The mount that carries a root file system is asked from within the system that runs on it, as on a booted machine: the guest's program in /run/initramfs as its root directory, its mount
# under an overlay, and the system's root directory on that overlay. In a mount namespace with a /run of its own.
# shellcheck source=tests/functions.sh
if [ -z "${SPORE_CTL_TEST:-}" ] && [ "$(id -u)" -eq 0 ]; then
	unshare -m true 2>/dev/null || { echo "SKIP: no mount namespace can be made"; exit 77; }
	SPORE_CTL_TEST=1 exec unshare -m --propagation private "$0" "$@"
fi
. "$(dirname "$0")/../functions.sh"
need_root
need_fuse
command -v jq >/dev/null || skip "jq is not installed"
guest=$top/build/$(uname -m)/guest/spore
[ -x "$guest" ] || skip "$guest is not built (make guest)"

fetchfs keygen "$T/key"
mkdir "$T/www" "$T/sysroot" "$T/layer"
fetchfs init -n machine -k "$T/key" "$T/www/repo"
for directory in run proc etc usr/bin; do
	mkdir -p "$T/tree/$directory"
done
echo machine >"$T/tree/etc/hostname"
head -c 3000000 /dev/urandom >"$T/tree/usr/bin/program"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"

step "as the initrd sets it up"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
env_dir=/run/initramfs
mkdir -p $env_dir/bin $env_dir/etc/spore/keys $env_dir/dev $env_dir/proc $env_dir/run $env_dir/ro $env_dir/scratch
cp "$guest" $env_dir/bin/spore
ln -s spore $env_dir/bin/@fetchfs
cp "$T/key.pub" $env_dir/etc/spore/keys/
mount --bind /dev $env_dir/dev
mount -t proc proc $env_dir/proc
mount --bind /run $env_dir/run
# shellcheck disable=SC2154 # set by serve_nginx
chroot $env_dir /bin/@fetchfs mount -o root -K /etc/spore/keys/key.pub -c /scratch/cache "$server_url/repo" /ro || fail "not mounted"
unmount_with_test $env_dir/ro
mount -t tmpfs tmpfs "$T/layer"
test_mounts="$test_mounts $T/layer" # the last to go
mkdir "$T/layer/upper" "$T/layer/work"
mount -t overlay -o "lowerdir=$env_dir/ro,upperdir=$T/layer/upper,workdir=$T/layer/work" spore "$T/sysroot"
unmount_with_test "$T/sysroot"
mount --rbind /run "$T/sysroot/run"
mount -t proc proc "$T/sysroot/proc"

inside() { chroot "$T/sysroot" /run/initramfs/bin/spore fetchfs ctl "$@"; }

step "asked for /, with the program that is there"
[ "$(inside --json / info | jq -r .name)" = machine ] || fail "info: $(inside / info)"
[ "$(inside --json /etc/hostname info | jq -r .mountpoint)" = /ro ] || fail "a file on the overlay"
inside --wait / pin usr/bin/ | grep -q complete || fail "pin"
inside / metrics | awk -f tests/lib/check-metrics.awk || fail "metrics"

step "asked from outside, by the host's program"
[ "$(fetchfs ctl --json "$T/sysroot" info | jq -r .name)" = machine ] || fail "by the overlay"
[ "$(fetchfs ctl --json $env_dir/ro info | jq -r .name)" = machine ] || fail "by the mount point"

step "by the daemon's own root directory where its socket's path leads nowhere"
mount -t tmpfs tmpfs /run/fetchfs
[ "$(fetchfs ctl --json $env_dir/ro info | jq -r .name)" = machine ] || fail "by /proc/PID/root"
umount /run/fetchfs

step "an overlay of something else"
mkdir "$T/other" "$T/lower"
mount -t overlay -o "lowerdir=$T/lower:$T/tree" other "$T/other"
unmount_with_test "$T/other"
expect_failure 66 'not on a fetchfs mount' fetchfs ctl "$T/other" info
