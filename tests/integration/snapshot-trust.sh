#!/bin/sh
# SPDX-License-Identifier: MIT
# Whom a client believes over time: keyrings that are replaced and keys that are revoked, old and expired manifests while it is mounted, and clocks that are
# far off. Each refusal says why, and never takes away what is mounted.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v faketime >/dev/null || skip "faketime is not installed"
signify=$(command -v signify-openbsd || command -v signify || :)
[ -n "$signify" ] || skip "signify-openbsd is not installed"

m=$T/mnt
now=$(date +%s)
day=86400
shows() { [ "$(cat "$m/number")" = "$1" ]; }
said() { grep -qE -- "$1" "$T/log"; }
says() { wait_for 20 said "$1"; }
mount_it() {
	mkdir -p "$m"
	: >"$T/log"
	fetchfs mount -f -K "$T/root.pub" -c "$T/cache" -o ttl=1 "$@" "$server_url/repo" "$m" 2>>"$T/log" &
	client=$!
	end_with_test "$client"
	unmount_with_test "$m"
	wait_for 20 mountpoint -q "$m"
}
# publish KEY: the next number
number=0
publish() {
	number=$((number + 1))
	echo "$number" >"$T/tree/number"
	fetchfs publish -q -k "$T/$1" "$T/www/repo" "$T/tree"
}
# keyring SERIAL EXPIRES KEY...: signed with the root key
keyring() {
	{
		printf 'spore-keyring: 1\nname: test\nserial: %s\ntime: %s\nexpires: %s\n' "$1" "$now" "$2"
		shift 2
		for key in "$@"; do
			printf 'key: %s\n' "$(sed -n 2p "$T/$key.pub")"
		done
	} >"$T/keyring.text"
	"$signify" -S -e -s "$T/root.sec" -m "$T/keyring.text" -x "$T/www/next" && mv "$T/www/next" "$T/www/repo/keyring"
}
# show FILE: becomes the manifest, in one step
show() { cp "$1" "$T/www/next" && mv "$T/www/next" "$T/www/repo/manifest"; }

mkdir -p "$T/www" "$T/tree"
for key in root one two; do
	fetchfs keygen "$T/$key" 2>/dev/null
done
fetchfs init -n test -k "$T/one" --root-key "$T/root" "$T/www/repo"
publish one
serve_nginx "$T/www"

step "a new keyring is taken while it is mounted, and with it a new key"
mount_it -o follow
shows 1 || fail "it shows $(cat "$m/number")"
keyring 2 $((now + 900 * day)) one two
publish two
wait_for 20 shows 2

step "a revoked key: what it signs is refused, and what is mounted stays"
keyring 3 $((now + 900 * day)) two
publish two
wait_for 20 shows 3
cp "$T/www/repo/keyring" "$T/keyring.3"
keyring 2 $((now + 900 * day)) one two
publish one
says 'keyring: serial 2 is older than serial 3, .* keys that have been revoked'
cp "$T/keyring.3" "$T/www/repo/keyring"
says 'manifest: it is signed with a key that the keyring \(serial 3\) does not hold'
shows 3 || fail "it shows $(cat "$m/number")"
mkdir -p "$T/second"
expect_failure 65 'signed with a key that the keyring \(serial 3\) does not hold' \
	fetchfs mount -K "$T/root.pub" -c "$T/cache" "$server_url/repo" "$T/second"
keyring 4 $((now + 900 * day)) one two
publish two
wait_for 20 shows 5

step "an older revision, a foreign and an altered manifest"
cp "$T/www/repo/manifest" "$T/manifest.5"
show "$T/www/repo/history/2"
says 'refused .*/manifest: revision 2 is older than revision'
sed 's/^inodes: .*/inodes: 1/' "$T/manifest.5" >"$T/altered"
show "$T/altered"
says 'manifest: its signature is wrong'
echo 'Log in' >"$T/altered"
show "$T/altered"
says 'manifest: it is not signed'
echo '<html>Log in</html>' >"$T/altered"
show "$T/altered"
says 'manifest: an HTML page instead of the file'
mv "$T/www/repo" "$T/www/mine"
fetchfs init -n another -k "$T/one" --root-key "$T/root" "$T/www/repo" 2>/dev/null
fetchfs publish -q -k "$T/one" "$T/www/repo" "$T/tree"
says 'it is the repository another now, and test is mounted'
mv "$T/www/repo" "$T/www/another"
mv "$T/www/mine" "$T/www/repo"
shows 5 || fail "it shows $(cat "$m/number")"
show "$T/manifest.5"
publish two
wait_for 20 shows 6

