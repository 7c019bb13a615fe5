#!/bin/sh
# SPDX-License-Identifier: MIT
# Files that a profile names share packs: who reads them fetches little else. Without the profile the same reads bring their neighbours too.
. "$(dirname "$0")/../functions.sh"
need_fuse

mkdir "$T/tree" "$T/mnt"
n=0
while [ $n -lt 40 ]; do
	head -c 200000 /dev/urandom >"$T/tree/file$n"
	n=$((n + 1))
done
printf '# a comment\n/file3\n/file13\n/file23\n/file33\n/not/there\n' >"$T/profile"
fetchfs keygen "$T/key"

# bytes_read REPO: what a client with an empty cache fetches for the profile's files
bytes_read() {
	fetchfs mount -K "$T/key.pub" -c "$T/cache-$1" "$T/$1" "$T/mnt"
	unmount_with_test "$T/mnt"
	for file in file3 file13 file23 file33; do
		cmp "$T/tree/$file" "$T/mnt/$file" || fail "$file came back wrong"
	done
	getfattr --only-values -n user.fetchfs.stats "$T/mnt" | sed 's/.*"bytes_fetched": *\([0-9]*\).*/\1/' | grep -o '[0-9]*' | head -n 1 >"$T/bytes"
	fetchfs umount "$T/mnt"
	read -r bytes <"$T/bytes"
}

step "with the profile"
fetchfs init -n test -k "$T/key" "$T/with"
fetchfs publish -q -k "$T/key" --profile "$T/profile" "$T/with" "$T/tree"
bytes_read with
if [ "$bytes" -lt 800000 ] || [ "$bytes" -ge 1000000 ]; then fail "fetched $bytes bytes for 800,000 of content"; fi

step "without it"
fetchfs init -n test -k "$T/key" "$T/without"
fetchfs publish -q -k "$T/key" "$T/without" "$T/tree"
bytes_read without
[ "$bytes" -gt 4000000 ] || fail "fetched only $bytes bytes: the comparison shows nothing"

step "bad profiles"
printf 'relative/path\n' >"$T/bad"
expect_failure 65 'bad:1: not an absolute path' fetchfs publish -k "$T/key" --profile "$T/bad" "$T/with" "$T/tree"
: >"$T/empty"
expect_failure 65 'names no file' fetchfs publish -k "$T/key" --profile "$T/empty" "$T/with" "$T/tree"
expect_failure 66 'missing' fetchfs publish -k "$T/key" --profile "$T/missing" "$T/with" "$T/tree"
