#!/bin/sh
# SPDX-License-Identifier: MIT
# All of the project's C compiles without a warning under clang too, and what speaks to libfuse with the headers of the guest's newer one: as on the next Debian.
. "$(dirname "$0")/../functions.sh"
command -v clang >/dev/null || skip "clang is not installed"
make -s print-host-flags >"$T/flags"
git ls-files -co --exclude-standard '*.c' | grep -v '^bootloader/' >"$T/files"
# shellcheck disable=SC2046 # the flags are words
xargs -P 2 -n 20 clang $(cat "$T/flags") -Werror -fsyntax-only <"$T/files"

newer=build/$(uname -m)/deps/include/fuse3
[ -d "$newer" ] || skip "there is no newer libfuse in $newer (make deps)"
# The flags' own header directories come after this one.
# shellcheck disable=SC2046
grep '^fetchfs/client/' "$T/files" | xargs -P 2 -n 20 clang "-I$newer" $(cat "$T/flags") -Werror -fsyntax-only
