#!/bin/sh
# SPDX-License-Identifier: MIT
# User data from a config drive, on a machine with four foreign disks (ext4, GPT with data, LVM, random bytes), which stay as they are to the byte;
# scratch is a fifth disk, wholly empty.
# shellcheck disable=SC2016 # commands for the guest's shell stand in single quotes
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img"
write_user_data "$T/user-data"
printf '{"uuid": "5a6e7c1d-0000-4000-8000-000000000001", "hostname": "from-metadata"}\n' >"$T/meta-data.json"
contextualize seed -t configdrive -u "$T/user-data" -m "$T/meta-data.json" -o "$T/seed.iso"

step "four foreign disks"
size=1G
for name in ext4 gpt lvm random; do
	truncate -s "$size" "$T/$name.disk"
done
mke2fs -q -t ext4 -L precious "$T/ext4.disk"
printf 'label: gpt\nstart=2048, size=262144, name="data"\n' | sfdisk -q "$T/gpt.disk"
printf 'data that somebody needs' | dd of="$T/gpt.disk" bs=1M seek=1 conv=notrunc status=none
# A physical volume: its label in the second sector (type "LVM2 001"), metadata text in the fifth.
printf 'LABELONE\001\000\000\000\000\000\000\000\000\000\000\000\040\000\000\000LVM2 001' | dd of="$T/lvm.disk" bs=512 seek=1 conv=notrunc status=none
if command -v pvcreate >/dev/null && [ "$(id -u)" -eq 0 ] && loop=$(losetup --find --show "$T/lvm.disk" 2>/dev/null); then
	pvcreate -q -ff -y "$loop" >/dev/null 2>&1 || echo "- no physical volume by LVM itself: its label was written by hand"
	losetup -d "$loop"
fi
dd if=/dev/urandom of="$T/random.disk" bs=1M count=4 seek=3 conv=notrunc status=none
(cd "$T" && sha256sum ext4.disk gpt.disk lvm.disk random.disk) >"$T/before"

script=$T/boot.script
script_login "$script"
script_check_user_data "$script"
script_check_source "$script" 'config-?drive'
script_command "$script" 'echo "scratch=$(findmnt -no SOURCE /run/spore/scratch)"' 30 '^scratch=/dev/vdf'
script_poweroff "$script"
boot_console "$script" --image "$T/spore.img" --disk-size image --seed "$T/seed.iso" --disk "$T/ext4.disk" --disk "$T/gpt.disk" \
	--disk "$T/lvm.disk" --disk "$T/random.disk" --disk "$(truncate -s 6G "$T/empty.disk" && echo "$T/empty.disk")"

step "the foreign disks afterwards"
(cd "$T" && sha256sum -c --quiet before) || fail "a foreign disk was written to"
check_scratch "$T/empty.disk"
