# SPDX-License-Identifier: MIT
# squashfs over nbdkit's curl plugin: the kernel's squashfs on a loop device on nbdfuse's file. VARIANT: the block of nbdkit's cache filter (64k is its
# default, 1m is tuned). Nothing is kept between mounts.
#
# shellcheck shell=sh

squashfs_needs="mksquashfs nbdkit nbdfuse"
squashfs_keeps=no

squashfs_publish() {
	[ -e "$1/tree.squashfs" ] || { mksquashfs "$tree" "$1/tree.squashfs.tmp" -comp zstd -quiet -no-progress && mv "$1/tree.squashfs.tmp" "$1/tree.squashfs"; }
}
squashfs_forget() { :; }
squashfs_mount() {
	grep -q squashfs /proc/filesystems || return 1
	: >"$T/squashfs.nbd"
	nsenter --net="/run/netns/$client_ns" nbdkit -f -U "$T/squashfs.sock" --filter=cache curl "$server_url/tree.squashfs" cache-on-read=true cache-min-block-size="${variant:-64k}" \
		>"$T/squashfs.log" 2>&1 &
	squashfs_kit=$!
	wait_for 10 test -S "$T/squashfs.sock"
	nbdfuse "$T/squashfs.nbd" "nbd+unix:///?socket=$T/squashfs.sock" >>"$T/squashfs.log" 2>&1 &
	squashfs_fuse=$!
	wait_for 10 test -s "$T/squashfs.nbd"
	attach "$T/squashfs.nbd" -r
	squashfs_loop=$loop
	mount -t squashfs -o ro "$loop" "$1"
}
squashfs_unmount() {
	umount "$1"
	detach "$squashfs_loop"
	wait_for 10 fusermount3 -u "$T/squashfs.nbd" 2>/dev/null
	wait "$squashfs_fuse" || :
	kill "$squashfs_kit" 2>/dev/null || :
	wait "$squashfs_kit" 2>/dev/null || :
	rm -f "$T/squashfs.sock"
}
squashfs_pids() { echo "$squashfs_kit $squashfs_fuse"; }
