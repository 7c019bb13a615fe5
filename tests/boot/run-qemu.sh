#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots an image in QEMU with the serial console on this terminal (or on standard input and output). Ends when the machine powers off.
# The image itself is never written to: the machine gets a copy-on-write layer of it that is thrown away, or a copy that is kept (--keep).
# Knows QEMU, firmware and disks; must not know what boots.
set -eu

usage() {
	cat <<'END'
Usage: run-qemu.sh --image FILE [OPTION]...
  --image FILE       boot this disk image; it is not changed
  --keep FILE        boot FILE, made from the image on its first use (as large as --disk-size) and kept
  --disk FILE        a further disk; an empty one of --disk-size is made where FILE does not exist (several allowed)
  --disk-size SIZE   size of what is made: empty disks, the kept copy, and the throw-away layer (8G; "image": no larger than the image)
  --seed ISO         a CD with user data
  --firmware NAME    uefi (default), bios, direct: kernel and initrd handed over by QEMU, without any firmware's boot; or secureboot: UEFI that
                     runs only what is signed with the test key of Debian's ovmf package
  --kernel FILE, --initrd FILE, --append TEXT   for direct; by default those on the image's ESP
  --esp DIR          instead of --image: a folder shown as a FAT disk (for tests of the loader)
  --memory MB        1024
  --smp N            2, or 1 where QEMU emulates the processor
  --arch ARCH        x86_64
  --net KIND         user (default: the host is 10.0.2.2), none, or metadata:PORT (the host's PORT is 169.254.169.254:80, the host 169.254.169.2)
  --nics N           how many network cards (1; the second and further ones are on networks of their own)
  --smbios ARG       passed on to QEMU (several allowed)
  --qemu-arg ARG     passed on to QEMU (several allowed)
  --snapshot         throw away what is written to --keep and --disk too
  --print            print QEMU's command line and end
END
}

die() {
	echo "run-qemu.sh: $1" >&2
	exit "${2:-1}"
}

# The first of the files that exists; fails where none does.
first_of() {
	for f in "$@"; do
		if [ -e "$f" ]; then
			printf '%s\n' "$f"
			return 0
		fi
	done
	return 1
}

# Appends an argument for QEMU, quoted for eval: a name with a space or a comma stays one argument.
arguments=
add() {
	for a in "$@"; do
		arguments="$arguments '$(printf '%s' "$a" | sed "s/'/'\\\\''/g")'"
	done
}

# QEMU's options split at commas; doubled ones stand for themselves.
escape() { printf '%s' "$1" | sed 's/,/,,/g'; }

image='' keep='' disks='' size=8G seed='' firmware=uefi kernel='' initrd='' append='' esp='' memory=1024 smp='' arch=x86_64 net=user nics=1
snapshot=false print=false extra=''

quote_more() { extra="$extra '$(printf '%s' "$1" | sed "s/'/'\\\\''/g")'"; }

while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) usage; exit 0 ;;
	--snapshot) snapshot=true; shift; continue ;;
	--print) print=true; shift; continue ;;
	esac
	[ $# -ge 2 ] || { usage >&2; die "unknown option, or no value for it: $1" 64; }
	case $1 in
	--image) image=$2 ;;
	--keep) keep=$2 ;;
	--disk) disks="$disks$2
" ;;
	--disk-size) size=$2 ;;
	--seed) seed=$2 ;;
	--firmware) firmware=$2 ;;
	--kernel) kernel=$2 ;;
	--initrd) initrd=$2 ;;
	--append) append=$2 ;;
	--esp) esp=$2 ;;
	--memory) memory=$2 ;;
	--smp) smp=$2 ;;
	--arch) arch=$2 ;;
	--net) net=$2 ;;
	--nics) nics=$2 ;;
	--smbios) quote_more -smbios; quote_more "$2" ;;
	--qemu-arg) quote_more "$2" ;;
	*) usage >&2; die "unknown option: $1" 64 ;;
	esac
	shift 2
done

