#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the guest's kernel: build-kernel.sh ARCH OUTDIR writes OUTDIR/linux, linux.config and linux.version.
# JOBS: parallel compilations (default: all processors). LINUX_DEB: a linux-source package to use as it is.
# Knows: how a kernel is configured, made the same on every machine, and cached.
# Must not know: what the options mean (the fragments do), or who boots the result.
#
# A result is kept in the cache under a hash of everything it depends on; a second run copies it from there
# and asks nothing of the network.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deps/lib.sh
. "$here/../deps/lib.sh"

# All that differs between architectures: the kernel's name for it, the compiler's prefix, the image.
architecture() {
	case $1 in
	x86_64) karch=x86_64 cross=x86_64-linux-gnu- target=bzImage image=arch/x86/boot/bzImage ;;
	i686) karch=i386 cross=x86_64-linux-gnu- target=bzImage image=arch/x86/boot/bzImage ;;
	aarch64) karch=arm64 cross=aarch64-linux-gnu- target=vmlinuz.efi image=arch/arm64/boot/vmlinuz.efi ;;
	*) die "architecture '$1' is not known; known: x86_64 i686 aarch64" ;;
	esac
	fragments="$here/base.config $here/$1.config"
	[ -r "$here/$1.config" ] || die "architecture $1 has no fragment yet: $here/$1.config"
	command -v "${cross}gcc" >/dev/null 2>&1 ||
		die "there is no ${cross}gcc; install Debian's package gcc-$(echo "${cross%-}" | tr _ -)"
}

# What decides the bytes of a kernel beside its source: fragments, this script, compiler, binutils, compressors.
# Not so comments; only the one kind that is an option counts.
inputs() {
	# shellcheck disable=SC2086 # a list of files
	sed '/^[[:space:]]*#/{/^# CONFIG_[A-Za-z0-9_]* is not set$/!d;}' "$here/build-kernel.sh" $fragments
	"${cross}gcc" -v 2>&1 | grep '^gcc version\|^Target'
	"${cross}ld" --version | head -n 1
	zstd --version
	xz --version
}

result_of() { { inputs && echo "source $1"; } | cache_key | sed "s|^|$store/$arch-|"; }

is_complete() { [ -s "$1/linux" ] && [ -s "$1/linux.config" ] && [ -s "$1/linux.version" ]; }

# Copies a result out; each file appears whole or not at all. What is required is asked of a cached result too,
# so that a longer list needs no new build.
hand_over() {
	"$here/check-config.sh" "$1/linux.config" "$here/required.list" ||
		die "the kernel's configuration lacks what kernel-config/required.list asks for (above)"
	for name in linux.version linux.config linux; do
		cp "$1/$name" "$outdir/.$name.$$"
		mv "$outdir/.$name.$$" "$outdir/$name"
	done
	say "$outdir/linux is Linux $(cat "$outdir/linux.version"), $(wc -c <"$outdir/linux") bytes"
}

# The version to build: the locked one, or what was taken instead when the archive had that no longer.
source_version() {
	if [ -n "${LINUX_DEB:-}" ]; then
		dpkg-deb -f "$LINUX_DEB" Version
	elif [ -s "$instead" ]; then
		cat "$instead"
	else
		echo "$locked_version"
	fi
}

offered() {
	(suite_apt "$1" apt-cache policy "$package") 2>/dev/null |
		awk '$1 == "Candidate:" && $2 != "(none)" { print $2; exit }'
}

# usage: download VERSION SUITE...   Stops at the first suite that has this version.
download() {
	wanted=$1
	shift
	for suite in "$@"; do
		! (suite_apt "$suite" apt-get -qq download "$package=$wanted") >>"$log" 2>&1 || return 0
	done
	return 1
}

# Into the current directory: the locked version, else the newest of the suites. A list of packages older than
# the archive names versions that are gone, so the lists are read once more before that is believed.
fetch_source() {
	suites=$(printf '%s\n' "$locked_suite" trixie bookworm-backports | awk '!seen[$0]++')
	# shellcheck disable=SC2086 # a list of words
	! download "$locked_version" $suites || return 0
	for suite in $suites; do
		rm -f "$(cache_dir)/apt/$suite/ready"
	done
	# shellcheck disable=SC2086
	! download "$locked_version" $suites || return 0
	for suite in $suites; do
		version=$(offered "$suite")
		if [ -n "$version" ] && download "$version" "$suite"; then
			echo "$version" >"$instead"
			say "NOTE: $package $locked_version (kernel-config/source.lock) is gone from the archive; taking $version of $suite"
			return 0
		fi
	done
	die "cannot download $package from any of: $suites; is the network up, and does apt-get update work? log: $log"
}

