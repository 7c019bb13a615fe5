#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shell file of the tree is clean under shellcheck.
. "$(dirname "$0")/../functions.sh"
command -v shellcheck >/dev/null || skip "shellcheck is not installed"
git ls-files -co --exclude-standard >"$T/all"
while read -r file; do
	[ -f "$file" ] || continue
	case $file in
	*.sh | initrd/init | initrd/shutdown | initrd/stages/* | initrd/udhcpc.script | .ci/run) echo "$file" ;;
	esac
done <"$T/all" >"$T/files"
[ "$(wc -l <"$T/files")" -gt 10 ] || fail "found only $(wc -l <"$T/files") shell files"
# Tests share variables with the functions that they source by a computed path: which are set where cannot be seen by shellcheck.
grep '^tests/' "$T/files" >"$T/tests"
grep -v '^tests/' "$T/files" >"$T/others"
xargs shellcheck -x -e SC1091,SC2154,SC2034 -s sh <"$T/tests"
xargs shellcheck -x -e SC1091 -s sh <"$T/others"
