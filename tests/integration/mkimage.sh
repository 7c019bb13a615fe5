#!/bin/sh
# SPDX-License-Identifier: MIT
# mkimage: what it builds is sound in the eyes of other programs (sgdisk, sfdisk, fsck.fat, mtools), the same from everywhere, and whatever is wrong
# with its inputs or with an image is told. Kernel and loader are stand-ins made here: only their headers matter.
. "$(dirname "$0")/../functions.sh"

for judge in sgdisk sfdisk fsck.fat mdir mcopy; do
	command -v $judge >/dev/null || skip "$judge is not installed"
done
unset SOURCE_DATE_EPOCH
IN=$T/in B=$T/build
conf=$SPORE_TOP/images/default.conf

# put FILE OFFSET OCTAL-ESCAPES: bytes into a file.
# shellcheck disable=SC2059 # the escapes are the format
put() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# make_pe FILE SIZE: an EFI application for x86-64, as far as headers go.
make_pe() {
	dd if=/dev/urandom of="$1" bs=1024 count="$2" status=none
	dd if=/dev/zero of="$1" bs=1024 count=1 conv=notrunc status=none
	put "$1" 0 'MZ'
	put "$1" 60 '\100\0\0\0'
	put "$1" 64 'PE\0\0\144\206\0\0'
	put "$1" 84 '\160\0\0\0\013\002'
	put "$1" 156 '\012\0'
}

make_kernel() {
	make_pe "$1" 3000
	put "$1" 497 '\001'
	put "$1" 510 '\125\252'
	put "$1" 514 'HdrS\017\002'
	put "$1" 526 '\0\001'
	put "$1" 529 '\001'
	put "$1" 768 '6.12.0-test #1\0'
}

make_inputs() {
	mkdir -p "$IN" "$B/x86_64/guest"
	make_kernel "$B/x86_64/linux"
	make_pe "$B/x86_64/BOOTX64.EFI" 20
	cp "$(command -v mkimage)" "$B/x86_64/guest/program"
	echo '#!/bin/program' >"$IN/init"
	printf 'dir /proc 0555\nfile /init 0755 init\nfile /bin/program 0755 @GUEST@/program\nlink /bin/sh program\nnod /dev/console 0600 c 5 1\n' >"$IN/recipe"
	printf 'untrusted comment: test\nRWQxMjM0NTY3OGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1\n' >"$IN/test key.pub"
	cp "$IN/test key.pub" "$IN/test.pub"
}

# build ARGUMENT...: with all that is needed; later --set stand over earlier ones.
build() {
	mkimage build -a x86_64 -d "$conf" --build-dir "$B" --set "recipe=$IN/recipe" --set repository=http://repo.example/debian \
		--set "key=$IN/test.pub" "$@"
}

# esp_of IMAGE FILE: cuts the ESP out.
esp_of() {
	set -- "$1" "$2" "$(sfdisk -d "$1" 2>/dev/null | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*/\1 \2/p')"
	dd if="$1" of="$2" bs=512 skip="${3% *}" count="${3#* }" status=none
}

judge() {
	sgdisk -v "$1" >"$T/sgdisk" 2>&1
	grep -q 'No problems found' "$T/sgdisk" || fail "sgdisk: $(cat "$T/sgdisk")"
	if grep -qiE 'caution|warning|problem:' "$T/sgdisk"; then fail "sgdisk: $(cat "$T/sgdisk")"; fi
	sfdisk --verify "$1" >"$T/sfdisk" 2>&1 || fail "sfdisk: $(cat "$T/sfdisk")"
	grep -q 'No errors detected' "$T/sfdisk" || fail "sfdisk: $(cat "$T/sfdisk")"
	esp_of "$1" "$T/esp"
	fsck.fat -n "$T/esp" >"$T/fsck" 2>&1 || fail "fsck.fat: $(cat "$T/fsck")"
	mkimage verify -q "$1" || fail "mkimage verify finds fault with $1"
}

make_inputs

step "an image is sound for sgdisk, sfdisk, fsck.fat and mtools"
build -q
image=$B/images/spore-x86_64.img
judge "$image"
mdir -b -/ -i "$T/esp" :: | sort >"$T/listing"
printf '%s\n' ::/EFI/ ::/EFI/BOOT/ ::/EFI/BOOT/BOOTX64.EFI ::/spore/ ::/spore/boot.conf ::/spore/keys/ ::/spore/keys/test.pub ::/spore/x86_64/ \
	::/spore/x86_64/initrd ::/spore/x86_64/linux ::/startup.nsh | sort >"$T/expected"
