# SPDX-License-Identifier: MIT
# The kernel's user headers (linux/*.h): musl brings none. From one package for all architectures, of a
# kernel as new as the guest's, so that the host's own kernel headers never show.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=binary:linux-libc-dev
NEEDS=

build() {
	dpkg-deb --fsys-tarfile "$PACKAGE_FILE" | tar -x -f - ./usr/include ./usr/lib/linux
	mkdir -p "$OUT/include"
	cp -RL usr/include/linux usr/include/asm-generic usr/include/mtd usr/include/misc \
		"usr/lib/linux/uapi/$KARCH/asm" "$OUT/include/"
}
