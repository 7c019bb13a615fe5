#!/bin/sh
# SPDX-License-Identifier: MIT
# The disk helper on real file systems, tables and volumes (files as disks, behind a /sys of our own): what it takes, what it makes, and that
# nothing foreign is written to.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

command -v scratch >/dev/null || skip "build/host/bin/scratch is not built ('make test-tools')"
for tool in mke2fs e2fsck sgdisk sfdisk; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
export SPORE_ROOT="$T"
mkdir -p "$T/dev" "$T/sys/block"

# disk NAME SIZE: an empty one
disk() {
	rm -rf "${T:?}/sys/block/$1" "${T:?}/dev/$1"
	mkdir -p "$T/sys/block/$1"
	truncate -s "$2" "$T/dev/$1"
	resize "$1"
	echo 0 >"$T/sys/block/$1/ro"
	echo 0 >"$T/sys/block/$1/removable"
}

resize() { echo $(($(stat -c %s "$T/dev/$1") / 512)) >"$T/sys/block/$1/size"; }

no_disks() { rm -rf "${T:?}/dev" "${T:?}/sys/block" && mkdir -p "$T/dev" "$T/sys/block"; }

# verdict NAME: of plan, by the device's name
verdict() { scratch plan --json | python3 -c '
import json, sys
print(",".join(p["verdict"] for p in json.load(sys.stdin)["places"] if p["name"] == sys.argv[1]))' "$1"; }

expect_verdict() {
	got=$(verdict "$1")
	[ "$got" = "$2" ] || fail "$1 is '$got', not '$2': $(scratch plan)"
}

# Content, holes included, without reading the holes.
sums() {
	for name in "$@"; do
		(cd "$T/dev" && tar --sparse --mtime=@0 -cf - "$name" | sha256sum)
	done
}
unchanged() {
	sums "$@" >"$T/after"
	diff "$T/before" "$T/after" || fail "a disk was written to that must not be: one of $*"
}

# place FILE: "OFFSET SIZE" in bytes of the scratch partition
place() {
	sfdisk -J "$1" 2>/dev/null | python3 -c '
import json, sys
for p in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if p.get("name") == "spore-scratch": print(p["start"] * 512, p["size"] * 512)'
}

# check_whole FILE: table and file system, judged by others
check_whole() {
	sgdisk -v "$1" >"$T/sgdisk" 2>&1
	grep -q 'No problems found' "$T/sgdisk" || fail "sgdisk -v: $(cat "$T/sgdisk")"
	! grep -q 'mismatch' "$T/sgdisk" || fail "sgdisk -v: $(cat "$T/sgdisk")"
	sfdisk --verify "$1" >"$T/sfdisk" 2>&1 || fail "sfdisk --verify: $(cat "$T/sfdisk")"
	place "$1" >"$T/place"
	read -r offset size <"$T/place" || fail "no partition spore-scratch in $1"
	e2fsck -fn "$1?offset=$offset" >"$T/e2fsck" 2>&1 || fail "e2fsck: $(cat "$T/e2fsck")"
	blkid -p -O "$offset" -o value -s LABEL "$1" | grep -qx SPORE_SCRATCH || fail "the label is not there: $(blkid -p -O "$offset" "$1")"
}

# image NAME: a disk of 16 MiB with an ESP as mkimage makes it
image() {
	disk "$1" 16M
	sgdisk -a 1 -n 1:128:+12M -t 1:ef00 -c 1:spore-esp "$T/dev/$1" >/dev/null
	printf 'what lies on the ESP' | dd of="$T/dev/$1" bs=1M seek=1 conv=notrunc status=none
	esp_sum=$(esp_sum "$1")
}
esp_sum() { dd if="$T/dev/$1" bs=512 skip=128 count=24576 status=none | sha256sum; }

step "foreign disks: file system, table with data, LVM, random bytes, swap, LUKS"
for name in vda vdb vdc vdd vde vdf; do
	disk $name 800M
done
mke2fs -q -F -t ext4 -L precious -E lazy_itable_init=1,lazy_journal_init=1 "$T/dev/vda"
# Blocks that are reserved but not written would look different to tar once they were read.
cp --sparse=always "$T/dev/vda" "$T/sparse" && mv "$T/sparse" "$T/dev/vda"
sgdisk -n 1:2048:+100M -c 1:data "$T/dev/vdb" >/dev/null
printf 'LABELONE\001\000\000\000\000\000\000\000\000\000\000\000\040\000\000\000LVM2 001' | dd of="$T/dev/vdc" bs=512 seek=1 conv=notrunc status=none
dd if=/dev/urandom of="$T/dev/vdd" bs=1M count=4 seek=2 conv=notrunc status=none
mkswap -q "$T/dev/vde"
printf 'LUKS\272\276\000\002' | dd of="$T/dev/vdf" conv=notrunc status=none
sums vda vdb vdc vdd vde vdf >"$T/before"
for name in vda vdc vdd vde vdf; do
	expect_verdict $name foreign
done
expect_verdict vdb1 foreign
scratch plan | grep -q '^\* RAM' || fail "with foreign disks only the choice must be RAM: $(scratch plan)"
for name in vda vdb vdc vdd vde vdf; do
	expect_failure 65 "/dev/$name" scratch prepare --no-mount --policy /dev/$name
done
scratch prepare --no-mount 2>"$T/warning" | grep -q '^ram ' || fail "prepare did not fall back to RAM"
grep -q 'warning: .*RAM.*750 MiB' "$T/warning" || fail "no loud warning: $(cat "$T/warning")"
grep -q '/dev/vdd is not empty: data at byte' "$T/warning" || fail "no reason for vdd: $(cat "$T/warning")"

step "an empty disk among them is taken; the others stay as they are"
disk vdg 2G
expect_verdict vdg empty-disk
scratch prepare --no-mount >"$T/line" 2>"$T/messages" || fail "prepare: $(cat "$T/messages")"
grep -q '^made /dev/vdg1 2.0 GiB' "$T/line" || fail "prepare said: $(cat "$T/line")"
unchanged vda vdb vdc vdd vde vdf
check_whole "$T/dev/vdg"

step "the second time it is found, and nothing is written"
sums vdg >"$T/before"
scratch prepare --no-mount | grep -q '^found /dev/vdg1 ' || fail "not found again"
unchanged vdg

step "room behind the image, once its disk is larger"
no_disks
image vda
scratch plan | grep -q '^\* RAM' || fail "no room, no RAM? $(scratch plan)"
truncate -s 3G "$T/dev/vda"
resize vda
expect_verdict vda gap
scratch prepare --no-mount --size 1G | grep -q '^made /dev/vda2 1.0 GiB (made behind the image)' || fail "not made behind the image"
check_whole "$T/dev/vda"
[ "$size" -eq 1073741824 ] || fail "--size 1G gave $size bytes"
[ "$(esp_sum vda)" = "$esp_sum" ] || fail "the ESP was written to"

step "the disk grows, scratch grows with it"
truncate -s 5G "$T/dev/vda"
resize vda
scratch grow /dev/vda2 | grep -q 'grown to 5.0 GiB' || fail "did not grow"
place "$T/dev/vda" >"$T/place"
read -r offset size <"$T/place"
[ "$size" -gt $((4900 * 1048576)) ] || fail "the partition has $size bytes"
check_whole "$T/dev/vda"
[ -z "$(scratch grow /dev/vda2)" ] || fail "it grew twice"

step "what is behind scratch and not ours stops the growth"
truncate -s 6G "$T/dev/vda"
resize vda
printf 'x' | dd of="$T/dev/vda" bs=1M seek=$((5 * 1024 + 1)) conv=notrunc status=none
expect_failure 73 'is not empty \(data at byte' scratch grow /dev/vda2

step "a power cut: each state that making scratch passes through is taken up again"
no_disks
disk vda 2G
scratch prepare --no-mount >/dev/null
read -r offset size <<END
$(place "$T/dev/vda")
END
cp --sparse=always "$T/dev/vda" "$T/whole"
# No label yet; no file system yet; the first table not yet written; the header of the second not yet written.
mke2fs -q -F -t ext4 -E offset="$offset" "$T/dev/vda" $((size / 1024))k 2>/dev/null
expect_verdict vda1 begun
fallocate -p -o "$offset" -l 8192 "$T/dev/vda"
expect_verdict vda1 begun
fallocate -p -o 0 -l $((34 * 512)) "$T/dev/vda"
scratch plan | grep -Eq '^\* vda1? +(begun|empty-disk)' || fail "after a cut in the middle of the table: $(scratch plan)"
scratch prepare --no-mount | grep -q '^made /dev/vda1' || fail "not made again"

step "an existing scratch on any disk comes before new ones; an own policy names others"
no_disks
disk vda 2G
cp --sparse=always "$T/whole" "$T/dev/vdb"
mkdir -p "$T/sys/block/vdb"
cp "$T/sys/block/vda/ro" "$T/sys/block/vda/removable" "$T/sys/block/vdb/"
resize vdb
scratch prepare --no-mount | grep -q '^found /dev/vdb1' || fail "did not find scratch on the second disk: $(scratch plan)"
expect_failure 65 "labelled 'OTHER'" scratch prepare --no-mount --policy LABEL=OTHER
expect_failure 65 "no disk or partition 'vdz'" scratch prepare --no-mount --policy /dev/vdz
expect_failure 78 'no scratch policy' scratch prepare --no-mount --policy always
expect_failure 64 'no number' scratch prepare --no-mount --size huge
scratch prepare --no-mount --policy ram 2>"$T/warning" | grep -q '^ram ' || fail "policy ram"
[ ! -s "$T/warning" ] || fail "RAM was asked for; no warning is due: $(cat "$T/warning")"

step "a corrupt table, an image cut short"
no_disks
image vda
truncate -s 3G "$T/dev/vda"
resize vda
printf '\377' | dd of="$T/dev/vda" bs=1 seek=600 conv=notrunc status=none
sums vda >"$T/before"
scratch prepare --no-mount 2>"$T/warning" | grep -q '^ram ' || fail "a corrupt table was used"
grep -q '/dev/vda has a corrupt partition table' "$T/warning" || fail "nothing said of the corrupt table: $(cat "$T/warning")"
unchanged vda
no_disks
image vda
truncate -s 8M "$T/dev/vda"
resize vda
scratch prepare --no-mount 2>"$T/warning" | grep -q '^ram ' || fail "an image cut short was used"
grep -q '/dev/vda is smaller than the image' "$T/warning" || fail "nothing said of the disk's size: $(cat "$T/warning")"
