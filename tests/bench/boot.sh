#!/bin/sh
# SPDX-License-Identifier: MIT
# From power-on to login: Spore with an empty scratch disk (cold) and again (warm), beside the same kernel and tree on a local ext4 disk; bytes and
# requests until login; the client's memory after a walk of the whole tree. Medians of RUNS boots of each kind, taken in turn.
#
# usage: boot.sh [RUNS]     (default 3)
. "$(dirname "$0")/../boot/functions.sh"
runs=${1:-3}
need_root
need_qemu
serve_system

make_image "$T/spore.img"
write_user_data "$T/user-data"
write_meta_data "$T/meta-data"
contextualize seed -t nocloud -u "$T/user-data" -m "$T/meta-data" -o "$T/seed.iso"

# The peer: the same loader and kernel on an ESP without an initrd, and the tree on an ext4 disk.
make_local_disk() {
	mkdir "$T/tree" "$T/esp" "$T/esp/EFI" "$T/esp/EFI/BOOT" "$T/esp/spore"
	tar -xpf "$(tests/lib/debian-tree.sh "$ARCH")" --numeric-owner -C "$T/tree"
	echo "root:$guest_password" | chpasswd -R "$T/tree"
	truncate -s 2G "$T/local.ext4"
	mke2fs -q -t ext4 -d "$T/tree" "$T/local.ext4"
	rm -rf "$T/tree"
	cp "$build/BOOTX64.EFI" "$T/esp/EFI/BOOT/"
	cp "$build/linux" "$T/esp/spore/linux"
	cat >"$T/esp/spore/boot.conf" <<-END
		timeout 0
		default local
		entry local
		linux /spore/linux
		options console=tty0 console=ttyS0,115200 root=/dev/vdb rw quiet
	END
	fat_image "$T/local-esp.img" 16384 "$T/esp"
}

# From a finished boot's script, to its login prompt and off again.
script_off_as_root() {
	cat >>"$1" <<-END
		send root\n
		expect 60 Password:
		send $guest_password\n
		match 120 root@[a-z-]+:~#
		send poweroff\n
		wait-exit 120
	END
}

boot_local() {
	printf 'expect 240 login:\nstamp LOGIN\n' >"$T/local.script"
	script_off_as_root "$T/local.script"
	boot_console "$T/local.script" --image "$T/local-esp.img" --disk-size image --disk "$T/local.ext4"
	captured "$T/local.script" LOGIN >>"$T/local.times"
}

boot_spore() {
	kind=$1
	script_login "$T/$kind.script"
	# What the server has sent when the login prompt stands there.
	sed -i "/^stamp LOGIN\$/a run awk '{ n++; s += \$10 } END { print n + 0, s + 0 }' $server_log >$T/$kind.fetched" "$T/$kind.script"
	: >"$server_log"
	if [ "$kind" = warm ] && [ "$n" = "$runs" ]; then
		script_command "$T/$kind.script" 'sudo find / -xdev -type f -exec cat {} + 2>/dev/null | wc -c' 900
		cat >>"$T/$kind.script" <<-'END'
			send for p in $(cat /run/spore/pids); do sudo grep VmRSS /proc/$p/status; done\n
			capture 60 RSS ^VmRSS:[[:space:]]+([0-9]+) kB
			expect 30 spore-prompt>
		END
	fi
	script_poweroff "$T/$kind.script"
	BOOT_SECONDS=1800 boot_console "$T/$kind.script" --image "$T/spore.img" --seed "$T/seed.iso" --disk "$T/scratch.img" --disk-size 8G
	captured "$T/$kind.script" LOGIN >>"$T/$kind.times"
	cat "$T/$kind.fetched" >>"$T/$kind.requests"
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

make_local_disk
n=0
while [ "$n" -lt "$runs" ]; do
	n=$((n + 1))
	echo "run $n of $runs" >&2
	rm -f "$T/scratch.img"
	boot_local
	boot_spore cold
	boot_spore warm
done

stored=$(find "$repository/objects" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
local_s=$(median "$T/local.times") cold_s=$(median "$T/cold.times") warm_s=$(median "$T/warm.times")
read -r requests bytes <"$T/cold.requests"
read -r warm_requests warm_bytes <"$T/warm.requests"
accel=$(tests/boot/run-qemu.sh --image "$T/spore.img" --print | grep -o 'accel=[a-z]*')
tail -n 1 "$T/mkimage.log"
cat <<END
Power-on to login, QEMU $accel, median of $runs
  local ext4                 $local_s s
  Spore, cold                $cold_s s   $(ratio "$cold_s" "$local_s") x local
  Spore, warm                $warm_s s   $(ratio "$warm_s" "$local_s") x local
Fetched until the login prompt
  cold                       $bytes bytes in $requests requests, $(ratio "$((bytes * 100))" "$stored") % of the $stored stored
  warm                       $warm_bytes bytes in $warm_requests requests
Client memory after reading the whole tree   $(captured "$T/warm.script" RSS) kB resident
END
