# SPDX-License-Identifier: MIT
# libsodium: BLAKE2b for content, Ed25519 for manifests. The portable code without the SIMD variants: the guest needs few
# primitives, and one variant of each keeps them small. The content digest is compiled for speed.
# shellcheck shell=sh disable=SC2010,SC2034,SC2046,SC2086,SC2154,SC2164 # variables and lists shared with build-one.sh
PACKAGE=source:libsodium
NEEDS=headers

build() {
	cd src/libsodium
	version=$(sed -n 's/^AC_INIT(\[libsodium\],\[\([0-9.]*\)\].*/\1/p' ../../configure.ac)
	major=$(sed -n 's/^SODIUM_LIBRARY_VERSION_MAJOR=//p' ../../configure.ac)
	minor=$(sed -n 's/^SODIUM_LIBRARY_VERSION_MINOR=//p' ../../configure.ac)
	[ -n "$version" ] && [ -n "$major" ] && [ -n "$minor" ]
	sed -e "s/@VERSION@/$version/" -e "s/@SODIUM_LIBRARY_VERSION_MAJOR@/$major/" \
		-e "s/@SODIUM_LIBRARY_VERSION_MINOR@/$minor/" -e 's/@SODIUM_LIBRARY_MINIMAL_DEF@//' \
		include/sodium/version.h.in >include/sodium/version.h
	defines='-DCONFIGURED=1 -DHAVE_PTHREAD=1 -DHAVE_WEAK_SYMBOLS=1 -DHAVE_C_VARARRAYS=1 -DHAVE_SYS_MMAN_H=1 -DHAVE_MMAP=1
		-DHAVE_MPROTECT=1 -DHAVE_MLOCK=1 -DHAVE_MADVISE=1 -DHAVE_POSIX_MEMALIGN=1 -DHAVE_GETPID=1 -DHAVE_NANOSLEEP=1
		-DHAVE_SYS_RANDOM_H=1 -DHAVE_GETRANDOM=1 -DHAVE_LINUX_COMPATIBLE_GETRANDOM=1 -DHAVE_EXPLICIT_BZERO=1
		-DHAVE_INLINE_ASM=1 -DHAVE_ATOMIC_OPS=1 -DHAVE_ALLOCA_H=1 -DHAVE_ALLOCA=1 -DNATIVE_LITTLE_ENDIAN=1 -DTLS=_Thread_local'
	if echo __SIZEOF_INT128__ | "$CC" -E -P - | grep -q '^[0-9]'; then
		defines="$defines -DHAVE_TI_MODE=1"
	fi
	sources=$(find . -name '*.c' | sort | grep -v -e '/sse/' -e '/sandy2x/' -e '/xmm6/' -e '/xmm6int/' -e 'ssse3' -e 'sse2' \
		-e 'sse41' -e 'avx2' -e 'avx512' -e '/aesni/' -e '/dolbeau/' -e '/blake2b/ref/' -e scrypt)
	include='-Iinclude -Iinclude/sodium'
	compile_objects $include $defines -O2 $(ls crypto_generichash/blake2b/ref/blake2b-compress-ref.c \
		crypto_generichash/blake2b/ref/blake2b-ref.c crypto_generichash/blake2b/ref/generichash_blake2b.c)
	compile_library libsodium.a $include $defines $sources
	(cd include && find sodium.h sodium -name '*.h' ! -path '*/private/*' | sort) |
		while read -r header; do install_headers include "$header"; done
}
