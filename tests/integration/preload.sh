#!/bin/sh
# SPDX-License-Identifier: MIT
# fetchfs preload: a cache is filled without a mount (all, paths, a profile), goes on after an interruption, serves as a cache and beneath one without the server,
# and says what it could not bring.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v jq >/dev/null || skip "jq is not installed"

# shellcheck disable=SC2154 # set by serve_nginx
preload() { fetchfs preload -K "$T/key.pub" --json "$@" "$server_url/repo"; }
# is JQ-EXPRESSION: of the summary.
is() { jq -e "$1" "$T/summary" >/dev/null || fail "not $1: $(cat "$T/summary")"; }
compare() { diff -r --no-dereference "$T/tree" "$1" >"$T/differences" || fail "$2: $(head -n 5 "$T/differences")"; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n pre -k "$T/key" "$T/www/repo"
mkdir -p "$T/tree/usr/bin" "$T/tree/usr/lib" "$T/tree/etc"
for n in 1 2 3 4 5; do
	head -c 2500000 /dev/urandom >"$T/tree/usr/bin/program$n"
	head -c 700000 /dev/urandom >"$T/tree/usr/lib/library$n"
	echo "setting $n" >"$T/tree/etc/file$n"
done
head -c 9000000 /dev/urandom >"$T/tree/large"
ln -s usr/bin "$T/tree/bin"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"

step "everything; once more there is nothing to fetch"
preload -c "$T/cache" >"$T/summary" || fail "exit $?"
is '.complete and .name == "pre" and .revision == 1 and .files == 16 and .bytes == 25000050 and .missing_files == 0 and .fetched_bytes > 25000000'
preload -c "$T/cache" >"$T/summary" || fail "exit $?"
is '.complete and .files == 16 and .fetched_bytes < 4000'
[ "$(cat "$T/cache/session")" = clean ] || fail "the cache is not marked clean"

step "it serves without the server, and beneath another one"
stop_nginx
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" -o mount_timeout=1 "$server_url/repo"
compare "$T/mnt" "the preloaded cache"
fetchfs umount "$T/mnt"
start_nginx || fail "nginx does not start"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/upper" -o "lower=$T/cache,profile=none" "$server_url/repo"
compare "$T/mnt" "beneath"
[ "$(mount_stat "$T/mnt" objects)" = 0 ] || fail "objects were fetched although they are beneath"
fetchfs umount "$T/mnt"

step "paths, and what is wrong with one"
preload -c "$T/paths" usr/lib/ /etc/file3 >"$T/summary" || fail "exit $?"
is '.complete and .files == 6 and .bytes == 3500010'
[ -z "$(find "$T/paths/files" -size +8000k)" ] || fail "the large file was fetched"
expect_failure 66 "'usr/none': there is no such file" fetchfs preload -K "$T/key.pub" -c "$T/paths" usr/none large "$server_url/repo"
preload -c "$T/paths" large >"$T/summary" || fail "exit $?"
is '.fetched_bytes < 4000'
expect_failure 64 'without . and ..' fetchfs preload -K "$T/key.pub" -c "$T/paths" ../x "$server_url/repo"
expect_failure 64 'name a directory with -c' fetchfs preload -K "$T/key.pub" -c ram "$server_url/repo"

step "a quota that is too small: said, by its exit code too"
code=0
preload -c "$T/small" -q 8M >"$T/summary" 2>"$T/words" || code=$?
[ "$code" = 69 ] || fail "exit $code"
grep -q 'quota or disk is full' "$T/words" || fail "not said: $(cat "$T/words")"
is '(.complete | not) and .missing_files > 0'

step "interrupted: in order, and it goes on"
stop_nginx
server_limit_rate=2000000
start_nginx || fail "nginx does not start"
fetchfs preload -K "$T/key.pub" -c "$T/part" -o parallel=1 "$server_url/repo" >"$T/summary" 2>"$T/words" &
running=$!
has_some() { [ -n "$(find "$T/part/files" -type f -size +100k 2>/dev/null)" ]; }
wait_for 30 has_some
kill "$running"
code=0
wait "$running" || code=$?
[ "$code" = 69 ] || fail "exit $code: $(cat "$T/words")"
grep -q 'interrupted; what has come is kept' "$T/words" || fail "not said: $(cat "$T/words")"
[ "$(cat "$T/part/session")" = clean ] || fail "the cache is not marked clean"
stop_nginx
server_limit_rate=0
start_nginx || fail "nginx does not start"
preload -c "$T/part" >"$T/summary" || fail "exit $?"
is '.complete and .files == 16 and .fetched_bytes < 25000000'

step "a profile"
rm -rf "$T/rec"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/rec" --record "$T/boot.profile" "$server_url/repo"
cat "$T/mnt/usr/bin/program2" "$T/mnt/etc/file1" >/dev/null
fetchfs umount "$T/mnt"
fetchfs publish -q -k "$T/key" --profile "$T/boot.profile" "$T/www/repo" "$T/tree"
preload -c "$T/profiled" --profile boot >"$T/summary" || fail "exit $?"
is '.complete and .fetched_bytes > 2500000 and .fetched_bytes < 20000000'
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/profiled" -o profile=none "$server_url/repo"
cmp "$T/tree/usr/bin/program2" "$T/mnt/usr/bin/program2" || fail "program2"
[ "$(mount_stat "$T/mnt" objects)" = 0 ] || fail "what the profile lists was not all there"
fetchfs umount "$T/mnt"
expect_failure 66 "has no profile 'none-such'" fetchfs preload -K "$T/key.pub" -c "$T/profiled" --profile none-such "$server_url/repo"

step "no server"
stop_nginx
expect_failure 69 'no server answers' fetchfs preload -K "$T/key.pub" -c "$T/cache" -o mount_timeout=1 "$server_url/repo"