[ -n "$image$esp" ] || { usage >&2; die "no image given" 64; }
[ -z "$image" ] || [ -r "$image" ] || die "the image $image cannot be read; 'make image' builds one" 66
[ -z "$seed" ] || [ -r "$seed" ] || die "the seed $seed cannot be read" 66

case $arch in
x86_64) qemu=qemu-system-x86_64 machine=q35 ;;
*) die "no machine is known for the architecture '$arch'; known: x86_64" 64 ;;
esac
command -v "$qemu" >/dev/null || die "$qemu is not installed (Debian: qemu-system-x86)" 69

T=$(mktemp -d "${TMPDIR:-/tmp}/spore-qemu-XXXXXX")
trap 'rm -rf "$T"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT HUP

# KVM only where a machine really runs on it: the device may be there and not work, or do without the processor's help and then not know the
# instructions that firmware begins with. The probe's boot sector uses one of these and resets the machine (fwait; fninit; mov al,0xfe; out 0x64,al;
# hlt), which ends QEMU with status 0.
accelerator() {
	if [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
		{ printf '\233\333\343\260\376\346\144\364'; head -c 502 /dev/zero; printf '\125\252'; } >"$T/probe"
		truncate -s 1M "$T/probe"
		if timeout 10 "$qemu" -machine "$machine,accel=kvm" -cpu host -m 64 -nodefaults -display none -no-reboot \
			-drive "file=$T/probe,format=raw,if=virtio" </dev/null >/dev/null 2>&1; then
			echo kvm
			return 0
		fi
	fi
	echo tcg
}
accel=${QEMU_ACCEL:-$(accelerator)}

# QEMU's emulation of several processors runs stale code for a moment after one of them has patched the kernel's text: an int3 that is no longer
# there then ends in an oops (seen with QEMU 7.2). One processor has no such moment.
if [ -z "$smp" ]; then
	if [ "$accel" = kvm ]; then smp=2; else smp=1; fi
fi

[ "$firmware" != secureboot ] || machine=$machine,smm=on
add -machine "$machine,accel=$accel" -m "$memory" -smp "$smp" -nodefaults -display none
if [ "$accel" = kvm ]; then
	add -cpu host
else
	add -cpu max
fi

# The console: Ctrl-A x ends QEMU on a terminal; in a pipe every byte is the machine's, and a restart ends QEMU as switching off does.
if [ -t 0 ]; then
	add -serial mon:stdio
else
	add -serial stdio -monitor none -no-reboot
fi

# add_uefi CODE VARIABLES: the machine writes to a copy of the variables.
add_uefi() {
	cp "$2" "$T/vars.fd"
	chmod u+w "$T/vars.fd"
	add -drive "if=pflash,format=raw,unit=0,readonly=on,file=$1" -drive "if=pflash,format=raw,unit=1,file=$T/vars.fd"
}

find_uefi() {
	code=$(first_of /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_CODE.fd) ||
		die "no UEFI firmware below /usr/share/OVMF (Debian: ovmf)" 69
	add_uefi "$code" "$(dirname "$code")/OVMF_VARS${code##*/OVMF_CODE}"
}

find_secureboot() {
	[ -e /usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd ] || die "no firmware with the test key below /usr/share/OVMF (Debian: ovmf)" 69
	add_uefi /usr/share/OVMF/OVMF_CODE_4M.secboot.fd /usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd
	add -global driver=cfi.pflash01,property=secure,value=on
}

# Kernel and initrd from the image's ESP, unless they were given.
add_direct() {
	if [ -z "$kernel" ]; then
		start=$(sfdisk -J "$image" | sed -n 's/.*"start": *\([0-9]*\).*/\1/p' | head -n 1)
		[ -n "$start" ] || die "$image has no partition table" 65
		for part in linux initrd; do
			mcopy -n -i "$image@@$((start * 512))" "::spore/$arch/$part" "$T/$part" || die "no spore/$arch/$part on the ESP of $image" 65
		done
		kernel=$T/linux initrd=$T/initrd
		[ -n "$append" ] || append='console=ttyS0,115200'
	fi
	add -kernel "$kernel" -append "$append"
	[ -z "$initrd" ] || add -initrd "$initrd"
}

case $firmware in
uefi) find_uefi ;;
secureboot) find_secureboot ;;
bios) ;;
direct) add_direct ;;
*) die "unknown firmware '$firmware'; known: uefi, secureboot, bios, direct" 64 ;;
esac

