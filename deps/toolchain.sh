#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's compiler and flags, for one architecture: sourced by the scripts here (toolchain ARCH), or
# run by make as `toolchain.sh ARCH VARIABLE` to print one of them.
# Knows: deps/arch.table and what makes static programs small and reproducible. Must not know: any library.
#
# shellcheck shell=sh disable=SC2034 # variables for the scripts that source this

toolchain_dir=${DEPS_DIR:-$(dirname "$0")}

# Sets TRIPLET KARCH CPU_FAMILY CC AR RANLIB NM LD STRIP OBJCOPY GUEST_OPT GUEST_LDFLAGS.
toolchain() {
	# shellcheck disable=SC2046 # three words of a table of ours
	set -- "$1" $(awk -v a="$1" '$1 == a { print $2, $3, $4 }' "$toolchain_dir/arch.table")
	[ $# -eq 4 ] || {
		echo "toolchain: architecture '$1' is not in deps/arch.table" >&2
		return 1
	}
	TRIPLET=$2 KARCH=$3 CPU_FAMILY=$4
	CC=$TRIPLET-gcc
	AR=$(toolchain_program ar) RANLIB=$(toolchain_program ranlib) NM=$(toolchain_program nm)
	LD=$(toolchain_program ld) STRIP=$(toolchain_program strip) OBJCOPY=$(toolchain_program objcopy)
	# Small: -Os, one section per function so that the linker drops what nobody calls, no unwind tables
	# (nothing here unwinds), no position independence in a program that is one static file.
	GUEST_OPT='-Os -pipe -fno-pie -ffunction-sections -fdata-sections'
	GUEST_OPT="$GUEST_OPT -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-ident"
	GUEST_OPT="$GUEST_OPT -Wformat -Werror=format-security"
	# Hardening that costs no bytes: no executable stack, relocations read-only.
	GUEST_LDFLAGS='-static -no-pie -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now'
	GUEST_LDFLAGS="$GUEST_LDFLAGS -Wl,--build-id=none -Wl,--hash-style=gnu"
}

# The binutils that belong to the compiler (a cross compiler has its own).
toolchain_program() {
	if command -v "$CC" >/dev/null 2>&1; then "$CC" -print-prog-name="$1"; else echo "$1"; fi
}

# What identifies the compiler and the C library, for cache keys.
toolchain_identity() {
	"$CC" -v 2>&1 | grep -v '^Reading\|^COLLECT\|^rename'
	"$LD" --version | head -n 1
	sha256sum "$("$CC" -print-file-name=libc.a)" 2>/dev/null || :
	dpkg-query -W -f '${Package}:${Architecture} ${Version}\n' musl-dev 2>/dev/null || :
	echo "$GUEST_OPT $GUEST_LDFLAGS"
}

case ${0##*/} in
toolchain.sh)
	toolchain "$1"
	case $2 in
	TRIPLET) echo "$TRIPLET" ;;
	CC) echo "$CC" ;;
	AR) echo "$AR" ;;
	STRIP) echo "$STRIP" ;;
	OPT) echo "$GUEST_OPT" ;;
	LDFLAGS) echo "$GUEST_LDFLAGS" ;;
	*) echo "toolchain.sh: no variable '$2'" >&2; exit 2 ;;
	esac
	;;
esac
