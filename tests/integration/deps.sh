#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's libraries and programs (deps/): all there, static, and they run. And: installing the host packages again does nothing.
. "$(dirname "$0")/../functions.sh"

ARCH=${ARCH:-x86_64}
prefix=build/$ARCH/deps
guest=build/$ARCH/guest
[ -e "$prefix/lib" ] || skip "no $prefix: run make deps"
cc=$(deps/toolchain.sh "$ARCH" CC)
read -r options <<-EOF
	$(deps/toolchain.sh "$ARCH" OPT)
EOF
read -r link_options <<-EOF
	$(deps/toolchain.sh "$ARCH" LDFLAGS)
EOF

is_static() {
	if LC_ALL=C readelf -lW "$1" | grep -q 'INTERP'; then fail "$1 asks for a dynamic linker"; fi
	if LC_ALL=C readelf -dW "$1" | grep -q 'NEEDED'; then fail "$1 needs shared libraries"; fi
}

step "every library is in the prefix"
for library in z zstd mbedtls nghttp2 curl fuse3 sodium yaml jansson ext2fs e2p blkid uuid com_err; do
	[ -s "$prefix/lib/lib$library.a" ] || fail "no $prefix/lib/lib$library.a"
done
for header in zlib.h zstd.h curl/curl.h fuse3/fuse_lowlevel.h sodium.h yaml.h jansson.h ext2fs/ext2fs.h blkid/blkid.h \
	linux/fuse.h linux/blkpg.h; do
	[ -s "$prefix/include/$header" ] || fail "no $prefix/include/$header"
done
grep -q fuse_passthrough_open "$prefix/include/fuse3/fuse_lowlevel.h" || fail "libfuse has no passthrough"