# add_disk ID FILE FORMAT OPTIONS
number=0
add_disk() {
	number=$((number + 1))
	options="if=none,id=$1,file=$(escape "$2"),format=$3,discard=unmap${4:-}"
	if [ "$snapshot" = true ]; then
		options="$options,snapshot=on"
	fi
	add -drive "$options" -device "virtio-blk-pci,drive=$1,bootindex=$number,serial=$1"
}

absolute() {
	case $1 in
	/*) printf '%s\n' "$1" ;;
	*) printf '%s/%s\n' "$PWD" "$1" ;;
	esac
}

if [ -n "$esp" ]; then
	add -drive "if=none,id=esp,format=raw,file=fat:rw:$(escape "$esp")" -device virtio-blk-pci,drive=esp,bootindex=1
	number=1
elif [ -n "$keep" ]; then
	if [ ! -e "$keep" ]; then
		cp --sparse=always "$image" "$keep.tmp"
		[ "$size" = image ] || truncate -s ">$size" "$keep.tmp"
		mv "$keep.tmp" "$keep"
	fi
	add_disk boot "$keep" raw
else
	qemu-img create -q -f qcow2 -F raw -b "$(absolute "$image")" "$T/boot.qcow2"
	if [ "$size" != image ]; then
		qemu-img resize -q "$T/boot.qcow2" "$size" 2>"$T/error" || die "$size is no size larger than the image: $(cat "$T/error")" 64
	fi
	add_disk boot "$T/boot.qcow2" qcow2 ,cache=unsafe
fi

while read -r disk; do
	[ -n "$disk" ] || continue
	[ -e "$disk" ] || truncate -s "$size" "$disk"
	add_disk "disk$number" "$disk" raw
done <<END
$disks
END

if [ -n "$seed" ]; then
	add -device virtio-scsi-pci,id=scsi -drive "if=none,id=seed,media=cdrom,readonly=on,format=raw,file=$(escape "$seed")" \
		-device scsi-cd,bus=scsi.0,drive=seed
fi
add -device virtio-rng-pci

case $net in
user) network='' ;;
none) nics=0 ;;
metadata:*)
	command -v nc >/dev/null || die "nc is not installed (Debian: netcat-openbsd)" 69
	network=",net=169.254.169.0/24,host=169.254.169.2,dns=169.254.169.3,dhcpstart=169.254.169.15"
	network="$network,guestfwd=tcp:169.254.169.254:80-cmd:nc 127.0.0.1 ${net#metadata:}"
	;;
*) die "unknown network '$net'; known: user, none, metadata:PORT" 64 ;;
esac
n=0
while [ "$n" -lt "$nics" ]; do
	[ "$n" -eq 0 ] || network=",net=10.0.$((n + 2)).0/24"
	# No option ROM: the firmware would try to boot from the network.
	add -netdev "user,id=net$n$network" -device "virtio-net-pci,netdev=net$n,romfile="
	n=$((n + 1))
done

eval "set -- $arguments $extra"
if [ "$print" = true ]; then
	printf '%s' "$qemu"
	printf ' %s' "$@"
	echo
	exit 0
fi
[ ! -t 0 ] || echo "run-qemu.sh: $qemu with $accel; Ctrl-A x ends it, Ctrl-A h lists more" >&2
# Where this shell is killed, QEMU ends too. In braces: a change of this file while a machine runs must not reach the shell.
{
	code=0
	if command -v setpriv >/dev/null; then
		setpriv --pdeathsig TERM "$qemu" "$@" || code=$?
	else
		"$qemu" "$@" || code=$?
	fi
	exit "$code"
}
