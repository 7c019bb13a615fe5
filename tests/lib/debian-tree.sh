#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a real Debian system as a tar (systemd, ssh server, python3), for the demo, the boot tests and the benches, and prints the tar's path.
# Kept in the cache by a hash of what goes in. Works as root and, through user namespaces, as a plain user.
#
# usage: debian-tree.sh [ARCH [VARIANT]]      ARCH: x86_64 (default)
# VARIANT: boot (default), or bench: with perl, git, a compiler's headers, manual pages and translations, about 20,000 files, one of them of 128 MB of noise
set -eu
cd "$(dirname "$0")/../.."
. deps/lib.sh

arch=${1:-x86_64}
variant=${2:-boot}
suite=bookworm
case $arch in
x86_64) debian_arch=amd64 ;;
*) die "no Debian architecture is known for '$arch'; known: x86_64" ;;
esac

packages=systemd,systemd-sysv,udev,udev,dbus,libpam-systemd,openssh-server,python3,sudo,iproute2,kmod,less,attr,ca-certificates,login,passwd
epoch=SOURCE_DATE_EPOCH=1577836800
case $variant in
boot)
	leave_out='--dpkgopt=path-exclude=/usr/share/man/* --dpkgopt=path-exclude=/usr/share/locale/*'
	;;
bench)
	packages=$packages,perl,git,openssh-client,python3-dev,libpython3-stdlib,linux-libc-dev,libperl-dev,vim-runtime
	leave_out=
	# Python holds its compiled modules against the sources' times: clamped ones make it compile at every start.
	epoch=
	;;
*) die "no variant '$variant' of the tree is known; known: boot, bench" ;;
esac

key=$({ echo "$suite $debian_arch $variant $packages"; cat tests/lib/debian-tree.sh; } | cache_key)
folder=$(cache_dir)/trees
tar=$folder/debian-$suite-$debian_arch-$variant-$key.tar
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if [ ! -e "$tar" ]; then
	say "making a Debian $suite tree ($variant) for $debian_arch (about 2 minutes)"
	start=$(date +%s)
	# Networkd takes the link over from the initrd; no machine id, no host keys and no name servers, so that each machine has its own;
	# no e2scrub, which needs LVM and costs seconds of every boot.
	# shellcheck disable=SC2016,SC2086 # $1 is the tree, for mmdebstrap's shell; $leave_out and $epoch are words
	env $epoch mmdebstrap --quiet --format=tar --variant=minbase --arch="$debian_arch" --include="$packages" \
		--aptopt='Acquire::Retries "3"' $leave_out \
		--customize-hook='chroot "$1" systemctl enable systemd-networkd >/dev/null 2>&1' \
		--customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id; : >"$1/etc/machine-id"; echo localhost >"$1/etc/hostname"; rm -f "$1/etc/resolv.conf"' \
		--customize-hook='chroot "$1" systemctl disable e2scrub_reap.service e2scrub_all.timer >/dev/null 2>&1 || :' \
		--customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*.log "$1"/var/log/apt' \
		--customize-hook="[ $variant = boot ] || python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(128 << 20))' >\"\$1/usr/share/noise\"" \
		"$suite" "$tar.tmp" "$(debian_mirror)" >&2 || {
		rm -f "$tar.tmp"
		die "mmdebstrap could not make the tree; its messages are above"
	}
	mv "$tar.tmp" "$tar"
	say "made $(basename "$tar") in $(($(date +%s) - start)) s, $(($(wc -c <"$tar") / 1048576)) MiB"
fi
printf '%s\n' "$tar"
