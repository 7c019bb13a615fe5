#!/bin/sh
# SPDX-License-Identifier: MIT
# What stands in the way of a boot is said on the console: what failed, why, and what to do. Without firmware, since the loader is not in question.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img"

# failing NAME SECONDS STAGE EREGEX RUN-QEMU-ARGUMENT...: the boot fails in that stage, with a message that matches and advice.
failing() {
	name=$1
	expression=$4
	cat >"$T/$name.script" <<END
allow Spore: failed
match $2 ^Spore: failed in $3: .*$
match 10 ^Spore: what to do: .*$
END
	shift 4
	boot_console "$T/$name.script" --firmware direct --append 'console=ttyS0,115200 loglevel=4 spore.mount_timeout=15' "$@"
	grep -E ' (fetchfs|Spore): ' "$T/$name.log" | grep -E -- "$expression" >"$T/said" ||
		fail "$name: no message matches '$expression': $(tail -n 20 "$T/$name.log")"
	step "$name: $(head -n 1 "$T/said")"
}

failing no-nic 60 '02-network' 'no network interface' --image "$T/spore.img" --net none

fetchfs keygen "$T/other"
mkimage build -a "$ARCH" --set "repository=http://10.0.2.2:$port/" --set "key=$T/other.pub" -o "$T/wrong-key.img" >"$T/mkimage.log" 2>&1 ||
	fail "mkimage: $(cat "$T/mkimage.log")"
failing wrong-key 90 '14-fetchfs' 'signed with another key' --image "$T/wrong-key.img"

mkimage build -a "$ARCH" --set "repository=http://10.0.2.2:$port/not-here" --set "key=$key" -o "$T/wrong-url.img" >"$T/mkimage.log" 2>&1 ||
	fail "mkimage: $(cat "$T/mkimage.log")"
failing wrong-url 150 '14-fetchfs' 'no repository at .*not-here' --image "$T/wrong-url.img"

# warned NAME EREGEX RUN-QEMU-ARGUMENT...: the system starts in spite of it, with a message that matches.
start=$(sfdisk -J "$T/spore.img" | sed -n 's/.*"start": *\([0-9]*\).*/\1/p' | head -n 1)
for part in linux initrd; do
	mcopy -n -i "$T/spore.img@@$((start * 512))" "::spore/$ARCH/$part" "$T/$part"
done
warned() {
	name=$1
	expression=$2
	printf 'match 120 ^Spore: starting .*$\n' >"$T/$name.script"
	shift 2
	boot_console "$T/$name.script" --firmware direct --kernel "$T/linux" --initrd "$T/initrd" --append 'console=ttyS0,115200 loglevel=4' \
		--memory 1536 "$@"
	grep -E -- "$expression" "$T/$name.log" >"$T/said" || fail "$name: no message matches '$expression': $(tail -n 20 "$T/$name.log")"
	step "$name: $(head -n 1 "$T/said")"
}

warned no-scratch 'RUNNING FROM RAM' --image "$T/spore.img" --disk-size image

# Both copies of the partition table altered; the disk is larger than the image.
size=$(wc -c <"$T/spore.img")
cp "$T/spore.img" "$T/corrupt.img"
for place in 530 $((size - 500)); do
	head -c 60 /dev/zero | tr '\0' x | dd of="$T/corrupt.img" bs=1 seek="$place" conv=notrunc status=none
done
truncate -s 4G "$T/corrupt.img"
sha256sum "$T/corrupt.img" >"$T/before"
warned corrupt-gpt 'corrupt partition table' --image "$T/corrupt.img" --keep "$T/corrupt.img"
sha256sum -c --quiet "$T/before" || fail "a disk with a corrupt partition table was written to"

cp "$T/spore.img" "$T/short.img"
truncate -s $((size - 204800)) "$T/short.img"
warned short-disk 'smaller than the image' --image "$T/short.img" --disk-size image

printf '#cloud-config\nusers: [\n  x: {\n' >"$T/user-data"
contextualize seed --no-check -u "$T/user-data" -o "$T/bad.iso" 2>"$T/seed.log"
warned bad-yaml 'user-data:[0-9]+:[0-9]+: .*not YAML' --image "$T/spore.img" --seed "$T/bad.iso"

printf 'what is this?\n' >"$T/user-data"
contextualize seed --no-check -u "$T/user-data" -o "$T/unknown.iso" 2>"$T/seed.log"
warned unknown-format 'contextualize: user-data.*what is this' --image "$T/spore.img" --seed "$T/unknown.iso"

kill "$server_pid"
failing no-server 150 '14-fetchfs' "cannot fetch http://10.0.2.2:$port/.*[Cc]onnect" --image "$T/spore.img"
