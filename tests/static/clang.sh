#!/bin/sh
# SPDX-License-Identifier: MIT
# All of the project's C compiles without a warning under clang too.
. "$(dirname "$0")/../functions.sh"
command -v clang >/dev/null || skip "clang is not installed"
make -s print-host-flags >"$T/flags"
git ls-files -co --exclude-standard '*.c' | grep -v '^bootloader/' >"$T/files"
# shellcheck disable=SC2046 # the flags are words
xargs -P 2 -n 20 clang $(cat "$T/flags") -Werror -fsyntax-only <"$T/files"
