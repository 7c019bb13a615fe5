#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds a list of options against a kernel's final .config and names each that is not there as asked.
# usage: check-config.sh CONFIG [LIST]     (LIST: required.list beside this script; - is standard input)
# Knows: the two forms of a .config line. Must not know: architectures, or why an option is wanted.
#
# A line of LIST is CONFIG_NAME=VALUE or "# CONFIG_NAME is not set", as in a fragment; either may end in
# " if CONFIG_OTHER", and then counts only where OTHER is on. Other comments and empty lines are skipped;
# of two lines about one option the last counts, so that fragments can be given one after the other.
# Exit: 0 all there, 1 some missing, 2 no list or no .config to check.
set -eu

trouble() {
	echo "check-config.sh: $*" >&2
	exit 2
}

[ $# -eq 1 ] || [ $# -eq 2 ] || trouble "usage: check-config.sh CONFIG [LIST]"
config=$1
list=${2:-$(dirname "$0")/required.list}
[ -r "$config" ] || trouble "cannot read the kernel configuration $config"
[ "$list" = - ] || [ -r "$list" ] || trouble "cannot read the list of options $list"

# "# CONFIG_A is not set" is kept as the value n, as is an option that the file does not name.
awk -v config="$config" -v list="$list" '
	function parse(line) {
		name = ""
		if (line ~ /^# CONFIG_[A-Za-z0-9_]+ is not set$/) {
			split(line, word, " ")
			name = word[2]
			value = "n"
		} else if (line ~ /^CONFIG_[A-Za-z0-9_]+=/) {
			name = substr(line, 1, index(line, "=") - 1)
			value = substr(line, index(line, "=") + 1)
		}
		return name != ""
	}
	function has(option) { return option in final ? final[option] : "n" }
	FILENAME == config { if (parse($0)) final[name] = value; next }
	/^[ \t]*$/ { next }
	{
		line = $0
		condition = ""
		if (match(line, / if CONFIG_[A-Za-z0-9_]+$/)) {
			condition = substr(line, RSTART + 4)
			line = substr(line, 1, RSTART - 1)
		}
		if (parse(line)) {
			if (!(name in wanted)) order[++count] = name
			wanted[name] = value
			where[name] = condition
		} else if (line !~ /^#/) {
			printf "check-config.sh: %s: cannot make sense of: %s\n", list, $0
			bad = 1
		}
	}
	END {
		if (bad) exit 2
		if (!count) {
			printf "check-config.sh: %s names no option\n", list
			exit 2
		}
		for (i = 1; i <= count; i++) {
			name = order[i]
			if (where[name] != "" && has(where[name]) != "y") continue
			if (has(name) == wanted[name]) continue
			printf "%s: %s is %s, wanted %s\n", config, name, has(name), wanted[name]
			missing++
		}
		if (missing) {
			printf "check-config.sh: %d of %d options of %s are not as wanted: each depends on one that is off, or is gone from this kernel\n", missing, count, list
			exit 1
		}
	}' "$config" "$list" >&2
