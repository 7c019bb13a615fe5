#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the guest's static libraries and programs for one architecture, and prints the prefix that holds them:
# include/, lib/, bin/, share/. What the cache holds already is not built again.
# usage: build-deps.sh ARCH [LINK]          LINK: a symbolic link to the prefix, made or renewed
#        build-deps.sh --update-lock        writes deps/versions.lock with what the archive has now
# Environment: JOBS (processes per library, default 2), XDG_CACHE_HOME.
# Knows: the list of libraries and that build-one.sh makes each. Must not know: how.
set -eu
umask 022
DEPS_DIR=$(cd "$(dirname "$0")" && pwd)
. "$DEPS_DIR/lib.sh"
. "$DEPS_DIR/toolchain.sh"
. "$DEPS_DIR/sources.sh"

# The slow ones first, so that the two lanes end together. curl waits for what it needs: it is the last.
LIBRARIES='e2fsprogs mbedtls busybox nghttp2 zstd sodium fuse zlib yaml jansson'
LAST='curl'

usage() {
	sed -n '3,7s/^# \{0,1\}//p' "$0"
	exit "$1"
}

# What the lists name but the archive does not serve (a mirror in the middle of an update) stays as it was.
update_lock() {
	lock=$DEPS_DIR/versions.lock SOURCES=$(cache_dir)/sources
	mkdir -p "$SOURCES"
	grep '^#' "$lock" >"$lock.new"
	for recipe in "$DEPS_DIR"/recipes/*.sh; do
		package=$(sed -n 's/^PACKAGE=//p' "$recipe")
		kind=${package%%:*} name=${package#*:}
		found=$("suite_${kind}_version" trixie "$name") || die "the package lists of trixie name no $kind package $name"
		# shellcheck disable=SC2086 # two words
		fetch_package "$package" $found || {
			say "$name: the archive does not serve ${found% *}; keeping $(locked_version "$package" | cut -d ' ' -f 1)"
			found=$(locked_version "$package")
		}
		echo "$kind $name trixie $found"
	done | LC_ALL=C sort >>"$lock.new"
	mv "$lock.new" "$lock"
	say "wrote $lock"
}

# Builds all, two libraries at a time; one line per library on standard error.
build_libraries() {
	"$DEPS_DIR/build-one.sh" "$ARCH" headers >"$RESULTS/headers"
	# shellcheck disable=SC2016,SC2086 # expanded by the inner shell; a list of names
	printf '%s\n' $LIBRARIES | xargs -P 2 -I {} sh -c '"$1/build-one.sh" "$2" "$3" >"$4/$3" || exit 255' \
		sh "$DEPS_DIR" "$ARCH" {} "$RESULTS" || die "not all libraries for $ARCH were built"
	"$DEPS_DIR/build-one.sh" "$ARCH" "$LAST" >"$RESULTS/$LAST"
}

# One prefix out of the libraries' own, under a name that says what is in it.
assemble() {
	prefix=$(cache_dir)/deps/$ARCH-all-$(sed "s|.*/||" "$RESULTS"/* | cache_key)
	if [ ! -d "$prefix" ]; then
		temporary=$(mktemp -d "$(cache_dir)/deps/.work-XXXXXX")
		for result in "$RESULTS"/*; do
			read -r directory <"$result"
			cp -RPl "$directory/." "$temporary/"
		done
		chmod 755 "$temporary"
		mv -T "$temporary" "$prefix" 2>/dev/null || rm -rf "$temporary"
	fi
	echo "$prefix"
}

case ${1:-} in
--help) usage 0 ;;
--update-lock) update_lock; exit 0 ;;
'' | -*) usage 64 >&2 ;;
esac
ARCH=$1
toolchain "$ARCH" || exit 64
RESULTS=$(mktemp -d)
trap 'rm -rf "$RESULTS"' EXIT
build_libraries
prefix=$(assemble)
if [ $# -gt 1 ]; then
	mkdir -p "$(dirname "$2")"
	ln -sfn "$prefix" "$2"
fi
echo "$prefix"
