# SPDX-License-Identifier: MIT
# busybox: the initrd's shell and tools (deps/config/busybox.config).
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:busybox
NEEDS=headers
FILES=config/busybox.config

build() {
	grep '^CONFIG_' "$DEPS_DIR/config/busybox.config" >wanted
	make HOSTCC="${HOST_CC:-gcc}" allnoconfig
	# An entry per name: what is wanted first, then what allnoconfig says of the others.
	cat wanted .config | awk '{ name = ($1 == "#") ? $2 : $1; sub(/=.*/, "", name) }
		name !~ /^CONFIG_/ || !(name in seen) { seen[name] = 1; print }' >merged
	mv merged .config
	yes '' | make HOSTCC="${HOST_CC:-gcc}" oldconfig
	missing=$(grep -v -x -F -f .config wanted || :)
	[ -z "$missing" ] || {
		echo "busybox's configuration dropped:" $missing
		return 1
	}
	KCONFIG_NOTIMESTAMP=1 make -j "$JOBS" HOSTCC="${HOST_CC:-gcc}" CC="$CC" AR="$AR" NM="$NM" STRIP="$STRIP" \
		OBJCOPY="$OBJCOPY" LD="$LD" CONFIG_EXTRA_CFLAGS="$CFLAGS" CONFIG_EXTRA_LDFLAGS='-no-pie -Wl,--build-id=none' busybox
	make HOSTCC="${HOST_CC:-gcc}" busybox.links
	mkdir -p "$OUT/bin" "$OUT/share"
	"$STRIP" -o "$OUT/bin/busybox" busybox_unstripped
	sed 's|.*/||' busybox.links | LC_ALL=C sort >"$OUT/share/busybox.applets"
}
