# SPDX-License-Identifier: MIT
# Sourced by build-one.sh: which version of a package is built, and its files, checked.
# The lock's version counts for as long as the archive serves it, whether or not its lists still name it: the checksum is in the lock. Where it is
# gone, the suite's newest is taken, said, and remembered beside the files until the lock changes.
# Knows: the lock, the archive's pool. Must not know: how anything is built.
#
# shellcheck shell=sh disable=SC2154 # DEPS_DIR and SOURCES are build-one.sh's

locked_version() { awk -v k="${1%%:*}" -v p="${1#*:}" '$1 == k && $2 == p { print $4, $5 }' "$DEPS_DIR/versions.lock"; }

# usage: instead_file KIND:PACKAGE   (": /" stand in no file name of ours)
instead_file() { printf '%s/instead-of-%s-%s\n' "$SOURCES" "${1#*:}" "$(locked_version "$1" | tr ': ' '__')"; }

# Prints "VERSION SHA256" of what is built of KIND:PACKAGE; nothing where that is not decided yet (no lock names it).
package_version() {
	if [ -s "$(instead_file "$1")" ]; then
		cat "$(instead_file "$1")"
	else
		locked_version "$1"
	fi
}

# usage: decide_version KIND:PACKAGE   Brings the files of the version that counts from now on.
decide_version() {
	wanted=$(package_version "$1")
	# shellcheck disable=SC2086 # two words
	[ -z "$wanted" ] || ! fetch_package "$1" $wanted || return 0
	suite_apt_refresh trixie 10
	found=$("suite_${1%%:*}_version" trixie "${1#*:}") || die "the package lists of trixie name no ${1%%:*} package ${1#*:}"
	[ "${found% *}" != "${wanted% *}" ] || die "cannot fetch ${1#*:} ${wanted% *} as deps/versions.lock has it (a wrong checksum, or no network?); see apt's messages above"
	# shellcheck disable=SC2086
	fetch_package "$1" $found || die "the archive serves neither ${1#*:} ${wanted% *}, which is wanted, nor ${found% *}, which its lists name; see apt's messages above"
	say "${1#*:}: taking ${found% *}; the archive does not serve ${wanted%% *}"
	echo "$found" >"$(instead_file "$1")"
}

# usage: fetch_package KIND:PACKAGE VERSION SHA256   Fails where the archive does not serve it.
fetch_package() (
	case $1 in
	source:*) fetch_source "${1#*:}" "$2" "$3" ;;
	binary:*) fetch_binary "${1#*:}" "$2" "$3" ;;
	esac >&2
)

# usage: package_file KIND:PACKAGE VERSION   The .dsc, or the .deb.
package_file() {
	case $1 in
	source:*) echo "$SOURCES/${1#*:}_${2#*:}.dsc" ;;
	binary:*) echo "$SOURCES/${1#*:}_${2#*:}.deb" ;;
	esac
}

is_file_with() { echo "$2  $1" | sha256sum --check --status 2>/dev/null; }

fetch_binary() {
	deb=$(package_file "binary:$1" "$2")
	! is_file_with "$deb" "$3" || return 0
	download=$(mktemp -d "$SOURCES/.download-XXXXXX")
	if (cd "$download" && suite_apt trixie apt-get -qq download "$1=$2"); then mv "$download/$1"_*.deb "$deb"; fi
	rm -rf "$download"
	is_file_with "$deb" "$3"
}

# A source package is its .dsc and what that names, each with its checksum. Upstream's signatures (.asc) are not needed.
fetch_source() {
	dsc=$(package_file "source:$1" "$2")
	case $1 in
	lib*) pool=pool/main/$(echo "$1" | cut -c1-4)/$1 ;;
	*) pool=pool/main/$(echo "$1" | cut -c1)/$1 ;;
	esac
	fetch_file "$pool" "$dsc" "$3" || return 1
	awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on && $3 !~ /\.asc$/ { print $1, $3 }' "$dsc" >"$dsc.files"
	while read -r sum name; do
		case $name in
		*/* | .*) die "$dsc names a file '$name'" ;;
		esac
		fetch_file "$pool" "$SOURCES/$name" "$sum" || return 1
	done <"$dsc.files"
}

# usage: fetch_file FOLDER-OF-THE-ARCHIVE FILE SHA256   With apt's own means, so that its proxy and certificates are used.
fetch_file() {
	! is_file_with "$2" "$3" || return 0
	/usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download-file \
		"$(debian_mirror)$1/${2##*/}" "$2.$$" "SHA256:$3" && mv "$2.$$" "$2" && return 0
	rm -f "$2.$$"
	return 1
}
