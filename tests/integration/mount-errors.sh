#!/bin/sh
# SPDX-License-Identifier: MIT
# Bad input to fetchfs mount: each gives one message that says what, where, why and what to do, and its exit code; and never a wrong byte.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

refused() {
	want=$1 pattern=$2
	shift 2
	expect_failure "$want" "$pattern" fetchfs mount -c "$T/cache" "$@" "$T/mnt"
	[ "$(wc -l <"$T/output")" -eq 1 ] || fail "not one message: $(cat "$T/output")"
	mountpoint -q "$T/mnt" && fail "it is mounted all the same"
	return 0
}

mkdir -p "$T/mnt" "$T/www" "$T/tree/folder"
fetchfs keygen "$T/key"
fetchfs keygen "$T/other"
for i in 1 2 3 4 5 6 7 8 9; do
	seq "$i" 20000 >"$T/tree/folder/$i"
done
head -c 5000000 /dev/urandom >"$T/tree/large"
fetchfs init -n test -k "$T/key" "$T/www/repo"
fetchfs publish -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
url=$server_url/repo

step "wrong usage"
refused 64 'no key' "$url"
refused 64 "unknown mount option 'nonsense'" -K "$T/key.pub" -o nonsense "$url"
refused 64 'quota' -K "$T/key.pub" -q 12x "$url"
refused 64 'URL' -K "$T/key.pub" gopher://x/y
refused 66 'no-such.pub' -K "$T/no-such.pub" "$url"
refused 65 'no public key' -K "$T/tree/folder/1" "$url"
expect_failure 66 'No such file' fetchfs mount -K "$T/key.pub" -c "$T/cache" "$url" "$T/missing"

step "wrong URL, dead port, no such host, no repository there yet"
refused 66 'no repository at .*404.*check the URL' -K "$T/key.pub" "$server_url/wrong"
refused 66 'No such file' -K "$T/key.pub" "$T/no-such-directory"
refused 66 'no repository' -K "$T/key.pub" "$T/tree"
refused 69 'cannot fetch http://127.0.0.1:1/.*check URL, network and server' -K "$T/key.pub" -o mount_timeout=1 http://127.0.0.1:1/repo
refused 69 'cannot fetch .*nowhere.invalid' -K "$T/key.pub" -o mount_timeout=1 http://nowhere.invalid/repo
mkdir -p "$T/www/empty" && cp "$T/www/repo/keyring" "$T/www/empty/"
refused 66 'nothing is published' -K "$T/key.pub" "$server_url/empty"

step "wrong key, unsigned, altered, a login page instead"
refused 65 'another key' -K "$T/other.pub" "$url"
cp -r "$T/www/repo" "$T/www/bad"
sed 1,2d "$T/www/repo/manifest" >"$T/www/bad/manifest"
refused 65 'manifest: it is not signed' -K "$T/key.pub" "$server_url/bad"
sed 's/^revision: .*/revision: 9/' "$T/www/repo/manifest" >"$T/www/bad/manifest"
refused 65 'signature is wrong' -K "$T/key.pub" "$server_url/bad"
echo '<html>Please log in</html>' >"$T/www/bad/keyring"
refused 69 'keyring: an HTML page instead of the file: a captive portal' -K "$T/key.pub" -o mount_timeout=1 "$server_url/bad"
head -c 2000000 /dev/zero >"$T/www/bad/keyring"
refused 65 'larger than' -K "$T/key.pub" "$server_url/bad"

step "expired"
fetchfs init -n old -k "$T/key" "$T/www/old"
SOURCE_DATE_EPOCH=1600000000 fetchfs publish -k "$T/key" "$T/www/old" "$T/tree"
refused 65 'manifest: it expired on 202' -K "$T/key.pub" "$server_url/old"

step "no such tag, a cache that cannot be made"
refused 66 "no tag 'stable'" -K "$T/key.pub" -t stable "$url"
expect_failure 73 'cannot use the cache directory' fetchfs mount -K "$T/key.pub" -c "$T/key.pub/cache" "$url" "$T/mnt"

step "umount of what is not mounted"
expect_failure 66 'cannot unmount' fetchfs umount "$T/tree"

# Every object but the root catalog is cut, emptied, altered, or another one's.
spoil() {
	rm -rf "$T/www/bad"
	cp -r "$T/www/repo" "$T/www/bad"
	root=$(sed -n 's/^root: \([^ ]*\).*/\1/p' "$T/www/repo/manifest")
	find "$T/www/bad/objects" -type f ! -name "$root" >"$T/objects"
	while read -r object; do
		case $1 in
		cut) truncate -s -10 "$object" ;;
		empty) : >"$object" ;;
		alter) printf 'xxxxxxxx' | dd of="$object" bs=1 seek=100 conv=notrunc status=none ;;
		gone) rm "$object" ;;
		esac
	done <"$T/objects"
}

for how in cut empty alter gone; do
	step "objects $how: an error after the time limit, and no wrong byte"
	spoil "$how"
	rm -rf "$T/cache"
	mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" -o timeout=1 "$server_url/bad"
	for file in folder/1 large; do
		if timeout 20 cat "$T/mnt/$file" >"$T/read" 2>"$T/error"; then
			fail "$file could be read"
		fi
		grep -q 'Input/output error' "$T/error" || fail "not EIO: $(cat "$T/error")"
		cmp -s -n "$(stat -c %s "$T/read")" "$T/read" "$T/tree/$file" || fail "a wrong byte of $file"
	done
	[ "$(mount_stat "$T/mnt" faults)" -gt 0 ] || fail "no fault was counted"
	fetchfs umount "$T/mnt"
done

step "without a time limit the read waits until the server has the right thing"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$server_url/bad"
cat "$T/mnt/folder/2" >"$T/read" &
reader=$!
sleep 1
kill -0 "$reader" || fail "it did not wait"
cp -r "$T/www/repo/objects/." "$T/www/bad/objects/"
wait "$reader" || fail "the read failed"
cmp "$T/read" "$T/tree/folder/2" || fail "folder/2 differs"
fetchfs umount "$T/mnt"

step "a bad mirror does not matter where there is a good one"
spoil alter
rm -rf "$T/cache"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$server_url/bad" "$url"
treecmp "$T/tree" "$T/mnt" >"$T/differences" || [ "$(id -u)" -ne 0 ] || fail "$(cat "$T/differences")"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
[ "$(mount_stat "$T/mnt" bad_objects)" -gt 0 ] || fail "no bad object was counted"
fetchfs umount "$T/mnt"

step "the root catalog spoilt: the mount fails in time"
truncate -s -10 "$T/www/bad/objects/$(echo "$root" | cut -c4-5)/$root"
rm -rf "$T/cache"
refused 69 'root catalog' -K "$T/key.pub" -o mount_timeout=2 "$server_url/bad"

if [ "$(id -u)" -eq 0 ]; then
	step "the disk of the cache is full: files can be read all the same"
	mkdir -p "$T/small"
	mount -t tmpfs -o size=2500k,nr_inodes=2k tmpfs "$T/small"
	mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/small/cache" -q 1G "$url"
	test_mounts="$test_mounts $T/small"
	treecmp "$T/tree" "$T/mnt" >"$T/differences" || fail "$(cat "$T/differences")"
	[ "$(mount_stat "$T/mnt" cache_full)" -gt 0 ] || fail "the disk was not full: the test is wrong"
	fetchfs umount "$T/mnt"
fi