step "no path of the machine that built them is in them"
for file in "$prefix"/lib/*.a "$prefix/bin/busybox" "$prefix/bin/e2fsprogs"; do
	if grep -q -a -F -e "$HOME/" -e '.work-' "$file"; then fail "$file names a directory of the build"; fi
done

step "a program with all of them links, is static and runs"
cat >"$T/all.c" <<-'EOF'
	#include <curl/curl.h>
	#include <fuse3/fuse_lowlevel.h>
	#include <jansson.h>
	#include <sodium.h>
	#include <stdio.h>
	#include <string.h>
	#include <yaml.h>
	#include <zlib.h>
	#include <zstd.h>

	int main(void)
	{
		const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
		yaml_parser_t parser;
		unsigned char hash[32], out[8];

		if (curl_global_init(CURL_GLOBAL_DEFAULT) || sodium_init() < 0 || !yaml_parser_initialize(&parser))
			return 1;
		crypto_generichash_blake2b(hash, sizeof(hash), (const unsigned char *)"abc", 3, NULL, 0);
		if (hash[0] != 0xbd || hash[1] != 0xdd || hash[31] != 0x19)
			return 2;
		if (!ZSTD_isError(ZSTD_decompress(out, sizeof(out), "no", 2)) || crc32(0, (const Bytef *)"a", 1) != 0xe8b7be43)
			return 3;
		if (!(curl->features & CURL_VERSION_HTTP2) || !(curl->features & CURL_VERSION_IPV6) ||
		    !(curl->features & CURL_VERSION_ASYNCHDNS))
			return 4;
		for (const char *const *p = curl->protocols; *p; p++)
			printf("%s ", *p);
		printf("%s jansson-%s fuse-%s\n", curl->ssl_version, jansson_version_str(), fuse_pkgversion());
		return 0;
	}
EOF
# shellcheck disable=SC2086 # lists of flags
"$cc" $options -isystem "$prefix/include" -D_GNU_SOURCE -DFUSE_USE_VERSION=317 -DCURL_STATICLIB $link_options -L"$prefix/lib" \
	-o "$T/all" "$T/all.c" -lcurl -lmbedtls -lnghttp2 -lfuse3 -lsodium -lzstd -lz -lyaml -ljansson -lpthread
is_static "$T/all"
if [ "$ARCH" = "$(uname -m)" ]; then
	said=$("$T/all") || fail "the program with all libraries exits with $?"
	case $said in
	'file http https mbedTLS/3.'*' fuse-3.1'*) ;;
	*) fail "the libraries say: $said" ;;
	esac
fi

step "busybox and e2fsprogs are static"
for program in busybox e2fsprogs mke2fs e2fsck resize2fs; do
	[ -x "$guest/$program" ] || fail "no $guest/$program"
	is_static "$guest/$program"
done
[ "$ARCH" = "$(uname -m)" ] || exit 0

step "busybox has what the stages call"
for applet in ash mount umount switch_root udhcpc udhcpc6 ip blkid findfs losetup ntpd awk sed find mountpoint timeout setsid \
	cttyhack poweroff sysctl blockdev stat; do
	grep -q -x "$applet" "$guest/busybox.applets" || fail "busybox has no $applet"
done
# shellcheck disable=SC2016 # for busybox
said=$("$guest/busybox" ash -c 'set -eu; x=$((6 * 7)); printf "%s\n" "$x" "$(echo a:b | busybox_is_absent 2>/dev/null || echo ok)"' | tr '\n' ' ')
[ "$said" = "42 ok " ] || fail "busybox's shell said '$said'"

step "mke2fs makes what e2fsck accepts, resize2fs grows it"
truncate -s 64M "$T/disk"
"$guest/mke2fs" -q -t ext4 -L SPORE_SCRATCH "$T/disk"
LC_ALL=C file -b "$T/disk" | grep -q 'ext4.*SPORE_SCRATCH' || fail "mke2fs made $(file -b "$T/disk")"
"$guest/e2fsck" -fn "$T/disk" >/dev/null
truncate -s 96M "$T/disk"
"$guest/resize2fs" "$T/disk" >"$T/resize" 2>&1 || fail "resize2fs: $(cat "$T/resize")"
/sbin/e2fsck -fn "$T/disk" >"$T/fsck" 2>&1 || fail "the host's e2fsck says: $(cat "$T/fsck")"
printf '\377\377\377\377' | dd of="$T/disk" bs=1 seek=1040 conv=notrunc 2>/dev/null
if "$guest/e2fsck" -fn "$T/disk" >/dev/null 2>&1; then fail "e2fsck accepts a damaged superblock"; fi

step "building again does nothing"
before=$(readlink "$prefix")
deps/build-deps.sh "$ARCH" >"$T/again" 2>"$T/again.messages"
if grep -qE ': [0-9]+ s$' "$T/again.messages"; then fail "a second build said: $(cat "$T/again.messages")"; fi
[ "$(cat "$T/again")" = "$before" ] || fail "a second build gives $(cat "$T/again") instead of $before"

step "installing the host packages again does nothing"
said=$(deps/install-packages.sh all 2>&1)
[ -z "$said" ] || fail "deps/install-packages.sh said: $said"
expect_failure 64 "no group" deps/install-packages.sh everything

step "the flags of a calling make do not reach a library's own"
mkdir "$T/deps" "$T/cache"
cp -r deps/. "$T/deps"
cat >"$T/deps/recipes/suffix.sh" <<'EOF'
PACKAGE=binary:linux-libc-dev
NEEDS=
build() {
	printf '.c.o:\n\t%s -c $<\nanswer.o:\n' "$CC" >Makefile
	echo 'int answer = 42;' >answer.c
	make answer.o
	mkdir "$OUT/lib"
	cp answer.o "$OUT/lib/"
}
EOF
mkdir "$T/cache/spore"
ln -s "${XDG_CACHE_HOME:-$HOME/.cache}/spore/sources" "${XDG_CACHE_HOME:-$HOME/.cache}/spore/apt" "$T/cache/spore/"
printf 'all:\n\t%s/deps/build-one.sh %s suffix\n' "$T" "$ARCH" >"$T/Makefile"
XDG_CACHE_HOME=$T/cache make -s --no-builtin-rules -f "$T/Makefile" >"$T/suffix" 2>"$T/suffix.messages" || fail "$(cat "$T/suffix.messages")"
[ -s "$(cat "$T/suffix")/lib/answer.o" ] || fail "the recipe's make compiled nothing: $(cat "$T/suffix.messages")"

step "other libraries: all of the guest's programs are made anew"
make -n -W "build/$ARCH/deps.key" "ARCH=$ARCH" guest >"$T/plan"
grep -q "GUESTCC.*cache.o" "$T/plan" || fail "nothing would be compiled"
grep -q "LINK.*guest/spore" "$T/plan" || fail "nothing would be linked"
