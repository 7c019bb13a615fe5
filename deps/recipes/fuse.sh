# SPDX-License-Identifier: MIT
# libfuse 3.17: the low-level API with passthrough (fuse_passthrough_open). No fusermount: the guest mounts as root.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:fuse3
NEEDS=headers

build() {
	cat >cross.ini <<-EOF
	[binaries]
	c = '$CC'
	ar = '$AR'
	strip = '$STRIP'
	[built-in options]
	c_args = [$(quoted_list $GUEST_OPT -isystem "$IN/include" -ffile-prefix-map="$WORK"=.)]
	c_link_args = ['-static', '-no-pie']
	[host_machine]
	system = 'linux'
	cpu_family = '$CPU_FAMILY'
	cpu = '$CPU_FAMILY'
	endian = 'little'
	EOF
	meson setup out --cross-file cross.ini --prefix=/ --libdir=lib --bindir=bin --buildtype=plain --wrap-mode=nodownload \
		-Ddefault_library=static -Db_pie=false -Db_staticpic=false -Dutils=false -Dexamples=false -Dtests=false -Duseroot=false \
		-Dinitscriptdir= -Dudevrulesdir=/udev -Ddisable-mtab=true -Ddisable-libc-symbol-version=true
	ninja -C out -j "$JOBS"
	DESTDIR="$OUT" meson install -C out --no-rebuild --quiet
	rm -rf "$OUT/lib/pkgconfig"
}

quoted_list() { printf "'%s'," "$@"; }
