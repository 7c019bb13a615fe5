#!/bin/sh
# SPDX-License-Identifier: MIT
# Secure Boot, with the test key that Debian's ovmf brings: the signed loader refuses an unsigned kernel with a message, starts a signed one, and
# does not let its command line be edited.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
loader=$build/BOOTX64.EFI
kernel=${SPORE_TEST_KERNEL:-$build/linux}
[ -e "$loader" ] || skip "$loader is not built ('make bootloader' builds it)"
[ -e "$kernel" ] || skip "$kernel is not built ('make kernel' builds it)"
command -v osslsigncode >/dev/null || skip "osslsigncode is not installed"
keys=/usr/share/ovmf/PkKek-1-snakeoil
for file in "$keys.key" "$keys.pem" /usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd; do
	[ -r "$file" ] || skip "no firmware with a test key (Debian: ovmf)"
done

sign() { osslsigncode sign -certs "$keys.pem" -key "$keys.key" -pass snakeoil -h sha256 -in "$1" -out "$2" >"$T/sign.log" 2>&1 ||
	fail "osslsigncode: $(cat "$T/sign.log")"; }

for name in unsigned signed; do
	mkdir -p "$T/$name/EFI/BOOT" "$T/$name/spore"
	sign "$loader" "$T/$name/EFI/BOOT/BOOTX64.EFI"
	printf 'entry spore\nlinux /spore/linux\noptions console=ttyS0,115200 kept=yes panic=-1\n' >"$T/$name/spore/boot.conf"
done
# The second one shows its menu by itself: whether a key that is sent between two loaders reaches the second is the firmware's affair.
sed -i '1i timeout 60' "$T/signed/spore/boot.conf"
cp "$kernel" "$T/unsigned/spore/linux"
sign "$kernel" "$T/signed/spore/linux"
for name in unsigned signed; do
	fat_image "$T/$name.fat" 24576 "$T/$name"
done

# The kernel has no root file system here: that it comes up with its command line and panics is what is wanted.
cat >"$T/secure-boot.script" <<'END'
allow Kernel panic - not syncing
expect 120 Secure Boot refuses to run this kernel
expect 5 Back to the firmware
note unsigned kernel refused
mark
expect 20 Spore boot menu
expect 5 Esc: back to the firmware
absent e: edit
send e
send \r
expect 10 Spore loader: starting 'spore'
match 120 Kernel command line: .*console=ttyS0,115200 kept=yes
expect 60 Kernel panic - not syncing
note signed kernel started
END
boot_console "$T/secure-boot.script" --firmware secureboot --image "$T/unsigned.fat" --disk-size image --disk "$T/signed.fat" --net none --memory 512
