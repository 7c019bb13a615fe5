#!/bin/sh
# SPDX-License-Identifier: MIT
# Asked by hand for a newer snapshot, a mount changes to it: what is pinned is fetched and kept anew, and what is recorded goes on.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

m=$T/mnt
ctl() { fetchfs ctl "$m" "$@"; }
shows() { [ "$(getfattr --only-values -n user.fetchfs.revision "$m" 2>/dev/null)" = "$1" ]; }
pins_are_there() { ctl pin >"$T/pins" && ! grep -q 'queued\|fetching\|incomplete' "$T/pins"; }

fetchfs keygen "$T/key"
mkdir -p "$T/www" "$T/tree/kept" "$T/tree/other" "$m"
fetchfs init -n test -k "$T/key" "$T/www/repo"
for i in 1 2 3 4; do
	head -c 60000 /dev/urandom >"$T/tree/kept/file$i"
	head -c 60000 /dev/urandom >"$T/tree/other/file$i"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
fetchfs mount -K "$T/key.pub" -c "$T/cache" -o ttl=86400 "$server_url/repo" "$m"
unmount_with_test "$m"
shows 1 || fail "not at revision 1"

step "pinned and recorded"
ctl pin --wait kept/ >/dev/null
ctl record start "$T/recorded" >/dev/null
expect_failure 64 'recording already' fetchfs ctl "$m" record start "$T/other-recording"
expect_failure 64 'absolute path' fetchfs ctl "$m" record start relative
cat "$m/other/file1" >/dev/null

step "a newer snapshot by hand"
ctl --json update status | grep -q '"next_revision": 0' || fail "update status: $(ctl --json update status)"
head -c 60000 /dev/urandom >"$T/tree/kept/file2"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
shows 1 || fail "changed without being asked"
ctl update >/dev/null
wait_for 20 shows 2
cmp "$T/tree/kept/file2" "$m/kept/file2"
ctl info | grep -q '^revision:* *2$' || fail "info: $(ctl info)"

step "what is pinned is kept of the new one too"
wait_for 20 pins_are_there
ctl cache evict 1G >/dev/null
stop_nginx
echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || :
for i in 1 2 3 4; do
	timeout 10 cmp "$T/tree/kept/file$i" "$m/kept/file$i" || fail "kept/file$i is not kept"
done

step "what was recorded"
ctl record stop >/dev/null
grep -q '^/other/file1$' "$T/recorded" || fail "recorded: $(cat "$T/recorded")"
grep -q '^/kept/file2$' "$T/recorded" || fail "not recorded after the change: $(cat "$T/recorded")"
expect_failure 64 'not recording' fetchfs ctl "$m" record stop
expect_failure 64 "expected 'start FILE' or 'stop'" fetchfs ctl "$m" record dance

step "where there is nothing to update"
fetchfs umount "$m"
start_nginx
fetchfs mount -K "$T/key.pub" -c "$T/cache" -o revision=1 "$server_url/repo" "$m"
expect_failure 64 'nothing to update' fetchfs ctl "$m" update