diff "$T/expected" "$T/listing" || fail "mdir lists other files"
mcopy -n -i "$T/esp" ::spore/x86_64/linux "$T/linux"
cmp "$T/linux" "$B/x86_64/linux"
mcopy -n -i "$T/esp" ::EFI/BOOT/BOOTX64.EFI "$T/loader"
cmp "$T/loader" "$B/x86_64/BOOTX64.EFI"
mcopy -n -i "$T/esp" ::spore/keys/test.pub "$T/key"
cmp "$T/key" "$IN/test.pub"

step "the initrd has the recipe's entries, the settings and the key"
mcopy -n -i "$T/esp" ::spore/x86_64/initrd "$T/initrd"
zstd -dcq "$T/initrd" >"$T/cpio"
(mkdir "$T/x" && cd "$T/x" && bsdtar -xf ../cpio --exclude dev 2>/dev/null) || fail "bsdtar cannot read the archive"
cmp "$T/x/bin/program" "$B/x86_64/guest/program"
[ "$(readlink "$T/x/bin/sh")" = program ] || fail "the link is not there"
cmp "$T/x/etc/spore/keys/test.pub" "$IN/test.pub"
grep -qx 'repository=http://repo.example/debian' "$T/x/etc/spore/image.conf" || fail "no repository in image.conf"
[ "$(stat -c %Y "$T/x/etc/spore/image.conf")" = 1577836800 ] || fail "image.conf has not the fixed date"
bsdtar -tvf "$T/cpio" >"$T/names"
grep -qE '^crw------- +[0-9]+ 0 +0 +5,1 .* dev/console$' "$T/names" || fail "no console node: $(cat "$T/names")"

step "what the machine needs to be let in: in the initrd, for root alone; nothing changes without it"
for name in ca cert key; do printf -- '-----BEGIN %s-----\nabc\n' $name >"$IN/$name.pem"; done
echo token >"$IN/token"
echo 'X-Site: one' >"$IN/headers"
build -q -o "$T/access.img" --set "cafile=$IN/ca.pem" --set "cert=$IN/cert.pem" --set "certkey=$IN/key.pem" --set "credentials=$IN/token" --set "headers=$IN/headers"
mcopy -n -i "$T/access.img@@65536" ::spore/x86_64/initrd "$T/initrd-access"
zstd -dcq "$T/initrd-access" >"$T/cpio-access"
bsdtar -tvf "$T/cpio-access" >"$T/names"
for name in cert.pem key.pem credentials headers; do
	grep -qE "^-rw------- .* etc/spore/access/$name\$" "$T/names" || fail "$name: $(cat "$T/names")"
done
grep -qE '^-r--r--r-- .* etc/spore/access/ca.pem$' "$T/names" || fail "ca.pem: $(cat "$T/names")"
(mkdir "$T/y" && cd "$T/y" && bsdtar -xf ../cpio-access --exclude dev 2>/dev/null) || fail "bsdtar cannot read the archive"
cmp "$T/y/etc/spore/access/credentials" "$IN/token"
grep -qx 'certkey=/etc/spore/access/key.pem' "$T/y/etc/spore/image.conf" || fail "$(cat "$T/y/etc/spore/image.conf")"
[ ! -e "$T/x/etc/spore/access" ] || fail "there is access where none is given"
grep -q access "$T/x/etc/spore/image.conf" && fail "access where none is given: $(cat "$T/x/etc/spore/image.conf")"
build -q -o "$T/plain-1.img"
build -q -o "$T/plain-2.img" --set cafile= --set headers=
cmp "$T/plain-1.img" "$T/plain-2.img" || fail "an image with empty settings differs"
expect_failure 66 'cannot read the client key /none.pem \(--set: certkey\)' build --set "cert=$IN/cert.pem" --set certkey=/none.pem
expect_failure 65 'is no PEM file' build --set "cafile=$IN/init"
expect_failure 78 'certkey is given without cert' build --set "certkey=$IN/key.pem"

step "boot.conf holds the command line with its consoles"
build -q -o "$T/c.img" --set 'cmdline=quiet spore.x=1' --set 'console=hvc0' --set timeout=3
mcopy -n -i "$T/c.img@@65536" ::spore/boot.conf "$T/boot.conf"
grep -qx '    options quiet spore.x=1 console=hvc0' "$T/boot.conf" || fail "$(cat "$T/boot.conf")"
grep -qx '    options quiet spore.x=1 console=hvc0 spore.shell=yes loglevel=7' "$T/boot.conf" || fail "$(cat "$T/boot.conf")"
grep -qx 'timeout 3' "$T/boot.conf" || fail "$(cat "$T/boot.conf")"

