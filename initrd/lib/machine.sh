# SPDX-License-Identifier: MIT
# /run/initramfs: the small world that the root file system's daemon lives in (its root directory), and that systemd comes back to at the end.
# It lies on the tmpfs /run, so it outlives the initrd, and the paths in it stay the same when /run moves to the new root.
# Knows what goes into it; must not know how it is used.
#
# shellcheck shell=sh

env_dir=$R/run/initramfs

# environment_make: programs, keys, device nodes and mount points; once.
environment_make() {
	[ ! -e "$env_dir/bin/spore" ] || return 0
	mkdir -p "$env_dir/bin" "$env_dir/etc/spore" "$env_dir/dev" "$env_dir/proc" "$env_dir/sys" "$env_dir/run" "$env_dir/tmp" \
		"$env_dir/ro" "$env_dir/scratch" "$env_dir/oldroot" "$env_dir/oldrun"
	cp "$R/bin/spore" "$R/bin/busybox" "$env_dir/bin/"
	ln -s spore "$env_dir/bin/@fetchfs"
	ln -s spore "$env_dir/bin/scratch"
	cp -r "$R/etc/spore/keys" "$env_dir/etc/spore/"
	[ ! -d "$R/etc/spore/access" ] || cp -rp "$R/etc/spore/access" "$env_dir/etc/spore/"
	[ ! -d "$R/etc/ssl" ] || cp -r "$R/etc/ssl" "$env_dir/etc/"
	: >>"$R/run/spore/net/resolv.conf"
	ln -s /run/spore/net/resolv.conf "$env_dir/etc/resolv.conf"
}

# environment_mount: what a program inside needs of the kernel; /run for name servers, and for the way to the journal.
environment_mount() {
	mount --bind "$R/dev" "$env_dir/dev"
	mount -t proc -o nosuid,nodev,noexec proc "$env_dir/proc"
	mount --bind "$R/run" "$env_dir/run"
}

# daemon_pids NAME: ids of the processes with this command name, into pids.
daemon_pids() {
	pids=
	for process in "$R"/proc/[0-9]*; do
		read -r comm 2>/dev/null <"$process/comm" || continue
		[ "$comm" != "$1" ] || pids="$pids ${process##*/}"
	done
	pids=${pids# }
}

# os_name FILE: PRETTY_NAME of an os-release file, into os_text; read as data.
os_name() {
	os_text=Linux
	[ -r "$1" ] || return 0
	while read -r line || [ -n "$line" ]; do
		case $line in
		PRETTY_NAME=*)
			os_text=${line#PRETTY_NAME=}
			os_text=${os_text#[\"\']}
			os_text=${os_text%[\"\']}
			return 0
			;;
		esac
	done <"$1"
}
