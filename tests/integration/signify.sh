#!/bin/sh
# SPDX-License-Identifier: MIT
# Keys and signatures are signify's own: each program reads what the other wrote.
. "$(dirname "$0")/../functions.sh"
signify=$(command -v signify-openbsd || command -v signify || :)
[ -n "$signify" ] || skip "signify-openbsd is not installed"

step "a key pair of fetchfs signs with signify, and the secret key is private"
fetchfs keygen "$T/ours"
[ "$(stat -c %a "$T/ours.sec")" = 600 ] || fail "the secret key has mode $(stat -c %a "$T/ours.sec")"
echo hello >"$T/message"
"$signify" -S -e -s "$T/ours.sec" -m "$T/message" -x "$T/signed"
"$signify" -V -q -e -p "$T/ours.pub" -x "$T/signed" -m "$T/back"
cmp "$T/message" "$T/back"

step "an existing key is not overwritten"
expect_failure 73 'ours' fetchfs keygen "$T/ours"

step "a repository's manifest and keyring verify with signify"
mkdir "$T/tree"
echo content >"$T/tree/file"
fetchfs init -n test -k "$T/ours" "$T/repo"
fetchfs publish -k "$T/ours" "$T/repo" "$T/tree"
for file in manifest keyring; do
	"$signify" -V -q -e -p "$T/ours.pub" -x "$T/repo/$file" -m "$T/text"
	grep -q '^name: test$' "$T/text" || fail "$file does not name the repository"
done

step "a key pair of signify publishes"
"$signify" -G -n -p "$T/theirs.pub" -s "$T/theirs.sec"
fetchfs init -n test -k "$T/theirs" "$T/repo2"
fetchfs publish -k "$T/theirs" "$T/repo2" "$T/tree"
"$signify" -V -q -e -p "$T/theirs.pub" -x "$T/repo2/manifest" -m "$T/text"

step "a passphrase of fetchfs opens in fetchfs only with the right one"
printf 'correct horse\n' >"$T/pass"
printf 'wrong\n' >"$T/wrong"
fetchfs keygen --passphrase-file "$T/pass" "$T/locked"
fetchfs init -n test -k "$T/locked" --passphrase-file "$T/pass" "$T/repo3"
expect_failure 77 '[Pp]assphrase' fetchfs publish -k "$T/locked" --passphrase-file "$T/wrong" "$T/repo3" "$T/tree"
fetchfs publish -k "$T/locked" --passphrase-file "$T/pass" "$T/repo3" "$T/tree"
