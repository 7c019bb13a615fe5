#!/bin/sh
# SPDX-License-Identifier: MIT
# What is published comes back exactly; the same input gives the same repository; what is known already is not stored again.
# 60,000 files are made and removed several times: in memory where that can be had (the small trees of the other tests lie on a disk).
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || [ "$(df -k --output=avail /dev/shm | tail -n 1)" -lt 1000000 ] || export TMPDIR=/dev/shm
. "$(dirname "$0")/../functions.sh"
# Far enough from the present that nothing expires on the way.
now=$(($(date +%s) - 86400))
export SOURCE_DATE_EPOCH=$now
fetchfs keygen "$T/key" 2>/dev/null

new_repository() { fetchfs init -n test -k "$T/key" "$1" 2>/dev/null; }

# field FILE NAME: a number or word of the summary.
field() { jq -r ".$2" "$1"; }

step "a tree with everything in it comes back as it was"
compare=-H
[ "$(id -u)" -eq 0 ] || compare="-H -u"
mktree "$T/tree" 2>/dev/null
new_repository "$T/repo"
fetchfs publish --json -q --level=3 -k "$T/key" "$T/repo" "$T/tree" >"$T/first"
[ "$(field "$T/first" revision)" = 1 ] || fail "the first revision is not 1"
[ "$(field "$T/first" catalogs)" -gt 2 ] || fail "a tree of 60,000 entries was not split"
fetchfs fsck -K "$T/key.pub" "$T/repo" 2>/dev/null || fail "the repository is not whole"
fetchfs export -K "$T/key.pub" "$T/repo" "$T/out"
# shellcheck disable=SC2086
treecmp $compare "$T/tree" "$T/out" || fail "the export differs"
chmod -R u+rwx "$T/out" && rm -rf "$T/out"

step "publishing it again into another repository gives the same bytes, whatever the number of jobs"
new_repository "$T/twin"
fetchfs publish -q --level=3 -j 7 -k "$T/key" "$T/twin" "$T/tree"
diff -r "$T/repo" "$T/twin" || fail "two publishes of the same tree differ"

step "an unchanged tree makes no revision"
fetchfs publish --json -q --level=3 -k "$T/key" "$T/repo" "$T/tree" >"$T/again"
[ "$(field "$T/again" changed)" = false ] || fail "an unchanged tree made a revision"
[ "$(field "$T/again" new_objects)" = 0 ] || fail "an unchanged tree made objects"
diff -r "$T/repo" "$T/twin" || fail "an unchanged tree changed the repository"

step "a changed file costs one small object and one catalog"
echo "another line" >>"$T/tree/sizes/4096"
fetchfs publish --json -q --level=3 -k "$T/key" "$T/repo" "$T/tree" >"$T/changed"
[ "$(field "$T/changed" revision)" = 2 ] || fail "a changed tree made no revision"
[ "$(field "$T/changed" new_contents)" = 1 ] || fail "one changed file made $(field "$T/changed" new_contents) contents"
[ "$(field "$T/changed" new_catalogs)" = 1 ] || fail "one changed file made $(field "$T/changed" new_catalogs) catalogs"
[ "$(fetchfs cat "$T/repo" sizes/4096 | tail -n 1 | tail -c 13)" = "another line" ] || fail "the change is not there"

step "a dry run tells the same and writes nothing"
echo "yet another" >>"$T/tree/sizes/4096"
find "$T/repo" -type f -exec sha256sum {} + | sort >"$T/before"
fetchfs publish --json -q --dry-run "$T/repo" "$T/tree" >"$T/dry"
[ "$(field "$T/dry" new_contents)" = 1 ] || fail "the dry run did not see the change"
find "$T/repo" -type f -exec sha256sum {} + | sort | cmp - "$T/before" || fail "the dry run wrote"

step "tags hold on to their revision"
fetchfs publish -q --level=3 -t stable -k "$T/key" "$T/repo" "$T/tree"
rm "$T/tree/sizes/4096"
fetchfs publish -q --level=3 -t latest -k "$T/key" "$T/repo" "$T/tree"
fetchfs ls "$T/repo" sizes | grep -qx 4096 && fail "a removed file is still there"
fetchfs ls -t stable "$T/repo" sizes | grep -qx 4096 || fail "the tag lost its file"
fetchfs publish --json -q -t latest -k "$T/key" "$T/repo" "$T/tree" >"$T/tagged"
[ "$(field "$T/tagged" changed)" = false ] || fail "a tag that is there made a revision"
fetchfs publish --json -q -t other -k "$T/key" "$T/repo" "$T/tree" >"$T/tagged"
[ "$(field "$T/tagged" changed)" = true ] || fail "a new tag made no revision"
fetchfs fsck -K "$T/key.pub" "$T/repo" 2>/dev/null || fail "the repository is not whole"

step "every revision's manifest is kept, and signify agrees with the signature"
for n in 1 2 3 4 5; do
	[ -s "$T/repo/history/$n" ] || fail "history/$n is missing"
done
cmp "$T/repo/manifest" "$T/repo/history/5" || fail "the manifest is not that of the last revision"
if command -v signify-openbsd >/dev/null; then
	signify-openbsd -V -e -q -p "$T/key.pub" -x "$T/repo/manifest" -m "$T/text" || fail "signify refuses the manifest"
	grep -qx 'revision: 5' "$T/text" || fail "the manifest does not say its revision"
fi

step "a manifest that is half over is signed again"
SOURCE_DATE_EPOCH=$((now + 200 * 86400)) fetchfs publish -k "$T/key" "$T/repo" "$T/tree" 2>"$T/output"
grep -q "signed again" "$T/output" || fail "it was not signed again: $(cat "$T/output")"
grep -qx "revision: 5" "$T/repo/manifest" || fail "signing again made a revision"
grep -qx "time: $((now + 200 * 86400))" "$T/repo/manifest" || fail "the time is the old one"
