# SPDX-License-Identifier: MIT
# Sourced by the scripts that build what is expensive (kernel, static libraries, the demo's tree).
# Knows: the machine's package mirror, private package lists for other suites, and the cache.
# Must not know: what is built.
#
# shellcheck shell=sh disable=SC2016 # apt and awk expand these, not the shell

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# The address of the Debian archive that the machine's own apt configuration names, with a slash at its end.
debian_mirror() {
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN) $(LABEL)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$3 == "Debian" && $4 == "Debian" { print $1; exit }')
	[ -n "$mirror" ] || die "apt's configuration names no Debian archive (apt-get indextargets); run apt-get update, or add one"
	printf '%s/\n' "${mirror%/}"
}

cache_dir() {
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/spore
	mkdir -p "$dir"
	printf '%s\n' "$dir"
}

# One key for all inputs: the content of the files and the texts given on standard input.
# usage: { echo TEXT; cat FILE...; } | cache_key
cache_key() { sha256sum | cut -c1-32; }

# Runs apt with lists of its own, so that other suites never touch the machine's configuration.
# usage: suite_apt SUITE TOOL ARGUMENT...   (TOOL: apt-get or apt-cache)
suite_apt() {
	suite=$1 tool=$2
	shift 2
	root=$(cache_dir)/apt/$suite
	[ -e "$root/ready" ] || suite_apt_refresh "$suite" 0
	suite_apt_run "$root" "$tool" "$@"
}

# Reads a suite's package lists (again), unless that was done in the last MINUTES: an archive moves on and then no longer serves
# what old lists name. Locked: several builds may ask at the same time.
suite_apt_refresh() {
	root=$(cache_dir)/apt/$1
	mkdir -p "$root/lists/partial" "$root/archives/partial"
	(
		flock 8
		[ -z "$(find "$root/ready" -mmin "-$2" 2>/dev/null)" ] || exit 0
		[ "$2" -ne 0 ] || [ ! -e "$root/ready" ] || exit 0
		mirror=$(debian_mirror)
		for kind in deb deb-src; do
			printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$kind" "$mirror" "$1"
		done >"$root/sources.list"
		suite_apt_run "$root" apt-get -qq update || die "cannot read the package lists of $1 from $mirror"
		: >"$root/ready"
	) 8>"$root/lock" || exit 1
}

suite_apt_run() {
	apt_root=$1 apt_tool=$2
	shift 2
	"$apt_tool" -o Dir::Etc::SourceList="$apt_root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$apt_root/lists" -o Dir::Cache="$apt_root" \
		-o Dir::Cache::Archives="$apt_root/archives" -o APT::Sandbox::User=root \
		-o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# Prints "VERSION SHA256-OF-THE-DSC" of the newest version of a source package in a suite.
suite_source_version() {
	suite_apt "$1" apt-cache showsrc --only-source "$2" 2>/dev/null | awk '
		/^Version:/ { version = $2; in_sums = 0 }
		/^Checksums-Sha256:/ { in_sums = 1; next }
		/^[^ ]/ { in_sums = 0 }
		in_sums && $3 ~ /\.dsc$/ { print version, $1 }' | newest_version
}

# Prints "VERSION SHA256-OF-THE-DEB" of the newest version of a binary package in a suite.
suite_binary_version() {
	suite_apt "$1" apt-cache show "$2" 2>/dev/null | awk '
		/^Version:/ { version = $2 }
		/^SHA256:/ { print version, $2 }' | newest_version
}

newest_version() {
	newest='' newest_sum=''
	while read -r version sum; do
		if [ -z "$newest" ] || dpkg --compare-versions "$version" gt "$newest"; then
			newest=$version newest_sum=$sum
		fi
	done
	[ -n "$newest" ] && echo "$newest $newest_sum"
}
