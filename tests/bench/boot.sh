#!/bin/sh
# SPDX-License-Identifier: MIT
# From power-on to login: Spore with an empty scratch disk (cold) and again (warm), beside the first and the second boot of the same kernel and tree on a
# local ext4 disk; bytes and requests until login; the client's memory after a walk of the whole tree. Medians of RUNS boots of each kind, taken in
# turn. Beside the seconds on the clock stand the processor seconds of QEMU: where it emulates, these hardly depend on what else the machine does.
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

# The peer: the same loader, kernel and command line on an ESP without an initrd, and the tree on an ext4 disk. Its first boot makes the ssh host keys of a new
# machine, and each boot brings up the network, as Spore's do; of the user data it has the password only.
make_local_disk() {
	mkdir "$T/tree" "$T/esp" "$T/esp/EFI" "$T/esp/EFI/BOOT" "$T/esp/spore"
	tar -xpf "$(tests/lib/debian-tree.sh "$ARCH")" --numeric-owner -C "$T/tree"
	echo "root:$guest_password" | chpasswd -R "$T/tree"
	cat >"$T/tree/etc/systemd/system/host-keys.service" <<-END
		[Unit]
		Before=ssh.service
		ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
		[Service]
		Type=oneshot
		ExecStart=/usr/bin/ssh-keygen -A
	END
	ln -s ../host-keys.service "$T/tree/etc/systemd/system/multi-user.target.wants/"
	printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' >"$T/tree/etc/systemd/network/dhcp.network"
	truncate -s 2G "$T/new.ext4"
	mke2fs -q -t ext4 -d "$T/tree" "$T/new.ext4"
	rm -rf "$T/tree"
	cp "$build/BOOTX64.EFI" "$T/esp/EFI/BOOT/"
	cp "$build/linux" "$T/esp/spore/linux"
	cat >"$T/esp/spore/boot.conf" <<-END
		timeout 0
		default local
		entry local
		linux /spore/linux
		options console=tty0 console=ttyS0,115200 root=/dev/vdb rw loglevel=4
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

# QEMU's processor seconds so far, when the prompt stands there.
script_processor_time() {
	echo "run awk '{ print (\$14 + \$15) / $(getconf CLK_TCK) }' /proc/\$(cat $T/qemu.pid)/stat >>$T/$2.processor" >>"$1"
}

boot_local() {
	kind=$1
	printf 'expect 240 login:\nstamp LOGIN\n' >"$T/$kind.script"
	script_processor_time "$T/$kind.script" "$kind"
	script_off_as_root "$T/$kind.script"
	boot_console "$T/$kind.script" --image "$T/local-esp.img" --disk-size image --disk "$T/local.ext4" --qemu-arg -pidfile --qemu-arg "$T/qemu.pid"
	captured "$T/$kind.script" LOGIN >>"$T/$kind.times"
}

boot_spore() {
	kind=$1
	script_login "$T/$kind.script"
	# What the server has sent when the login prompt stands there.
	sed -i "/^stamp LOGIN\$/a run awk '{ n++; s += \$10 } END { print n + 0, s + 0 }' $server_log >$T/$kind.fetched" "$T/$kind.script"
	script_processor_time "$T/add" "$kind"
	sed -i "/^stamp LOGIN\$/r $T/add" "$T/$kind.script"
	rm -f "$T/add"
	: >"$server_log"
	if [ "$kind" = warm ] && [ "$n" = "$runs" ]; then
		script_command "$T/$kind.script" 'sudo find / -xdev -type f -exec cat {} + 2>/dev/null | wc -c' 900
		cat >>"$T/$kind.script" <<-'END'
			send sudo awk '/^Pss:/ { s += $2 } END { print "Pss", s, "kB" }' $(sed 's,[0-9]*,/proc/&/smaps_rollup,g' /run/spore/pids)\n
			capture 60 RSS ^Pss ([0-9]+) kB
			expect 30 spore-prompt>
		END
	fi
	script_poweroff "$T/$kind.script"
	BOOT_SECONDS=1800 boot_console "$T/$kind.script" --image "$T/spore.img" --seed "$T/seed.iso" --disk "$T/scratch.img" --disk-size 8G \
		--qemu-arg -pidfile --qemu-arg "$T/qemu.pid"
	captured "$T/$kind.script" LOGIN >>"$T/$kind.times"
	cat "$T/$kind.fetched" >>"$T/$kind.requests"
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# line NAME KIND [PEER]: medians of a kind of boot, and their ratios to the peer's.
line() {
	seconds=$(median "$T/$2.times") processor=$(median "$T/$2.processor")
	printf '  %-26s %6s s on the clock   %6s s of the processor' "$1" "$seconds" "$processor"
	[ -z "${3:-}" ] || printf '   %s x and %s x local' "$(ratio "$seconds" "$(median "$T/$3.times")")" "$(ratio "$processor" "$(median "$T/$3.processor")")"
	echo
}

make_local_disk
n=0
while [ "$n" -lt "$runs" ]; do
	n=$((n + 1))
	echo "run $n of $runs" >&2
	rm -f "$T/scratch.img"
	cp --sparse=always "$T/new.ext4" "$T/local.ext4"
	boot_local local-first
	boot_spore cold
	boot_local local-again
	boot_spore warm
done

stored=$(find "$repository/objects" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
read -r requests bytes <"$T/cold.requests"
read -r warm_requests warm_bytes <"$T/warm.requests"
accel=$(tests/boot/run-qemu.sh --image "$T/spore.img" --print | grep -o 'accel=[a-z]*')
tail -n 1 "$T/mkimage.log"
echo "Power-on to login, QEMU $accel, medians of $runs"
line 'local ext4, first boot' local-first
line 'Spore, cold' cold local-first
line 'local ext4, again' local-again
line 'Spore, warm' warm local-again
cat <<END
Fetched until the login prompt
  cold                       $bytes bytes in $requests requests, $(ratio "$((bytes * 100))" "$stored") % of the $stored stored
  warm                       $warm_bytes bytes in $warm_requests requests
Client memory after reading the whole tree   $(captured "$T/warm.script" RSS) kB (both processes' shares)
END