step "a manifest that expires while it is mounted, with nothing newer to be had: said, and it stays"
fetchfs umount "$m"
number=$((number + 1))
echo "$number" >"$T/tree/number"
SOURCE_DATE_EPOCH=$(($(date +%s) - day + 5)) fetchfs publish -q --expires 1 -k "$T/two" "$T/www/repo" "$T/tree"
mount_it -o follow
shows "$number" || fail "it shows $(cat "$m/number")"
says 'manifest: it expired on .* this machine.s clock'
says 'has expired, and nothing newer is to be had: it stays mounted'
shows "$number" || fail "it shows $(cat "$m/number")"
mkdir -p "$T/second"
expect_failure 65 'manifest: it expired on' fetchfs mount -K "$T/root.pub" -c "$T/cache" "$server_url/repo" "$T/second"
publish two
wait_for 20 shows "$number"
fetchfs umount "$m"

step "a clock without a battery: signatures are judged by the newest one that was accepted, and that is said"
export FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
early='@1970-01-02 00:00:00'
# In the foreground: faketime waits for what it has started.
fake_mount() {
	clock=$1
	shift
	mkdir -p "$m"
	faketime -f "$clock" fetchfs mount -f -K "$T/root.pub" -c "$T/cache" -o pin "$@" "$server_url/repo" "$m" >"$T/log" 2>&1 &
	client=$!
	end_with_test "$client"
	unmount_with_test "$m"
	while ! mountpoint -q "$m"; do
		kill -0 "$client" 2>/dev/null || return 1
		sleep 0.05
	done
}
rm -rf "$T/cache" "$T/www/repo"
fetchfs init -n test -k "$T/one" --root-key "$T/root" "$T/www/repo"
SOURCE_DATE_EPOCH=$((now - 400 * day)) fetchfs publish -q -k "$T/one" "$T/www/repo" "$T/tree"
cp "$T/www/repo/manifest" "$T/expired"
fetchfs publish -q -k "$T/one" "$T/www/repo" "$T/tree"
fake_mount "$early" || fail "it cannot be mounted in 1970: $(cat "$T/log")"
said "this machine's clock says 1970-01-02 .*, which is before 20" || fail "it does not speak of the clock: $(cat "$T/log")"
fetchfs umount "$m"
show "$T/expired"
fake_mount "$early" && fail "in 1970 a manifest is taken that had expired when the one before it was signed"
said 'manifest: it expired on .* which says 1970' || fail "it says: $(cat "$T/log")"
rm -rf "$T/cache"
fake_mount "$early" || fail "with nothing known, the first manifest is to be believed: $(cat "$T/log")"
fetchfs umount "$m"

step "a clock far ahead: refused, and the clock is named; what is pinned is mounted all the same"
rm -rf "$T/cache"
fetchfs publish -q -k "$T/one" "$T/www/repo" "$T/tree"
late='@2150-01-01 00:00:00'
fake_mount "$late" && fail "in 2150 everything has expired"
said "keyring: it expired on .* set this machine's clock right, which says 2150-01-01" || fail "it says: $(cat "$T/log")"
fake_mount '+0' -o "pin=$T/pin" || fail "cannot mount: $(cat "$T/log")"
fetchfs umount "$m"
fake_mount "$late" -o "pin=$T/pin" || fail "a pinned snapshot cannot be mounted in 2150: $(cat "$T/log")"
said 'is pinned and mounted though it expired on' || fail "it does not say that it has expired: $(cat "$T/log")"
fetchfs umount "$m"

step "a pinned choice whose key is revoked since"
keyring 2 $((now + 900 * day)) one two
fetchfs publish -q -k "$T/two" -t revoking "$T/www/repo" "$T/tree"
keyring 3 $((now + 900 * day)) two
echo other >"$T/tree/number"
fetchfs publish -q -k "$T/two" "$T/www/repo" "$T/tree"
mount_it -o follow
fetchfs umount "$m"
fake_mount '+0' -o "pin=$T/pin" && fail "a revoked key is believed"
said "refused $T/pin: the key that signed revision 1 was revoked by keyring serial 3" || fail "it says: $(cat "$T/log")"
