# SPDX-License-Identifier: MIT
# fetchfs itself. VARIANT, several joined by "+": "guest", the static program that boots use; "profile", a repository with a profile of W3; any other word, a
# mount option (as "parallel=4").
#
# shellcheck shell=sh

fetchfs_needs=fetchfs
fetchfs_keeps=yes

fetchfs_has() { case "+$variant+" in *+"$1"+*) ;; *) return 1 ;; esac; }

# What W3 reads, recorded from the plain repository, laid out first and named in the manifest.
fetchfs_publish_profile() {
	[ "$(cat "$1/fetchfs-profile/source" 2>/dev/null)" != "$fetchfs_key" ] || return 0
	rm -rf "$1/fetchfs-profile" "$1/W3.profile"
	mkdir -p "$T/record"
	fetchfs mount -K "$1/keys/root.pub" -c "$T/record.cache" --record "$1/W3.profile" "$1/fetchfs" "$T/record" >/dev/null 2>&1 &&
		mount --bind /dev "$T/record/dev" &&
		workload_W3 "$T/record" &&
		umount "$T/record/dev" &&
		fetchfs umount "$T/record" &&
		cp -r "$1/fetchfs" "$1/fetchfs-profile" &&
		rm "$1/fetchfs-profile/source" &&
		fetchfs publish -q -k "$1/keys/root" --profile "$1/W3.profile" --repack "$1/fetchfs-profile" "$tree" &&
		echo "$fetchfs_key" >"$1/fetchfs-profile/source"
}

fetchfs_publish() {
	fetchfs_publish_plain "$1" || return
	! fetchfs_has profile || fetchfs_publish_profile "$1"
}

fetchfs_publish_plain() {
	fetchfs_key=$(cat fetchfs/publish/*.c fetchfs/format/*.c | cache_key)
	[ ! -e "$1/fetchfs/source" ] || [ "$(cat "$1/fetchfs/source")" = "$fetchfs_key" ] || rm -rf "$1/fetchfs"
	[ ! -e "$1/fetchfs/source" ] || return 0
	rm -rf "$1/fetchfs" "$1/fetchfs-profile" "$1/keys"
	mkdir -p "$1/keys"
	fetchfs keygen "$1/keys/root" >/dev/null &&
		fetchfs init -n bench -k "$1/keys/root" "$1/fetchfs" >/dev/null &&
		fetchfs publish -q -k "$1/keys/root" "$1/fetchfs" "$tree" &&
		echo "$fetchfs_key" >"$1/fetchfs/source"
}
fetchfs_forget() { new_cache "$peer"; }
fetchfs_mount() {
	mount_cache "$peer"
	fetchfs_program=fetchfs fetchfs_options='' fetchfs_repository=fetchfs
	for word in $(echo "$variant" | tr '+' ' '); do
		case $word in
		guest)
			fetchfs_program=$T/guest/fetchfs
			mkdir -p "$T/guest"
			ln -sf "$top/build/$(uname -m)/guest/spore" "$fetchfs_program"
			;;
		profile) fetchfs_repository=fetchfs-profile ;;
		*) fetchfs_options="$fetchfs_options -o $word" ;;
		esac
	done
	# shellcheck disable=SC2086 # words
	nsenter --net="/run/netns/$client_ns" "$fetchfs_program" mount -f -K "$served/keys/root.pub" -c "$T/$peer.cache" $fetchfs_options "$server_url/$fetchfs_repository" "$1" >"$T/fetchfs.log" 2>&1 &
	fetchfs_pid=$!
	# Often, since a profile is being fetched already.
	until mountpoint -q "$1"; do
		kill -0 "$fetchfs_pid" || return
		sleep 0.005
	done
}
fetchfs_unmount() {
	umount "$1"
	wait "$fetchfs_pid" || :
	unmount_cache "$peer"
}
fetchfs_pids() { echo "$fetchfs_pid"; }
