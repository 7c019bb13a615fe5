# SPDX-License-Identifier: MIT
# What recipes share: their environment, compiling a list of files into a static library, installing headers.
# A recipe's build runs in the unpacked source with WORK (the temporary directory), IN (a prefix of what it NEEDS), OUT (its result), CFLAGS, JOBS and
# what toolchain sets; PACKAGE_FILE is the .deb of a binary package.
# Knows: flags that all libraries share. Must not know: any library.
#
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables come from build-one.sh, and go to the recipes

# usage: recipe_environment WORK
recipe_environment() {
	WORK=$1 IN=$1/in OUT=$1/out
	CFLAGS="$GUEST_OPT -isystem $IN/include -ffile-prefix-map=$WORK=."
	JOBS=${JOBS:-2}
	export LC_ALL=C TZ=UTC
	mkdir -p "$OUT"
}

# Compiles every argument that names a source file into objects/; the other arguments are flags, for all of them.
# Flags after CFLAGS win: -O2 here beats its -Os.
compile_objects() {
	mkdir -p objects
	compile_flags='' compile_sources=''
	for argument in "$@"; do
		case $argument in
		-*) compile_flags="$compile_flags '$argument'" ;;
		*) compile_sources="$compile_sources $argument" ;;
		esac
	done
	# shellcheck disable=SC2016,SC2086 # expanded by the inner shell; names without blanks
	printf '%s\n' $compile_sources | xargs -P "$JOBS" -I {} sh -ec '
		name=$(printf %s "${1#./}" | tr / _)
		eval "$2 $3 $4" -c "\"$1\"" -o "\"objects/$name.o\""' sh {} "$CC" "$CFLAGS" "$compile_flags"
}

# usage: compile_library LIBNAME.a FLAG... SOURCE...   (objects of earlier compile_objects calls go in, too)
compile_library() {
	library=$1
	shift
	compile_objects "$@"
	mkdir -p "$OUT/lib"
	find objects -name '*.o' | LC_ALL=C sort | xargs "$AR" crD "$OUT/lib/$library"
	"$RANLIB" -D "$OUT/lib/$library"
}

# usage: install_headers DIRECTORY HEADER...   (paths under DIRECTORY stay as they are)
install_headers() {
	from=$1
	shift
	for header in "$@"; do
		mkdir -p "$OUT/include/$(dirname "$header")"
		cp "$from/$header" "$OUT/include/$header"
	done
}
