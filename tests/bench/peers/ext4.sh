# SPDX-License-Identifier: MIT
# The local file system that the others are held against: nothing is fetched, so "cold" and "warm" are a fresh mount.
#
# shellcheck shell=sh

ext4_needs=mke2fs
ext4_keeps=yes

ext4_publish() {
	[ -e "$1/tree.ext4" ] || { truncate -s 1500M "$1/tree.ext4.tmp" && mke2fs -q -t ext4 -d "$tree" "$1/tree.ext4.tmp" && mv "$1/tree.ext4.tmp" "$1/tree.ext4"; }
}
ext4_forget() { :; }
ext4_mount() {
	[ -e "$disks/tree.ext4" ] || cp --sparse=always "$served/tree.ext4" "$disks/tree.ext4"
	attach "$disks/tree.ext4" -r
	ext4_loop=$loop
	mount -t ext4 -o ro "$loop" "$1"
}
ext4_unmount() {
	umount "$1"
	detach "$ext4_loop"
	drop_pages "$disks/tree.ext4"
}
ext4_pids() { :; }
