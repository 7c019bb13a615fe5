#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds one library for one architecture into the cache, unless it is there, and prints its directory.
# usage: build-one.sh ARCH NAME   (NAME: deps/recipes/NAME.sh)
# Knows: keys, fetching, unpacking and the environment of recipes. Must not know: how any library is built.
# shellcheck disable=SC1090,SC2030,SC2031,SC2153 # recipes are sourced, in subshells on purpose
set -eu
umask 022
DEPS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$DEPS_DIR/lib.sh"
. "$DEPS_DIR/toolchain.sh"
. "$DEPS_DIR/sources.sh"
# A calling make must not hand its flags to the libraries' own: without built-in rules some of them compile nothing.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# The key of a recipe (what this file does must not show in the results): toolchain, recipe and configuration files, package, and the keys of what it needs.
recipe_key() (
	NEEDS='' FILES=''
	. "$DEPS_DIR/recipes/$1.sh"
	{
		echo "$ARCH $1 $(package_version "$PACKAGE")"
		echo "$IDENTITY"
		cat "$DEPS_DIR/recipes/$1.sh" "$DEPS_DIR/recipe-functions.sh"
		for file in $FILES; do cat "$DEPS_DIR/$file"; done
		for need in $NEEDS; do recipe_key "$need"; done
	} | cache_key
)

unpack() {
	PACKAGE_FILE=$(package_file "$PACKAGE" "${PACKAGE_VERSION% *}")
	case $PACKAGE in
	source:*)
		dpkg-source --no-check -x "$PACKAGE_FILE" "$WORK/src"
		cd "$WORK/src"
		SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
		;;
	binary:*)
		mkdir "$WORK/src"
		cd "$WORK/src"
		SOURCE_DATE_EPOCH=0
		;;
	esac
	export SOURCE_DATE_EPOCH
}

# The versions of a recipe and of what it needs: they are part of its key. Nothing is asked of the archive for what the cache holds.
decide_all() (
	NEEDS=''
	. "$DEPS_DIR/recipes/$1.sh"
	[ ! -d "$DEPS/$ARCH-$1-$(recipe_key "$1")" ] || exit 0
	for need in $NEEDS; do decide_all "$need"; done
	exec 8>"$SOURCES/.lock-${PACKAGE#*:}"
	flock 8
	decide_version "$PACKAGE"
)

# One prefix of everything that the recipe needs.
merge_needs() {
	mkdir -p "$IN"
	for need in $NEEDS; do
		[ -d "$DEPS/$ARCH-$need-$(recipe_key "$need")" ] || "$0" "$ARCH" "$need" >/dev/null
		cp -RPl "$DEPS/$ARCH-$need-$(recipe_key "$need")/." "$IN/"
	done
}

build_recipe() {
	. "$DEPS_DIR/recipe-functions.sh"
	recipe_environment "$1"
	merge_needs
	unpack
	build
}

main() {
	ARCH=$1 NAME=$2
	toolchain "$ARCH"
	command -v "$CC" >/dev/null || die "no compiler $CC: run deps/install-packages.sh build"
	DEPS=$(cache_dir)/deps SOURCES=$(cache_dir)/sources
	mkdir -p "$DEPS" "$SOURCES"
	IDENTITY=$(toolchain_identity)
	decide_all "$NAME"
	result=$DEPS/$ARCH-$NAME-$(recipe_key "$NAME")
	(
		flock 9
		[ -d "$result" ] || build_to "$result"
	) 9>"$DEPS/.lock-$ARCH-$NAME"
	echo "$result"
}

build_to() {
	began=$(date +%s)
	NEEDS=''
	. "$DEPS_DIR/recipes/$NAME.sh"
	PACKAGE_VERSION=$(package_version "$PACKAGE")
	work=$(mktemp -d "$DEPS/.work-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'rm -f "$work.log"; exit 130' INT HUP TERM
	# A subshell with set -e in force cannot stand left of ||; the log's last lines say what failed.
	set +e
	(set -e; build_recipe "$work") >"$work.log" 2>&1 </dev/null
	status=$?
	set -e
	if [ $status -ne 0 ]; then
		tail -n 25 "$work.log" >&2
		die "building $NAME for $ARCH failed; the whole log is $work.log"
	fi
	mv "$work/out" "$1"
	rm -f "$work.log"
	say "$NAME ${PACKAGE_VERSION% *} for $ARCH: $(($(date +%s) - began)) s"
}

main "$@"
exit
