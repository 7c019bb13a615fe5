#!/bin/sh
# SPDX-License-Identifier: MIT
# A tar is as good a source as a directory, for anybody: owners and devices need no privilege. What is wrong with a tar is said.
. "$(dirname "$0")/../functions.sh"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/repo" 2>/dev/null

publish() { fetchfs publish -q --level=3 -k "$T/key" "$T/repo" "$1"; }

step "a tree by way of fetchfs's own tar"
# What no tar can say is left out: sockets, and fractions of the second before 1970.
mktree -s "$T/tree" 2>/dev/null
touch -h -d @-1 "$T/tree/times/1969" "$T/tree/types/symlink"
rm "$T/tree/types/socket"
touch -d @1234567890 "$T/tree/types"
publish "$T/tree"
for suffix in tar tar.gz tar.xz tar.zst; do
	fetchfs export -o "$T/tree.$suffix" "$T/repo"
done
fetchfs stat --json "$T/repo" | jq -r .root >"$T/root"
for suffix in tar.gz tar.xz tar.zst; do
	publish "$T/tree.$suffix"
	fetchfs stat --json "$T/repo" | jq -r .root | cmp - "$T/root" || fail "a $suffix is not the same as the directory it came from"
done
publish - <"$T/tree.tar"
fetchfs stat --json "$T/repo" | jq -r .root | cmp - "$T/root" || fail "standard input is not the same as the directory"

step "a tree by way of GNU tar"
if [ "$(id -u)" -eq 0 ]; then
	# It does not see that two FIFOs are one.
	rm "$T/tree/forest/fifo"
	touch -d @1234567899 "$T/tree/forest"
	tar --format=pax --xattrs --xattrs-include='*' --acls --numeric-owner --sparse -C "$T/tree" -cf - . | publish -
	fetchfs export "$T/repo" "$T/out"
	treecmp -H "$T/tree" "$T/out" || fail "a tar differs from the directory"
	tar --format=gnu --numeric-owner -C "$T/tree" -czf "$T/gnu.tgz" names links owners forest types
	publish "$T/gnu.tgz"
fi

step "without root: owners and devices of a tar"
mkdir "$T/small"
echo text >"$T/small/file"
user=
if [ "$(id -u)" -eq 0 ]; then
	mknod "$T/small/null" c 1 3
	chmod 711 "$T"
	chown -R 65534 "$T/repo" "$T/key.sec"
	user="setpriv --reuid=65534 --clear-groups"
fi
tar --owner=4294967294 --group=12 --format=pax -C "$T/small" -cf "$T/small.tar" .
# shellcheck disable=SC2086 # a command with its options
$user "$(command -v fetchfs)" publish -q -k "$T/key" "$T/repo" "$T/small.tar"
fetchfs ls -l "$T/repo" | grep -q ' 4294967294  *12 .* file$' || fail "the owner was lost"
if [ -n "$user" ]; then
	fetchfs ls -l "$T/repo" | grep -q '^crw.* 1,3 ' || fail "the device was lost"
	chown -R 0 "$T/repo" "$T/key.sec"
fi

step "missing parents, absolute names, the same name twice, links"
mkdir -p "$T/odd/a/b"
echo one >"$T/odd/a/b/file"
ln "$T/odd/a/b/file" "$T/odd/a/b/link"
tar -C "$T/odd" -cf "$T/odd.tar" a/b/file a/b/link
echo two >"$T/odd/a/b/file2"
tar -C "$T/odd" --transform='s,.*file2,/a/b/file,' -P -rf "$T/odd.tar" a/b/file2
publish "$T/odd.tar"
[ "$(fetchfs cat "$T/repo" a/b/file)" = two ] || fail "the last one did not win"
[ "$(fetchfs cat "$T/repo" a/b/link)" = one ] || fail "the hard link did not keep its content"
fetchfs ls -l "$T/repo" a | grep -q '^drwxr-xr-x .* 0  *0 .* b$' || fail "the missing parent is not a directory of root's"

step "bad tars are refused, with the reason"
tar -C "$T/odd" -P --transform='s,^,../,' -cf "$T/bad.tar" a/b/file
expect_failure 65 "contains '\.\.'" publish "$T/bad.tar"
head -c 100000 "$T/tree.tar.gz" >"$T/bad.tar"
expect_failure 65 "cannot read .*bad.tar" publish "$T/bad.tar"
head -c 1000000 "$T/tree.tar" >"$T/bad.tar"
expect_failure 65 "cannot read .*bad.tar" publish "$T/bad.tar"
head -c 20000 /dev/urandom >"$T/bad.tar"
expect_failure 65 "as a tar" publish "$T/bad.tar"
: >"$T/bad.tar"
expect_failure 65 "is empty|as a tar" publish "$T/bad.tar"
expect_failure 66 "cannot open the source" publish "$T/no-such.tar"
[ "$(fetchfs cat "$T/repo" a/b/file)" = two ] || fail "a refused tar changed what is published"
fetchfs fsck -K "$T/key.pub" "$T/repo" 2>/dev/null || fail "the repository is not whole"
