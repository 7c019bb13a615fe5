# SPDX-License-Identifier: MIT
# rclone mount of the tree as nginx lists it. Links, modes and owners are lost; all files are made executable so that programs start.
#
# shellcheck shell=sh

rclone_needs=rclone
rclone_keeps=yes

rclone_publish() { ln -sfn tree "$1/plain"; }
rclone_forget() { new_cache "$peer"; }
rclone_mount() {
	mount_cache "$peer"
	nsenter --net="/run/netns/$client_ns" rclone mount --config /dev/null --http-url "$server_url/tree" --cache-dir "$T/$peer.cache" --vfs-cache-mode full --read-only \
		--file-perms 0755 --dir-perms 0755 --allow-other :http: "$1" >"$T/rclone.log" 2>&1 &
	rclone_pid=$!
	wait_for 30 mountpoint -q "$1"
}
rclone_unmount() {
	umount "$1"
	wait "$rclone_pid" 2>/dev/null || :
	unmount_cache "$peer"
}
rclone_pids() { echo "$rclone_pid"; }