step "every FAT type and compression"
for fat in 12 16 32; do
	build -q -o "$T/fat.img" --set fat=$fat --set initrd_compression=xz
	judge "$T/fat.img"
	mkimage inspect "$T/fat.img" | grep -q "ESP: FAT$fat " || fail "no FAT$fat"
done
mcopy -n -i "$T/fat.img@@65536" ::spore/x86_64/initrd "$T/initrd.xz"
xz -lvv "$T/initrd.xz" | grep -q CRC32 || fail "the kernel wants CRC32 in xz"
xz -dc <"$T/initrd.xz" | cmp - "$T/cpio"

step "the same bytes from another directory, umask, time zone and user"
build -q -o "$T/a.img"
cp -r "$IN" "$T/in2" && cp -r "$B" "$T/build2" && cp "$conf" "$T/in2/other.conf"
# Another directory also for the inputs, at another time.
find "$T/in2" "$T/build2" -exec touch -d '2001-02-03' {} +
chmod -R a+rX "$T" && mkdir -m 0777 "$T/out"
second() {
	cd / && umask "$1" && export TZ="$2" && shift 2 &&
		"$@" mkimage build -q -a x86_64 -d "$T/in2/other.conf" --build-dir "$T/build2" --set "recipe=$T/in2/recipe" \
			--set repository=http://repo.example/debian --set "key=$T/in2/test.pub" -o "$T/out/b.img"
}
(second 0077 Pacific/Kiritimati env)
cmp "$T/a.img" "$T/out/b.img"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	rm "$T/out/b.img"
	cp "$(command -v mkimage)" "$T/out/mkimage" && chmod 0755 "$T/out/mkimage"
	(export PATH="$T/out:$PATH" && second 0022 America/St_Johns setpriv --reuid=65534 --regid=65534 --clear-groups)
	cmp "$T/a.img" "$T/out/b.img"
	[ "$(stat -c %u "$T/out/b.img")" = 65534 ] || fail "not built by the other user"
fi

step "SOURCE_DATE_EPOCH and contents change identifiers and times; nothing else does"
SOURCE_DATE_EPOCH=1700000000 build -q -o "$T/d.img"
judge "$T/d.img"
mdir -i "$T/d.img@@65536" :: | grep -q '2023-11-14' || fail "the date on FAT is not SOURCE_DATE_EPOCH's"
[ "$(sgdisk -p "$T/a.img" | grep -i guid)" != "$(sgdisk -p "$T/d.img" | grep -i guid)" ] || fail "two contents, one disk GUID"
SOURCE_DATE_EPOCH=x expect_failure 64 'SOURCE_DATE_EPOCH=x is no number' build -o "$T/no.img"

step "inspect and --json"
mkimage inspect "$T/a.img" >"$T/text"
grep -q 'version 6.12.0-test #1' "$T/text" || fail "no kernel version"
mkimage inspect --json --list "$T/a.img" >"$T/json"
python3 - "$T/json" "$T/a.img" <<-'END'
	import json, os, sys
	j = json.load(open(sys.argv[1]))
	assert j["size"] == os.path.getsize(sys.argv[2]) and j["errors"] == 0
	assert j["partitions"][0]["name"] == "spore-esp" and j["partitions"][0]["first"] == 128
	assert [e["name"] for e in j["boot"]["entries"]] == ["spore", "spore-debug"] and j["boot"]["entries"][0]["default"]
	i = j["initrds"][0]
	assert i["compression"] == "zstd" and "init" in [f["path"] for f in i["list"]] and i["files"] == len(i["list"])
	assert j["kernels"][0]["size"] == 3000 * 1024
END
build --json --dry-run -o "$T/dry.img" >"$T/json"
[ ! -e "$T/dry.img" ] || fail "--dry-run has written"
python3 -c "import json,sys; j=json.load(open(sys.argv[1])); assert j['dry_run'] and j['size']==int(sys.argv[2])" "$T/json" "$(stat -c %s "$T/a.img")"

