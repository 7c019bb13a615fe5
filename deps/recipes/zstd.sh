# SPDX-License-Identifier: MIT
# zstd: fetchfs' objects. Decompression only (the guest publishes nothing), and for speed, not for size:
# every byte of a cold boot passes through it.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:libzstd
NEEDS=headers

build() {
	compile_library libzstd.a -O2 -DZSTD_LEGACY_SUPPORT=0 -DZSTD_MULTITHREAD=0 -DXXH_NAMESPACE=ZSTD_ -DDEBUGLEVEL=0 \
		$(ls lib/common/*.c lib/decompress/*.c lib/decompress/*.S)
	install_headers lib zstd.h zstd_errors.h
}
