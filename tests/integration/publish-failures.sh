#!/bin/sh
# SPDX-License-Identifier: MIT
# A publish that cannot succeed says which file is to blame, and what was served before stays served.
. "$(dirname "$0")/../functions.sh"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/repo" 2>/dev/null
mkdir "$T/tree"
echo first >"$T/tree/file"
fetchfs publish -q -k "$T/key" "$T/repo" "$T/tree"
cp "$T/repo/manifest" "$T/manifest"

still_served() {
	cmp "$T/manifest" "$T/repo/manifest" || fail "the manifest changed"
	fetchfs fsck -K "$T/key.pub" "$T/repo" 2>/dev/null || fail "the repository is not whole"
}
publish() { fetchfs publish -q -k "$T/key" "$T/repo" "$T/tree"; }

step "an unreadable file"
mkdir "$T/tree/below"
echo secret >"$T/tree/below/unreadable"
chmod 0 "$T/tree/below/unreadable"
if [ "$(id -u)" -eq 0 ]; then
	chmod 711 "$T"
	chown -R 65534 "$T/repo" "$T/key.sec"
	expect_failure 77 'cannot open .*/tree/below/unreadable: Permission denied' setpriv --reuid=65534 --clear-groups \
		"$(command -v fetchfs)" publish -q -k "$T/key" "$T/repo" "$T/tree"
	chown -R 0 "$T/repo" "$T/key.sec"
else
	expect_failure 77 'cannot open .*/tree/below/unreadable: Permission denied' publish
fi
rm -rf "$T/tree/below"
still_served

step "a file that grows while it is read"
(while :; do echo x >>"$T/tree/growing"; done) &
writer=$!
end_with_test $writer
wait_for 5 test -s "$T/tree/growing"
head -c 20000000 /dev/urandom >"$T/tree/first"
expect_failure 65 '/tree/growing changed while it was read' publish
kill $writer
wait $writer 2>/dev/null || :
rm "$T/tree/growing" "$T/tree/first"
still_served

step "a file that vanishes"
# More than the publisher reads ahead, at a level that takes its time.
head -c 67108864 /dev/urandom >"$T/tree/a-large"
echo here >"$T/tree/vanishing"
: >"$T/started"
fetchfs publish -q -j 1 --level=22 -k "$T/key" "$T/repo" "$T/tree" >"$T/output" 2>&1 &
publisher=$!
wait_for 30 sh -c "[ \$(find '$T/repo/objects' -newer '$T/started' -type f | wc -l) -gt 0 ]"
rm "$T/tree/vanishing"
code=0
wait $publisher || code=$?
[ $code = 66 ] || fail "exit $code: $(cat "$T/output")"
grep -q '/tree/vanishing vanished' "$T/output" || fail "the output lacks the name: $(cat "$T/output")"
rm "$T/tree/a-large"
still_served

step "a full disk"
if [ "$(id -u)" -eq 0 ] && mkdir "$T/disk" && mount -t tmpfs -o size=2m tmpfs "$T/disk" 2>/dev/null; then
	unmount_with_test "$T/disk"
	fetchfs init -n full -k "$T/key" "$T/disk/repo" 2>/dev/null
	fetchfs publish -q -k "$T/key" "$T/disk/repo" "$T/tree"
	cp "$T/disk/repo/manifest" "$T/disk-manifest"
	head -c 8000000 /dev/urandom >"$T/tree/large"
	expect_failure 73 'No space left on device' fetchfs publish -q -k "$T/key" "$T/disk/repo" "$T/tree"
	cmp "$T/disk-manifest" "$T/disk/repo/manifest" || fail "the manifest changed"
	fetchfs fsck -K "$T/key.pub" "$T/disk/repo" 2>/dev/null || fail "the repository on the full disk is not whole"
	rm "$T/tree/large"
else
	echo "  left out: needs root and a tmpfs"
fi

step "a key that the keyring does not hold, and one that is not there"
fetchfs keygen "$T/other" 2>/dev/null
expect_failure 77 'keyring does not hold it' fetchfs publish -q -k "$T/other" "$T/repo" "$T/tree"
expect_failure 66 'no-such.sec' fetchfs publish -q -k "$T/no-such" "$T/repo" "$T/tree"
expect_failure 64 'the key that signs' fetchfs publish -q "$T/repo" "$T/tree"
still_served

step "keys with a passphrase"
echo "open sesame" >"$T/passphrase"
echo "wrong" >"$T/wrong"
fetchfs keygen --passphrase-file="$T/passphrase" "$T/locked" 2>/dev/null
grep -q "open sesame" "$T/locked.sec" && fail "the passphrase is in the key"
[ "$(stat -c %a "$T/locked.sec")" = 600 ] || fail "the secret key is not private"
fetchfs init -n locked -k "$T/locked" --passphrase-file="$T/passphrase" "$T/locked-repo" 2>/dev/null
FETCHFS_PASSPHRASE_FILE="$T/passphrase" fetchfs publish -q -k "$T/locked" "$T/locked-repo" "$T/tree"
expect_failure 77 'passphrase .* is wrong' fetchfs publish -q --passphrase-file="$T/wrong" -k "$T/locked" "$T/locked-repo" "$T/tree"
expect_failure 77 'no terminal to ask on' setsid fetchfs publish -q -k "$T/locked" "$T/locked-repo" "$T/tree"
expect_failure 73 'never overwritten' fetchfs keygen "$T/locked"

step "a release key that another root key vouches for"
fetchfs init -n two -k "$T/key" --root-key "$T/other" "$T/two" 2>/dev/null
fetchfs publish -q -k "$T/key" "$T/two" "$T/tree"
fetchfs fsck -K "$T/other.pub" "$T/two" 2>/dev/null || fail "the root key does not open the repository"
expect_failure 65 'signed with another key' fetchfs fsck -K "$T/key.pub" "$T/two"

step "no repository, one that is in use, one that is part of the source"
expect_failure 66 'is no repository' fetchfs publish -q -k "$T/key" "$T/tree" "$T/tree"
expect_failure 73 'not empty' fetchfs init -n test -k "$T/key" "$T/repo"
expect_failure 64 'cannot name a repository' fetchfs init -n '../x' -k "$T/key" "$T/new"
expect_failure 69 'being changed by another program' flock "$T/repo/lock" fetchfs publish -q -k "$T/key" "$T/repo" "$T/tree"
mkdir "$T/tree/inside"
mv "$T/repo" "$T/tree/inside/repo"
expect_failure 64 'lies within the source' fetchfs publish -q -k "$T/key" "$T/tree/inside/repo" "$T/tree"
mv "$T/tree/inside/repo" "$T/repo"
rmdir "$T/tree/inside"
still_served

step "an expired keyring"
SOURCE_DATE_EPOCH=1000000000 fetchfs init -n old -k "$T/key" --expires 1 "$T/old" 2>/dev/null
expect_failure 65 'keyring .* has expired' fetchfs publish -q -k "$T/key" "$T/old" "$T/tree"
expect_failure 64 'SOURCE_DATE_EPOCH' env SOURCE_DATE_EPOCH=tomorrow fetchfs publish -q -k "$T/key" "$T/repo" "$T/tree"
