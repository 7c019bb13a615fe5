#!/bin/sh
# SPDX-License-Identifier: MIT
# ls, cat, export, fsck and stat: on a directory and over HTTP, and on a repository that somebody has damaged.
. "$(dirname "$0")/../functions.sh"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs keygen "$T/other" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/repo" 2>/dev/null
expect_failure 66 'nothing is published' fetchfs ls "$T/repo"
mktree -s "$T/tree" 2>/dev/null
fetchfs publish -q --level=3 -t stable -k "$T/key" "$T/repo" "$T/tree"

step "ls and cat"
(cd "$T/tree" && ls -A names) | LC_ALL=C sort >"$T/want"
fetchfs ls "$T/repo" names | LC_ALL=C sort | cmp - "$T/want" || fail "the names differ"
fetchfs ls -R --json "$T/repo" | jq -r '.[] | select(.type == "file") | .size' | wc -l >"$T/count"
[ "$(cat "$T/count")" = "$(find "$T/tree" -type f -printf 'x\n' | wc -l)" ] || fail "ls -R --json does not list every file"
fetchfs cat "$T/repo" sizes/5000000 | cmp - "$T/tree/sizes/5000000" || fail "a large file differs"
fetchfs cat "$T/repo" sparse/holes-between | cmp - "$T/tree/sparse/holes-between" || fail "a sparse file differs"
fetchfs ls -l "$T/repo" types/symlink | grep -q -- 'types/symlink -> plain$' || fail "ls -l of one file"
expect_failure 66 'cannot list /no/such' fetchfs ls "$T/repo" /no/such
expect_failure 66 'no regular file but a fifo' fetchfs cat "$T/repo" types/fifo
expect_failure 66 "has no tag 'none'" fetchfs ls -t none "$T/repo"

step "stat"
fetchfs stat --json -K "$T/key.pub" "$T/repo" >"$T/stat"
[ "$(jq .files "$T/stat")" = "$(find "$T/tree" -type f -printf '%i\n' | sort -u | wc -l)" ] || fail "stat counts files wrongly"
[ "$(jq .verified "$T/stat")" = true ] || fail "stat does not say that it verified"
fetchfs stat "$T/repo" | grep -q 'not verified' || fail "stat without a key does not say so"

step "export of a part, into a new directory only"
fetchfs export -p sizes "$T/repo" "$T/part"
cmp "$T/part/4097" "$T/tree/sizes/4097" || fail "a part's file differs"
expect_failure 73 'is not empty' fetchfs export "$T/repo" "$T/part"

step "over HTTP"
mkdir "$T/web"
ln -s ../repo "$T/web/repo"
python3 -u -m http.server --bind 127.0.0.1 --directory "$T/web" 0 >"$T/http.log" 2>&1 &
end_with_test $!
wait_for 10 grep -q 'port [0-9]' "$T/http.log"
url=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$T/http.log" | head -n 1)/repo
fetchfs cat -K "$T/key.pub" "$url" sizes/4096 | cmp - "$T/tree/sizes/4096" || fail "a file over HTTP differs"
fetchfs fsck -K "$T/key.pub" "$url" 2>/dev/null || fail "fsck over HTTP"
expect_failure 66 'is no repository' fetchfs ls "$url/nothing-here"
expect_failure 65 'signed with another key' fetchfs ls -K "$T/other.pub" "$url"
expect_failure 69 'cannot fetch http://127.0.0.1:1/' fetchfs ls http://127.0.0.1:1/

step "fsck finds a truncated, an altered and a missing object, each by name"
object=$(find "$T/repo/objects" -type f -size +100k | sort | head -n 1)
cp "$object" "$T/kept"
truncate -s -1 "$object"
expect_failure 65 "$(basename "$object") .*truncated or altered" fetchfs fsck "$T/repo"
expect_failure 65 "$(basename "$object") has [0-9]* bytes" fetchfs fsck --quick "$T/repo"
cp "$T/kept" "$object"
printf '\377' | dd of="$object" bs=1 seek=5000 conv=notrunc 2>/dev/null
expect_failure 65 "$(basename "$object") .*damaged" fetchfs fsck "$T/repo"
rm "$object"
expect_failure 65 "$(basename "$object") is missing" fetchfs fsck "$T/repo"
fetchfs fsck --json "$T/repo" >"$T/fsck" 2>/dev/null && fail "fsck --json succeeds on a damaged repository"
[ "$(jq .ok "$T/fsck")" = false ] || fail "fsck --json says ok"
cp "$T/kept" "$object"
fetchfs fsck -K "$T/key.pub" "$T/repo" 2>/dev/null || fail "the mended repository is not whole"

step "an altered manifest, keyring and history"
cp "$T/repo/manifest" "$T/kept"
sed -i 's/^revision: 1/revision: 2/' "$T/repo/manifest"
expect_failure 65 'signature of the manifest .* is wrong' fetchfs ls "$T/repo"
sed -n '3,$p' "$T/kept" >"$T/repo/manifest"
expect_failure 65 'not signed' fetchfs ls "$T/repo"
cp "$T/kept" "$T/repo/manifest"
cp "$T/repo/keyring" "$T/kept"
sed -i 's/^serial: 1/serial: 9/' "$T/repo/keyring"
expect_failure 65 'signature of the keyring .* is wrong' fetchfs ls -K "$T/key.pub" "$T/repo"
cp "$T/kept" "$T/repo/keyring"
echo >>"$T/repo/history/1"
expect_failure 65 'history/1 is damaged' fetchfs fsck "$T/repo"
