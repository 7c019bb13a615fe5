#!/bin/sh
# SPDX-License-Identifier: MIT
# The EFI loader alone, without an operating system: one machine with a disk for each thing that can be wrong. The firmware tries them in order,
# each loader explains itself and returns, and the last one shows its menu, has its command line edited and boots.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
loader=$build/BOOTX64.EFI
kernel=${SPORE_TEST_KERNEL:-$build/linux}
[ -e "$loader" ] || skip "$loader is not built ('make bootloader' builds it)"
[ -e "$kernel" ] || skip "$kernel is not built ('make kernel' builds it)"
busybox=$build/guest/busybox
[ -e "$busybox" ] || busybox=/bin/busybox
[ -e "$busybox" ] || skip "no static busybox"

# An initrd that prints its command line and powers off.
mkdir -p "$T/initrd/bin" "$T/initrd/proc" "$T/initrd/dev"
cp "$busybox" "$T/initrd/bin/busybox"
cat >"$T/initrd/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev 2>/dev/null
exec >/dev/console 2>&1
echo "initrd: $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
END
chmod 0755 "$T/initrd/init"
(cd "$T/initrd" && find . | cpio -o -H newc 2>/dev/null) >"$T/initrd.cpio"

# disk NAME: begins a disk with the loader on it, in $T/NAME.
disk() {
	mkdir -p "$T/$1/EFI/BOOT" "$T/$1/spore/$ARCH"
	cp "$loader" "$T/$1/EFI/BOOT/"
}
conf() { cat >"$T/$1/spore/boot.conf"; }

disk empty

disk broken
printf 'timeout 0\nentry spore\nlinux no-slash\n' | conf broken

disk no-kernel
printf 'entry spore\nlinux /spore/gone/linux\ninitrd /spore/gone/initrd\n' | conf no-kernel

disk no-program
printf 'default other\nentry spore\nlinux /spore/%s/linux\n' "$ARCH" | conf no-program
head -c 70000 /dev/zero | tr '\0' x >"$T/no-program/spore/$ARCH/linux"

disk empty-kernel
printf 'entry spore\ncolour red\nlinux /spore/%s/linux\n' "$ARCH" | conf empty-kernel
: >"$T/empty-kernel/spore/$ARCH/linux"

disk large-conf
head -c 20000 /dev/zero | tr '\0' '#' | conf large-conf

disk no-initrd
printf 'entry spore\nlinux /spore/%s/linux\ninitrd /spore/%s/initrd\n' "$ARCH" "$ARCH" | conf no-initrd
cp "$kernel" "$T/no-initrd/spore/$ARCH/linux"

disk counts
printf 'timeout 2\nentry spore\nlinux /spore/gone\n' | conf counts

disk good
cp "$kernel" "$T/good/spore/$ARCH/linux"
cp "$T/initrd.cpio" "$T/good/spore/$ARCH/initrd"
conf good <<END
timeout 0
default second
entry first
  title The first one
  linux /spore/gone
entry second
  title The one that boots
  linux /spore/$ARCH/linux
  initrd /spore/$ARCH/initrd
  options console=ttyS0,115200 quiet kept=yes
END

arguments=
for name in empty broken no-kernel no-program empty-kernel large-conf no-initrd counts good; do
	size=$(du -sk --apparent-size "$T/$name" | cut -f1)
	fat_image "$T/$name.fat" $((size + 2048)) "$T/$name"
	arguments="$arguments --disk $T/$name.fat"
done
mv "$T/empty.fat" "$T/first.fat"
arguments=${arguments#" --disk $T/empty.fat"}

cat >"$T/loader.script" <<END
expect 60 Spore loader: \\spore\\boot.conf is missing
expect 5 Trying the built-in entry: \\spore\\$ARCH\\linux
expect 5 the kernel is missing
expect 5 Back to the firmware in 10 s
note no boot.conf, no kernel
send x
expect 10 \\spore\\boot.conf, line 3:
expect 5 Trying the built-in entry
expect 5 Back to the firmware
note boot.conf broken
send x
expect 10 \\spore\\gone\\linux: the kernel is missing
expect 5 Back to the firmware
note kernel missing
send x
expect 10 "default" names no entry
expect 5 the firmware cannot load this kernel
expect 5 Back to the firmware
note kernel is no program
send x
expect 10 line 2: unknown key, ignored
expect 5 the kernel is empty
expect 5 Back to the firmware
note kernel empty
send x
expect 10 \\spore\\boot.conf is larger than 16 KiB
expect 5 Back to the firmware
note boot.conf too large
send x
expect 20 the initrd is missing
expect 5 Back to the firmware
note initrd missing
send x
expect 10 Spore boot menu
match 5 Starting by itself in 2 s
match 10 Starting by itself in 1 s
expect 10 the kernel is missing
expect 5 Back to the firmware
note counted down
mark
send xy
expect 10 Spore boot menu
expect 5 1. The first one
expect 5 > 2. The one that boots
absent Starting by itself
note menu by key
send \e[A
expect 10 > 1. The first one
send \e[B
expect 10 > 2. The one that boots
send e
expect 10 Command line (Enter: start
send \x7f\x7f\x7fno edited=yes\x01early=yes \r
expect 5 Spore loader: starting 'second'
expect 60 initrd: early=yes console=ttyS0,115200 quiet kept=no edited=yes
note booted with the edited command line
wait-exit 20
END
# shellcheck disable=SC2086 # one word each
boot_console "$T/loader.script" --image "$T/first.fat" --disk-size image --net none --memory 512 $arguments
