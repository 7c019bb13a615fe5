#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages are true to the programs: every command and option of --list-options stands in the page, and the page names no long option that
# does not exist.
. "$(dirname "$0")/../functions.sh"

for program in fetchfs mkimage contextualize; do
	page=docs/man/$program.1
	step "$program"
	[ -f "$page" ] || fail "$page is missing"
	"$program" --list-options >"$T/options"
	[ -s "$T/options" ] || fail "$program --list-options prints nothing"
	while read -r verb option; do
		grep -q "$verb" "$page" || fail "$page does not name the command '$verb'"
		[ -z "$option" ] || grep -qF -- "Fl -${option#--}" "$page" || fail "$page does not name $option of '$verb'"
	done <"$T/options"
	# In mdoc a long option is written: Fl -name
	grep -oE 'Fl -[a-z][a-z-]+' "$page" | sed 's/Fl -/--/' | sort -u >"$T/named"
	while read -r option; do
		grep -q -- " $option\$" "$T/options" || [ "$option" = --help ] || [ "$option" = --version ] ||
			fail "$page names $option, which $program does not have"
	done <"$T/named"
done

step "mandoc finds no error"
command -v mandoc >/dev/null || skip "mandoc is not installed"
for page in docs/man/*.[1-8]; do
	mandoc -T lint -W error "$page" >"$T/lint" || fail "$page: $(cat "$T/lint")"
done
