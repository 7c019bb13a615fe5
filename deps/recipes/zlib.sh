# SPDX-License-Identifier: MIT
# zlib: user data that is compressed with gzip. Nothing else in the guest uses that format.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:zlib
NEEDS=headers

build() {
	compile_library libz.a -D_LARGEFILE64_SOURCE=1 -DHAVE_HIDDEN -DHAVE_UNISTD_H \
		adler32.c compress.c crc32.c deflate.c infback.c inffast.c inflate.c inftrees.c trees.c uncompr.c zutil.c \
		gzclose.c gzlib.c gzread.c gzwrite.c
	install_headers . zlib.h zconf.h
}
