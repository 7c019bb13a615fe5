#!/bin/sh
# SPDX-License-Identifier: MIT
# The image on a disk of its own, user data from a NoCloud CD. First boot: login, what user data asked for, a clean shutdown (e2fsck finds
# nothing on scratch). Second boot of the same disk: the same overlay, nothing run again, nearly nothing fetched. The profile is fetched ahead in the first
# boot, and both record one of their own.
# shellcheck disable=SC2016 # commands for the guest's shell stand in single quotes
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img" --set "cmdline=loglevel=4 spore.record=yes"
write_user_data "$T/user-data"
write_meta_data "$T/meta-data"
contextualize seed -t nocloud -u "$T/user-data" -m "$T/meta-data" -o "$T/seed.iso"

step "first boot"
script=$T/first.script
script_login "$script"
script_check_user_data "$script"
script_check_root "$script"
script_check_source "$script" nocloud
script_command "$script" 'echo "from the first boot" >~/kept; sudo sync; echo "written=$?"' 30 '^written=0$'
script_command "$script" 'echo "$(sudo dmesg | grep -c "fetchfs: .*profile boot: [1-9][0-9]* objects fetched") said"' 30 '^1 said$'
# It is written some seconds after what it tells of.
check_recording='for f in systemd/systemd bin/login; do until sudo grep -q "^/usr/.*$f\$" /run/spore/scratch/aux/boot.profile; do sleep 1; done; done; echo "recorded=yes"'
# Before the check, which may need a program that nothing else in the boot does (sleep).
script_stats "$script" FIRST
script_command "$script" "$check_recording" 90 '^recorded=yes$'
script_poweroff "$script"
boot_console "$script" --image "$T/spore.img" --keep "$T/disk.img" --seed "$T/seed.iso"
check_scratch "$T/disk.img"
sgdisk -v "$T/disk.img" >"$T/sgdisk.log" 2>&1
grep -q 'No problems found' "$T/sgdisk.log" || fail "sgdisk: $(cat "$T/sgdisk.log")"

step "second boot of the same disk"
script=$T/second.script
script_login "$script"
script_command "$script" 'echo "kept=$(cat ~/kept)"' 30 '^kept=from the first boot$'
script_check_user_data "$script"
script_stats "$script" SECOND
script_command "$script" "$check_recording" 90 '^recorded=yes$'
script_poweroff "$script"
boot_console "$script" --image "$T/spore.img" --keep "$T/disk.img" --seed "$T/seed.iso"
check_scratch "$T/disk.img"

first=$(captured "$T/first.script" FIRST) second=$(captured "$T/second.script" SECOND)
step "fetched $first bytes in the first boot, $second in the second; login after $(captured "$T/first.script" LOGIN) s" \
	"and $(captured "$T/second.script" LOGIN) s"
[ "$first" -gt 1000000 ] || fail "the first boot fetched only $first bytes: is this figure right?"
[ $((second * 100)) -lt "$first" ] || fail "the second boot fetched $second bytes, not below 1 % of the first's $first: $(tail -n 5 "$server_log")"
