#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the host packages of deps/packages.txt that are missing; does nothing, quickly, when none is.
# usage: install-packages.sh [build|test|bench|all]     (default: all, which is build and test)
# Knows: dpkg and apt. Must not know: what the packages are for.
set -eu

PACKAGES=${PACKAGES:-$(dirname "$0")/packages.txt}
POLICY=/usr/sbin/policy-rc.d

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# The names of a group, without comments.
wanted() {
	awk -v group="$1" '
		/^\[.*\]/ { here = substr($1, 2, length($1) - 2); next }
		{ sub(/#.*/, "") }
		NF == 1 && (here == group || (group == "all" && here != "bench")) { print $1 }' "$PACKAGES"
}

# Of the names on standard input, those of which no alternative is installed.
missing() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | awk '
		NR == FNR { if ($1 == "installed") have[$2] = 1; next }
		{
			n = split($1, names, "|")
			for (i = 1; i <= n; i++)
				if (names[i] in have)
					next
			print $1
		}' - "$1"
}

# For each NAME|OTHER-NAME on standard input the first that the archive offers.
choose() {
	while IFS='|' read -r first others; do
		chosen=''
		for name in $first $(echo "$others" | tr '|' ' '); do
			if [ -n "$(apt-cache madison "$name" 2>/dev/null)" ]; then
				chosen=$name
				break
			fi
		done
		[ -n "$chosen" ] || die "the package lists of this machine know no package $first; is it Debian 12 or later with the main component?"
		echo "$chosen"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Packages such as nginx start their service when installed. Not here: until the end of this script, nothing starts.
forbid_services() {
	policy_kept=$(mktemp)
	if [ -e "$POLICY" ]; then
		cp -p "$POLICY" "$policy_kept"
	else
		rm -f "$policy_kept"
	fi
	trap restore_services EXIT
	trap 'exit 130' INT HUP TERM
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
	as_root chmod 755 "$POLICY"
}

restore_services() {
	if [ -e "$policy_kept" ]; then
		as_root cp -p "$policy_kept" "$POLICY"
		rm -f "$policy_kept"
	else
		as_root rm -f "$POLICY"
	fi
}

install_missing() {
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
		die "missing packages: $(tr '\n' ' ' <"$1")- run this as root, or install sudo"
	say "reading the package lists (apt-get update)"
	as_root apt-get -qq update || die "apt-get update failed: see its messages above"
	names=$(choose <"$1" | tr '\n' ' ')
	say "installing: $names"
	forbid_services
	# shellcheck disable=SC2086 # a list of names
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $names ||
		die "apt-get install failed: see its messages above"
}

case ${1:-all} in
build | test | bench | all) group=${1:-all} ;;
--help) sed -n '3,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) say "no group '$1': build, test, bench or all"; exit 64 ;;
esac
command -v dpkg-query >/dev/null || die "no dpkg-query: this is for Debian; $PACKAGES lists what to install by other means"

list=$(mktemp)
wanted "$group" >"$list.wanted"
missing "$list.wanted" >"$list"
rm -f "$list.wanted"
if [ -s "$list" ]; then
	(install_missing "$list") || { rm -f "$list"; exit 1; }
	say "installed"
fi
rm -f "$list"