step "what is wrong with the inputs is told, and nothing is written"
expect_failure 64 "architecture 'sparc' is not known; known: x86_64" mkimage build -a sparc
expect_failure 64 'no architecture: give one with -a; known: x86_64' mkimage build
expect_failure 64 "format 'vhdx' is not known; known: raw" build -f vhdx
expect_failure 66 'cannot read the image definition .*/none.conf' mkimage build -a x86_64 -d "$T/none.conf"
printf 'name = x\nrepositry = http://x\n' >"$T/bad.conf"
expect_failure 78 "bad.conf:2: unknown key 'repositry'; did you mean 'repository'" mkimage build -a x86_64 -d "$T/bad.conf"
expect_failure 78 'no repository: set' mkimage build -a x86_64 -d "$conf"
expect_failure 78 '--set: repository = x: a URL begins with http' build --set repository=x
expect_failure 78 'no key: an image needs' build --set key=
expect_failure 66 'cannot read the public key /none.pub \(--set: key\)' build --set key=/none.pub
expect_failure 65 'is no public key in signify' build --set "key=$IN/init"
expect_failure 66 'the kernel /none is not there .*make kernel' build --set kernel=/none
expect_failure 65 "the kernel .* is no bzImage: it has no boot header" build --set "kernel=$B/x86_64/BOOTX64.EFI"
expect_failure 66 'the boot loader /none is not there' build --set loader=/none
expect_failure 65 'is no PE file' build --set "loader=$IN/init"
expect_failure 66 'guest program .*/none/program is not there: build it first' build --set guest="$T/none"
truncate -s 4G "$T/huge"
expect_failure 65 'too large: a file on FAT has less than 4 GiB' build --set "kernel=$T/huge"
rm "$T/huge"
expect_failure 73 'cannot write the image /nonexistent/x.img: No such file' build -o /nonexistent/x.img
(
	ulimit -f 100
	expect_failure 73 'cannot write the image .*c.img: File too large; what was there before is unchanged' build -o "$T/c.img"
)
mkimage verify -q "$T/c.img" || fail "the old image was harmed"
if [ "$(id -u)" -eq 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=1m tmpfs "$T/small" 2>/dev/null; then
	unmount_with_test "$T/small"
	expect_failure 73 'no space left on the disk: free some' build -o "$T/small/x.img"
	[ -z "$(ls "$T/small")" ] || fail "a half-written image was left: $(ls "$T/small")"
fi
[ -z "$(find "$T" -maxdepth 1 -name '*.tmp-*')" ] || fail "temporary files were left"

step "verify finds what is wrong with an image"
# damaged OFFSET BYTES PATTERN: one change of a sound image.
damaged() {
	cp "$T/a.img" "$T/bad.img"
	put "$T/bad.img" "$1" "$2"
	expect_failure 65 "$3" mkimage verify "$T/bad.img"
}
size=$(stat -c %s "$T/a.img")
damaged 520 '\377' 'partition table: the primary table is corrupt'
damaged $((size - 500)) '\377' 'partition table: the backup is missing'
damaged 450 '\0' 'no protective entry'
damaged $((65536 + 12)) '\0' 'ESP: no FAT volume: .*sector size'
damaged $((65536 + 1024 + 40)) '\377\1' 'ESP: the two copies of the FAT differ'
printf 'entry a\nlinux /none\n' >"$T/boot.conf"
replace() {
	cp "$T/a.img" "$T/bad.img"
	mcopy -D o -i "$T/bad.img@@65536" "$1" "::$2"
	expect_failure 65 "$3" mkimage verify "$T/bad.img"
}
replace "$T/boot.conf" spore/boot.conf '/none: named by boot.conf and not on the ESP'
printf 'entry a\nlinux spore\n' >"$T/boot.conf"
replace "$T/boot.conf" spore/boot.conf "/spore/boot.conf:2: a path begins with '/'"
head -c 3000 "$T/initrd" >"$T/cut"
replace "$T/cut" spore/x86_64/initrd '/spore/x86_64/initrd: no initrd:'
echo none | bsdtar -cf "$T/noinit" --format newc -C "$IN" recipe
replace "$T/noinit" spore/x86_64/initrd '/spore/x86_64/initrd: has no /init'
replace "$IN/init" EFI/BOOT/BOOTX64.EFI 'no PE file'
replace "$IN/init" spore/x86_64/linux 'no bzImage'
head -c 1000000 "$T/a.img" >"$T/bad.img"
expect_failure 65 'cut short' mkimage verify "$T/bad.img"
: >"$T/empty"
expect_failure 65 'is empty' mkimage verify "$T/empty"
expect_failure 65 'no GUID partition table' mkimage verify "$IN/recipe"
expect_failure 66 'cannot open the image /nonexistent' mkimage verify /nonexistent
expect_failure 66 'cannot open the image' mkimage inspect "$T"

step "a grown disk is told, and is no error"
cp "$T/a.img" "$T/grown.img" && truncate -s 64M "$T/grown.img"
mkimage verify "$T/grown.img" 2>"$T/output" || fail "$(cat "$T/output")"
grep -q 'warning: .*the disk has grown' "$T/output" || fail "$(cat "$T/output")"
