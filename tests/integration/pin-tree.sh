#!/bin/sh
# SPDX-License-Identifier: MIT
# What the tree itself wants pinned (/.spore/pinfiles): fetched and kept at a mount and after a change of revision, within half of the quota, told apart from what
# the user pinned; a list that is spoilt is said.
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
# pin_is PATH STATE SOURCE
pin_is() { ctl --json pin | jq -e --arg path "$1" --arg state "$2" --arg source "$3" '.pins[] | select(.path == $path) | .state == $state and .source == $source' >/dev/null; }
is_unpinned() { [ -z "$(ctl --json pin | jq -r --arg path "$1" '.pins[] | select(.path == $path)')" ]; }
evict_all() { ctl cache evict 1T >/dev/null; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mkdir -p "$T/tree/usr/bin" "$T/tree/.spore"
for n in 1 2 3 4 5; do
	head -c 2500000 /dev/urandom >"$T/tree/usr/bin/program$n"
done
printf '# what the boot needs\n\n/usr/bin/program1\nusr/bin/program2\n' >"$T/tree/.spore/pinfiles"
publish
serve_nginx "$T/www"

step "what the list names is fetched and kept"
mount_it -o follow,ttl=100000
wait_for 20 pin_is usr/bin/program1 complete tree
wait_for 20 pin_is usr/bin/program2 complete tree
evict_all
for n in 1 2; do is_cached "usr/bin/program$n" || fail "program$n was evicted"; done
[ "$(ctl --json pin | jq '.pins | length')" = 2 ] || fail "$(ctl pin)"

step "beside what the user pins"
ctl --wait pin usr/bin/program1 >/dev/null
ctl --wait pin usr/bin/program3 >/dev/null
pin_is usr/bin/program1 complete 'user, tree' || fail "$(ctl pin)"
pin_is usr/bin/program3 complete user || fail "$(ctl pin)"
expect_failure 66 'pinned by the tree itself' fetchfs ctl "$T/mnt" unpin usr/bin/program2
ctl unpin usr/bin/program1 >/dev/null
wait_for 20 pin_is usr/bin/program1 complete tree
grep -q program2 "$T/cache/repositories/nasty/pins" && fail "the tree's list is in the cache's"

step "another revision has another list"
printf 'usr/bin/program2\nusr/bin/program4' >"$T/tree/.spore/pinfiles"
publish
ctl update >/dev/null
wait_for 20 pin_is usr/bin/program4 complete tree
wait_for 20 is_unpinned usr/bin/program1
gone() { evict_all && ! is_cached usr/bin/program1; }
wait_for 20 gone
for n in 2 3 4; do is_cached "usr/bin/program$n" || fail "program$n was evicted"; done
fetchfs umount "$T/mnt"

step "a later mount without the server"
stop_nginx
mount_it -o mount_timeout=1
wait_for 20 pin_is usr/bin/program3 complete user
for n in 2 3 4; do cmp "$T/tree/usr/bin/program$n" "$T/mnt/usr/bin/program$n" || fail "program$n"; done
fetchfs umount "$T/mnt"
start_nginx || fail "nginx does not start"

step "a list that cannot be read while the server is away is read when it is back"
mount_it
wait_for 20 pin_is usr/bin/program4 complete tree
evict_all
fetchfs umount "$T/mnt"
stop_nginx
mount_it -f -o mount_timeout=1,soft=1 >"$T/words" 2>&1 &
mounting=$!
wait_for 20 grep -q 'pinfiles cannot be used' "$T/words"
is_unpinned usr/bin/program4 || fail "the list was in the cache, so this tests nothing: $(ctl pin)"
start_nginx || fail "nginx does not start"
wait_for 60 pin_is usr/bin/program4 complete tree
fetchfs umount "$T/mnt"
wait "$mounting"

step "no more than half of the quota"
echo / >"$T/tree/.spore/pinfiles"
publish
rm -rf "$T/cache"
mount_it -q 12M
wait_for 30 pin_is / incomplete tree
[ "$(ctl --json pin | jq '.pins[0] | .kept_bytes > 4000000 and .kept_bytes <= 6291456 and (.error | contains("half of the quota"))')" = true ] || fail "$(ctl --json pin)"
fetchfs umount "$T/mnt"

step "lines that are no paths, and a list that is too large"
printf 'usr/bin/program5\n../etc\n' >"$T/tree/.spore/pinfiles"
publish
mount_it -f >"$T/words" 2>&1 &
mounting=$!
wait_for 10 mountpoint -q "$T/mnt"
wait_for 20 pin_is usr/bin/program5 complete tree
fetchfs umount "$T/mnt"
wait "$mounting"
grep -q '1 of its lines are passed over, the first is line 2' "$T/words" || fail "not said: $(cat "$T/words")"
seq 200000 >"$T/tree/.spore/pinfiles"
publish
mount_it -f >"$T/words" 2>&1 &
mounting=$!
wait_for 10 mountpoint -q "$T/mnt"
wait_for 20 grep -q 'pinfiles cannot be used: it is larger than 1 MiB' "$T/words"
fetchfs umount "$T/mnt"
wait "$mounting"
