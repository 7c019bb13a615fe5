# SPDX-License-Identifier: MIT
# casync mount: chunks over HTTP. It keeps nothing between mounts.
#
# shellcheck shell=sh

casync_needs=casync
casync_keeps=no

casync_publish() { [ -e "$1/tree.caidx" ] || casync make --store="$1/default.castr" "$1/tree.caidx" "$tree" >/dev/null; }
casync_forget() { :; }
casync_mount() {
	nsenter --net="/run/netns/$client_ns" casync mount --store="$server_url/default.castr" "$server_url/tree.caidx" "$1" >"$T/casync.log" 2>&1 &
	casync_pid=$!
	wait_for 60 mountpoint -q "$1"
}
casync_unmount() {
	umount "$1"
	kill "$casync_pid" 2>/dev/null || :
	wait "$casync_pid" 2>/dev/null || :
}
casync_pids() { echo "$casync_pid"; }
