#!/bin/sh
# SPDX-License-Identifier: MIT
# Pinned paths: fetched in the background, never evicted, there without the server and in later mounts and revisions, repaired after damage, and let go again.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v jq >/dev/null || skip "jq is not installed"

ctl() { fetchfs ctl "$T/mnt" "$@"; }
attribute() { getfattr --only-values -n "user.fetchfs.$1" "$T/mnt/$2" 2>/dev/null; }
is_cached() { [ "$(attribute cached "$1")" = yes ]; }
# shellcheck disable=SC2154 # set by serve_nginx
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@" "$server_url/repo"; }
publish() { fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"; }
# pin_state PATH: its state in the list.
pin_state() { ctl --json pin --list | jq -r --arg path "$1" '.pins[] | select(.path == $path) | .state'; }
is_complete() { [ "$(pin_state "$1")" = complete ]; }
is_unpinned() { [ -z "$(pin_state "$1")" ]; }
evict_all() { ctl cache evict 1T >/dev/null; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mkdir -p "$T/tree/usr/bin" "$T/tree/usr/lib/deep/er" "$T/tree/etc"
head -c 9000000 /dev/urandom >"$T/tree/large"
for n in 1 2 3 4 5; do
	# Larger than what shares a pack.
	head -c 2500000 /dev/urandom >"$T/tree/usr/bin/program$n"
	echo "library $n" >"$T/tree/usr/lib/deep/er/lib $n%"
	echo "setting $n" >"$T/tree/etc/file$n"
done
: >"$T/tree/usr/lib/empty"
truncate -s 3M "$T/tree/usr/lib/hole"
ln -s usr/bin "$T/tree/bin"
# So many that the first of them has a catalog of its own.
for n in 1 2 3 4; do
	mkdir -p "$T/tree/many/$n"
	(cd "$T/tree/many/$n" && seq 4500 | xargs touch)
	echo "content $n" >"$T/tree/many/$n/content"
done
publish
serve_nginx "$T/www"
mount_it

step "a directory, a large file, and a name with all sorts of characters"
ctl --wait pin usr/lib/ | grep -qx 'state  *complete' || fail "usr/lib/"
fetchfs ctl --json --wait "$T/mnt" pin //usr/bin///program1 | jq -e '.path == "usr/bin/program1" and .files == 1 and .kept_bytes == 2500000' >/dev/null ||
	fail "usr/bin/program1: $(ctl pin)"
ctl --wait pin large >/dev/null || fail "large"
ctl --wait pin 'usr/lib/deep/er/lib 1%' >/dev/null || fail "lib 1%"
ctl --wait pin many/1/ >/dev/null || fail "many/1/"
[ "$(ctl --json cache | jq '.catalogs > 1')" = true ] || fail "the catalogs are not nested"
for path in usr/lib/deep/er/lib\ 5% usr/bin/program1 large; do
	is_cached "$path" || fail "$path is not cached: $(attribute cached "$path")"
done
[ "$(ctl --json cache | jq '.pinned_files >= 4 and .pinned_bytes >= 11500000')" = true ] || fail "pinned: $(ctl cache)"

step "what is pinned is not evicted, all else is"
cat "$T/mnt/usr/bin/"* "$T/mnt/etc/"* >/dev/null
is_cached usr/bin/program2 || fail "program2 should be there"
evict_all
is_cached usr/bin/program2 && fail "program2 was not evicted"
for path in usr/lib/deep/er/lib\ 5% usr/bin/program1 large; do
	is_cached "$path" || fail "$path was evicted"
done

step "it is there in a later mount without the server; the rest is not"
fetchfs umount "$T/mnt"
stop_nginx
mount_it -o mount_timeout=1,timeout=1 2>"$T/output"
cmp "$T/tree/large" "$T/mnt/large" || fail "large"
diff -r "$T/tree/usr/lib" "$T/mnt/usr/lib" || fail "usr/lib"
diff -r "$T/tree/many/1" "$T/mnt/many/1" || fail "many/1"
cmp "$T/tree/usr/bin/program1" "$T/mnt/usr/bin/program1" || fail "program1"
cmp "$T/tree/usr/bin/program2" "$T/mnt/usr/bin/program2" 2>/dev/null && fail "program2 can be read without the server"
wait_for 10 is_complete usr/lib/
expect_failure 69 'did not answer in time' fetchfs ctl --wait "$T/mnt" pin usr/bin/program2
[ "$(pin_state usr/bin/program2)" = incomplete ] || fail "not incomplete: $(ctl pin)"
fetchfs umount "$T/mnt"

step "with the server back what is missing comes by itself"
start_nginx
mount_it
wait_for 20 is_complete usr/bin/program2
is_cached usr/bin/program2 || fail "program2 is not cached"

step "a new revision: what changed is fetched, and the old content is let go"
old="$T/cache/repositories/nasty/pinned/$(attribute hash .)"
[ -d "$old" ] || fail "$old is not there"
fetchfs umount "$T/mnt"
head -c 2600000 /dev/urandom >"$T/tree/usr/bin/program1"
publish
mount_it
wait_for 20 is_complete usr/bin/program1
is_cached usr/bin/program1 || fail "program1 is not cached"
cmp "$T/tree/usr/bin/program1" "$T/mnt/usr/bin/program1" || fail "program1"
is_folder_gone() { [ ! -e "$1" ]; }
wait_for 20 is_folder_gone "$old"

step "killed, and pinned files damaged: they are fetched again"
kill_mount "$T/mnt"
umount -l "$T/mnt" 2>/dev/null || fusermount3 -uz "$T/mnt"
find "$T/cache/files" -type f -size +1M | while read -r file; do
	printf x | dd of="$file" bs=1 seek=1000 conv=notrunc status=none
done
mount_it
wait_for 20 is_complete large
wait_for 20 is_complete usr/bin/program1
evict_all
is_cached large || fail "large is not kept after the repair"
is_cached usr/bin/program1 || fail "program1 is not kept after the repair"
cmp "$T/tree/large" "$T/mnt/large" || fail "large"
cmp "$T/tree/usr/bin/program1" "$T/mnt/usr/bin/program1" || fail "program1"

step "unpinned, it can be evicted, save what another pin covers"
ctl unpin large >/dev/null
ctl unpin 'usr/lib/deep/er/lib 1%' >/dev/null
ctl unpin usr/bin/program1 >/dev/null
wait_for 10 is_unpinned large
wait_for 10 is_unpinned usr/bin/program1
wait_for 10 is_complete usr/lib/
evict_all
is_cached large && fail "large was not evicted"
is_cached usr/bin/program1 && fail "program1 was not evicted"
is_cached 'usr/lib/deep/er/lib 1%' || fail "lib 1% was evicted although usr/lib/ is pinned"
expect_failure 66 'is not pinned' fetchfs ctl "$T/mnt" unpin large

step "a path that left the list while nothing was mounted is let go by the next mount"
ctl --wait pin large >/dev/null || fail "large"
ctl pin usr/never >/dev/null
fetchfs umount "$T/mnt"
sed -i '/^large$/d' "$T/cache/repositories/nasty/pins"
mount_it
wait_for 10 is_complete usr/lib/
large_is_gone() { evict_all && ! is_cached large; }
wait_for 10 large_is_gone
is_cached 'usr/lib/deep/er/lib 1%' || fail "lib 1% was evicted"

step "everything"
ctl --wait pin / >/dev/null || fail "pin /"
evict_all
for path in large usr/bin/program5 etc/file1; do
	is_cached "$path" || fail "$path was evicted"
done
ctl unpin / >/dev/null
wait_for 10 is_unpinned /

step "paths that cannot be"
expect_failure 69 'no such file' fetchfs ctl -w "$T/mnt" pin usr/none
expect_failure 69 'is a directory' fetchfs ctl -w "$T/mnt" pin usr
expect_failure 69 'symbolic link' fetchfs ctl -w "$T/mnt" pin bin/program1
expect_failure 69 'no directory' fetchfs ctl -w "$T/mnt" pin large/
expect_failure 64 'without . and ..' fetchfs ctl "$T/mnt" pin ../etc
expect_failure 64 'expected .pin PATH' fetchfs ctl -w "$T/mnt" info
fetchfs umount "$T/mnt"

step "more than the quota holds: said, and read all the same"
rm -rf "$T/cache"
mount_it -q 4M
expect_failure 69 'quota or disk is full' fetchfs ctl -w "$T/mnt" pin usr/bin/
[ "$(ctl --json pin | jq '.pins[0].missing_files > 0')" = true ] || fail "nothing is missing: $(ctl pin)"
cmp "$T/tree/usr/bin/program5" "$T/mnt/usr/bin/program5" || fail "program5"
fetchfs umount "$T/mnt"

step "a list that was spoilt is said, and not used"
echo rubbish >"$T/cache/repositories/nasty/pins"
mount_it -f >"$T/words" 2>&1 &
mounting=$!
wait_for 10 mountpoint -q "$T/mnt"
[ "$(ctl --json pin | jq '.pins | length')" = 0 ] || fail "pins from rubbish"
expect_failure 73 'malformed; remove it' fetchfs ctl "$T/mnt" pin large
fetchfs umount "$T/mnt"
wait "$mounting"
grep -q 'the list of pins in the cache cannot be used: malformed' "$T/words" || fail "not said: $(cat "$T/words")"
