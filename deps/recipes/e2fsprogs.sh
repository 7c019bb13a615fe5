# SPDX-License-Identifier: MIT
# e2fsprogs: makes, checks and grows the scratch file system. The three programs are one file that looks at the name it is
# called by (e2tools.c), so that the initrd pays for libext2fs once.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:e2fsprogs
NEEDS=headers
FILES=e2tools.c

build() {
	off='nls debugfs imager defrag uuidd fsck e2initrd-helper tdb fuse2fs bmap-stats testio-debug backtrace rpath
		elf-shlibs jbd-debug blkid-debug'
	set --
	for option in $off; do set -- "$@" "--disable-$option"; done
	./configure --host="$TRIPLET" --prefix=/ --enable-libuuid --enable-libblkid --without-libarchive \
		--without-udev-rules-dir --without-crond-dir --without-systemd-unit-dir "$@" \
		CC="$CC" AR="$AR" RANLIB="$RANLIB" STRIP="$STRIP" LD="$LD" BUILD_CC=gcc PKG_CONFIG=false \
		CFLAGS="$CFLAGS" LDFLAGS="-static -no-pie -Wl,--gc-sections"
	# Case folding: 64 kB of Unicode tables for a feature that scratch does not have. e2fsck refuses such file systems then.
	sed -i 's/return &nls_utf8;/return NULL;/' lib/ext2fs/nls_utf8.c
	if grep -q 'return &nls_utf8;' lib/ext2fs/nls_utf8.c; then return 1; fi
	make -j "$JOBS" libs
	make -C misc -j "$JOBS" mke2fs
	make -C e2fsck -j "$JOBS" e2fsck
	make -C resize -j "$JOBS" resize2fs
	one_program
	install_libraries
}

# Each program's objects become one, with nothing visible but its main under another name.
one_program() {
	one_object mke2fs misc/mke2fs.o misc/util.o misc/default_profile.o misc/mk_hugefiles.o misc/create_inode.o misc/create_inode_libarchive.o
	one_object e2fsck $(ls e2fsck/*.o)
	one_object resize2fs $(ls resize/*.o)
	"$CC" $CFLAGS -c "$DEPS_DIR/e2tools.c" -o e2tools.o
	mkdir -p "$OUT/bin"
	"$CC" $GUEST_LDFLAGS -o e2fsprogs e2tools.o mke2fs.one.o e2fsck.one.o resize2fs.one.o \
		lib/libsupport.a lib/libe2p.a lib/libext2fs.a lib/libblkid.a lib/libuuid.a lib/libcom_err.a
	"$STRIP" -o "$OUT/bin/e2fsprogs" e2fsprogs
	for name in mke2fs e2fsck resize2fs; do ln -s e2fsprogs "$OUT/bin/$name"; done
}

one_object() {
	name=$1
	shift
	"$LD" -r -o "$name.all.o" "$@"
	"$OBJCOPY" --redefine-sym "main=${name}_main" "$name.all.o" "$name.named.o"
	"$OBJCOPY" --keep-global-symbol="${name}_main" "$name.named.o" "$name.one.o"
}

install_libraries() {
	mkdir -p "$OUT/lib"
	for name in ext2fs e2p blkid uuid com_err; do
		cp "lib/lib$name.a" "$OUT/lib/"
		"$OBJCOPY" -D "$OUT/lib/lib$name.a"
		"$RANLIB" -D "$OUT/lib/lib$name.a"
	done
	install_headers lib $(cd lib && ls ext2fs/ext2fs.h ext2fs/ext2_fs.h ext2fs/ext2_io.h ext2fs/ext2_err.h ext2fs/ext2_types.h \
		ext2fs/ext2_ext_attr.h ext2fs/ext3_extents.h ext2fs/bitops.h ext2fs/hashmap.h ext2fs/qcow2.h ext2fs/tdb.h \
		et/com_err.h blkid/blkid.h blkid/blkid_types.h uuid/uuid.h e2p/e2p.h)
}