# Sets deb. The package stays in the cache (150 MB): a changed fragment needs it again.
obtain_source() {
	deb=${LINUX_DEB:-}
	[ -n "$deb" ] || deb=$(find "$store/source" -name "${package}_$(source_version)_*.deb")
	[ -z "$deb" ] || return 0
	say "downloading $package $(source_version), about 150 MB"
	mkdir "$work/download"
	cd "$work/download"
	fetch_source
	cd "$here"
	deb=$(find "$work/download" -name "${package}_*.deb")
	mv "$deb" "$store/source/"
	deb=$store/source/${deb##*/}
}

# Left out is what no configuration of ours reads, and what is a fifth of the tree.
unpack_source() {
	say "unpacking ${deb##*/}"
	mkdir "$work/package" "$work/source" "$work/build"
	dpkg-deb --fsys-tarfile "$deb" | tar -xf - -C "$work/package"
	tar -xJf "$work/package/usr/src/$package.tar.xz" -C "$work/source" --strip-components=1 \
		--exclude='*/drivers/gpu/drm/amd/include/*' --exclude='*/tools/testing/*'
}

# The build's date is that of the source, so that it says something and is the same everywhere.
source_date() {
	gzip -dc "$work/package/usr/share/doc/$package/changelog.Debian.gz" |
		sed -n '/^ -- /{s/.*>  //p;q;}' | date -u -f - +%s
}

# Fragments over allnoconfig; then every option asked for must have survived its dependencies.
configure() {
	say "configuring"
	# shellcheck disable=SC2086 # a list of files
	cat $fragments >"$work/fragments"
	make -s -C "$work/source" O="$work/build" ARCH="$karch" CROSS_COMPILE="$cross" \
		KCONFIG_ALLCONFIG="$work/fragments" allnoconfig >>"$log" 2>&1
	"$here/check-config.sh" "$work/build/.config" "$work/fragments" ||
		die "these options of the fragments were dropped; give them what they depend on, or take them out"
}

# Nothing of this machine goes into the kernel: who, where, when and the language are fixed.
compile() {
	SOURCE_DATE_EPOCH=$(source_date)
	KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH")
	export SOURCE_DATE_EPOCH KBUILD_BUILD_TIMESTAMP
	export KBUILD_BUILD_USER=spore KBUILD_BUILD_HOST=spore KBUILD_BUILD_VERSION=1 LC_ALL=C TZ=UTC
	jobs=${JOBS:-$(nproc)}
	say "compiling, $jobs at a time; log: $log"
	make -C "$work/source" O="$work/build" ARCH="$karch" CROSS_COMPILE="$cross" -j "$jobs" "$target" >>"$log" 2>&1 &
	compiler=$!
	waited=0
	while kill -0 "$compiler" 2>/dev/null; do
		sleep 1
		waited=$((waited + 1))
		[ $((waited % 60)) -ne 0 ] ||
			say "$((waited / 60)) min: $(grep -c '^  \(CC\|AS\) ' "$log" || :) objects compiled"
	done
	wait "$compiler"
	compiler=
	times >"$work/times" # of this shell, then of what it started: "user system"
	say "compiled in $(awk 'END { sub(/m.*/, "", $1); sub(/m.*/, "", $2); print $1 + $2 }' "$work/times") processor-minutes"
}

# usage: build RESULT   Leaves the result in its place in the cache, by one rename.
build() {
	unpack_source
	configure
	compile
	mkdir "$work/result"
	cp "$work/build/$image" "$work/result/linux"
	cp "$work/build/.config" "$work/result/linux.config"
	printf '%s (%s)\n' "$(cat "$work/build/include/config/kernel.release")" "$(dpkg-deb -f "$deb" Version)" \
		>"$work/result/linux.version"
	rm -rf "$1"
	mv "$work/result" "$1"
}

# However it ends: nothing runs on, no tree of 2 GB stays; a failure shows what the log says last.
finish() {
	code=$?
	trap - EXIT INT TERM
	[ -z "$compiler" ] || kill "$compiler" 2>/dev/null || :
	[ -z "$work" ] || rm -rf "$work"
	if [ "$code" -ne 0 ] && [ -s "$log" ]; then
		tail -n 30 "$log" >&2
		say "failed (exit $code); the end of the log is above, all of it is in $log"
	fi
	exit "$code"
}

[ $# -eq 2 ] || die "usage: build-kernel.sh ARCH OUTDIR"
arch=$1 compiler='' work='' log=''
mkdir -p "$2"
outdir=$(cd "$2" && pwd)
store=$(cache_dir)/kernel
mkdir -p "$store/source"
# shellcheck disable=SC2046 # three words of a line of ours
set -- $(grep -v '^#' "$here/source.lock")
package=$1 locked_suite=$2 locked_version=$3
instead=$store/source/instead-of-$locked_version
architecture "$arch"
# A calling make must not hand its flags and its job server to the kernel's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

result=$(result_of "$(source_version)")
if ! is_complete "$result"; then
	exec 9>"$result.lock"
	flock -n 9 || { say "waiting for another build of the same kernel"; flock 9; }
	trap finish EXIT
	trap 'exit 130' INT HUP TERM
	if ! is_complete "$result"; then
		log=$result.log
		: >"$log"
		work=$(mktemp -d "$store/work-XXXXXX")
		obtain_source
		result=$(result_of "$(dpkg-deb -f "$deb" Version)")
		is_complete "$result" || build "$result"
	fi
fi
hand_over "$result"
