#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a PE file that objcopy wrote independent of when it was written: the time stamp and the checksum over it become 0 (no firmware reads
# either). Fails where the file is no PE.
set -eu

file=$1

# number OFFSET SIZE: little-endian, unsigned.
number() { od -An -v -t "u$2" -j "$1" -N "$2" --endian=little "$file" | tr -d ' \n'; }
zero() { dd if=/dev/zero of="$file" bs=1 seek="$1" count=4 conv=notrunc status=none; }

pe=$(number 60 4)
# "PE\0\0"
[ "$(number "$pe" 4)" = 17744 ] || {
	echo "pe-finish.sh: $file is no PE file" >&2
	exit 1
}
zero $((pe + 8))
# The optional header begins 24 bytes behind the signature, its checksum 64 bytes further on, in PE32 and PE32+ alike.
zero $((pe + 24 + 64))
