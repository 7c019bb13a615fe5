# SPDX-License-Identifier: MIT
# fetchfs itself. VARIANT, several joined by "+": "guest", the static program that boots use; any other word, a mount option (as "parallel=4").
#
# shellcheck shell=sh

fetchfs_needs=fetchfs
fetchfs_keeps=yes

fetchfs_publish() {
	fetchfs_key=$(cat fetchfs/publish/*.c fetchfs/format/*.c | cache_key)
	[ ! -e "$1/fetchfs/source" ] || [ "$(cat "$1/fetchfs/source")" = "$fetchfs_key" ] || rm -rf "$1/fetchfs"
	[ ! -e "$1/fetchfs/source" ] || return 0
	rm -rf "$1/fetchfs" "$1/keys"
	mkdir -p "$1/keys"
	fetchfs keygen "$1/keys/root" >/dev/null &&
		fetchfs init -n bench -k "$1/keys/root" "$1/fetchfs" >/dev/null &&
		fetchfs publish -q -k "$1/keys/root" "$1/fetchfs" "$tree" &&
		echo "$fetchfs_key" >"$1/fetchfs/source"
}
fetchfs_forget() { new_cache "$peer"; }
fetchfs_mount() {
	mount_cache "$peer"
	fetchfs_program=fetchfs fetchfs_options=
	for word in $(echo "$variant" | tr '+' ' '); do
		if [ "$word" = guest ]; then
			fetchfs_program=$T/guest/fetchfs
			mkdir -p "$T/guest"
			ln -sf "$top/build/$(uname -m)/guest/spore" "$fetchfs_program"
		else
			fetchfs_options="$fetchfs_options -o $word"
		fi
	done
	# shellcheck disable=SC2086 # words
	nsenter --net="/run/netns/$client_ns" "$fetchfs_program" mount -f -K "$served/keys/root.pub" -c "$T/$peer.cache" $fetchfs_options "$server_url/fetchfs" "$1" >"$T/fetchfs.log" 2>&1 &
	fetchfs_pid=$!
	wait_for 60 mountpoint -q "$1"
}
fetchfs_unmount() {
	umount "$1"
	wait "$fetchfs_pid" || :
	unmount_cache "$peer"
}
fetchfs_pids() { echo "$fetchfs_pid"; }
