#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 at any moment: the last revision stays whole, and the next publish cleans up.
. "$(dirname "$0")/../functions.sh"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/repo" 2>/dev/null
mktree -s "$T/tree" 2>/dev/null
fetchfs publish -q --level=1 -k "$T/key" "$T/repo" "$T/tree"
killed=0

for milliseconds in 010 020 035 050 070 090 120 160 200 250 300 400 550 700; do
	head -c 6000000 /dev/urandom >"$T/tree/sizes/new-$milliseconds"
	fetchfs publish -q --level=9 -k "$T/key" "$T/repo" "$T/tree" 2>/dev/null &
	publisher=$!
	sleep "0.$milliseconds"
	kill -9 $publisher 2>/dev/null && killed=$((killed + 1))
	wait $publisher 2>/dev/null || :
	fetchfs fsck -K "$T/key.pub" "$T/repo" 2>"$T/output" || fail "after $milliseconds ms: $(cat "$T/output")"
done
step "killed $killed times"
[ $killed -gt 0 ] || fail "every publish was faster than the kill"

step "what a power cut may leave of an object that nobody names is written again"
head -c 5000000 /dev/urandom >"$T/tree/sizes/after"
cp -r "$T/repo" "$T/copy"
fetchfs publish -q --level=9 -k "$T/key" "$T/copy" "$T/tree"
(cd "$T/copy" && find objects -type f) | while read -r object; do
	[ -e "$T/repo/$object" ] || { mkdir -p "$(dirname "$T/repo/$object")" && : >"$T/repo/$object"; }
done
: >"$T/repo/tmp/left-over"
fetchfs publish -q --level=9 -k "$T/key" "$T/repo" "$T/tree"
fetchfs fsck -K "$T/key.pub" "$T/repo" 2>"$T/output" || fail "an empty object was believed: $(cat "$T/output")"
[ -z "$(ls "$T/repo/tmp")" ] || fail "tmp/ was not cleaned"
fetchfs export "$T/repo" "$T/out" 2>/dev/null
compare=
[ "$(id -u)" -eq 0 ] || compare=-u
# shellcheck disable=SC2086 # none or one
treecmp $compare "$T/tree" "$T/out" || fail "the export differs"
