#!/bin/sh
# SPDX-License-Identifier: MIT
# Profiles from recording to use: a mount notes what is read, publish lays that out and lists it, the next mount fetches it ahead, and then the same reads ask
# the server for nothing more. Budgets hold, a warm cache fetches nothing, whoever waits for something else goes first.
. "$(dirname "$0")/../functions.sh"
need_fuse

mkdir "$T/tree" "$T/tree/few" "$T/tree/many" "$T/tree/many2"
n=0
while [ $n -lt 40 ]; do
	head -c 200000 /dev/urandom >"$T/tree/few/file$n"
	n=$((n + 1))
done
# Names enough for many/ to get a catalog of its own.
(cd "$T/tree/many" && seq 9000 | xargs touch && printf 'deep' >hello && cd ../many2 && seq 9000 | xargs touch && printf 'deeper' >hello)
head -c 19000000 /dev/urandom >"$T/tree/big"
strange=$(printf 'a\\b\nc\303\244\377 ')
echo strange >"$T/tree/$strange"
fetchfs keygen "$T/key"

# What is recorded and read again: small files, parts of a large one, a strange name, one in a catalog of its own.
# Not the beginning of the large one: the client reads on ahead from there.
workload() {
	for file in few/file33 few/file3 few/file23 "$strange" few/file13 many/hello; do
		cmp "$T/tree/$file" "$1/$file" || fail "$file came back wrong"
	done
	for part in 1 4 8; do
		dd if="$1/big" bs=65536 skip=$((part * 32)) count=1 status=none >"$T/part"
		dd if="$T/tree/big" bs=65536 skip=$((part * 32)) count=1 status=none | cmp - "$T/part" || fail "part $part of the large file came back wrong"
	done
	ls "$1/few" >/dev/null
}

# new_repository NAME PUBLISH-ARGUMENT...
new_repository() {
	name=$1
	shift
	fetchfs init -n test -k "$T/key" "$T/$name"
	fetchfs publish -q -l 1 -k "$T/key" "$@" "$T/$name" "$T/tree"
}

# mount_here REPOSITORY-URL CACHE ARGUMENT...: at $T/mnt, until fetchfs umount
mount_here() {
	url=$1 cache=$2
	shift 2
	fetchfs mount -K "$T/key.pub" -c "$cache" "$@" "$url" "$T/mnt"
	unmount_with_test "$T/mnt"
}
profiles_done() { [ "$(mount_stat "$T/mnt" profiles_done)" -ge "$1" ]; }
requests() { grep -c 'GET /with/' "$T/nginx/access.log" || :; }

mkdir "$T/mnt"
step "recording"
new_repository plain
mount_here "$T/plain" "$T/cache-record" --record "$T/recording"
[ -e "$T/recording" ] || fail "there is no file from the beginning"
workload "$T/mnt"
wait_for 20 grep -q '^/few/$' "$T/recording"
fetchfs umount "$T/mnt"
cat >"$T/wanted" <<'END'
# what was read of test, revision 1, in order
/few/file33
/few/file3
/few/file23
/a\134b\012cä\377\040
/few/file13
/many/
/many/hello
/big	2097152+2097152
/big	8388608+2097152
/big	16777216+2097152
/few/
END
diff "$T/wanted" "$T/recording" || fail "the recording is not what was read"
expect_failure 73 'cannot record to' fetchfs mount -K "$T/key.pub" -c "$T/cache-record" --record "$T/missing/recording" "$T/plain" "$T/mnt"

step "publishing with it"
mkdir "$T/served"
new_repository served/with --profile "$T/recording"
fetchfs publish --json -q -k "$T/key" --profile "$T/recording" "$T/served/with" "$T/tree" >"$T/unchanged"
grep -q '"changed": false' "$T/unchanged" || fail "the same tree and profile made a new revision"
new_repository again --profile "$T/wanted" -j 1
new_repository again2 --profile "$T/wanted" -j 3
[ "$(grep '^profile:' "$T/again/manifest")" = "$(grep '^profile:' "$T/again2/manifest")" ] || fail "the list depends on the number of workers"
fetchfs fsck -K "$T/key.pub" "$T/served/with" || fail "fsck finds fault"

step "a cold mount with it: the same reads ask for nothing more"
serve_nginx "$T/served"
mount_here "$server_url/with" "$T/cache"
wait_for 30 profiles_done 1
before=$(requests)
workload "$T/mnt"
[ "$(requests)" = "$before" ] || fail "the workload sent $(($(requests) - before)) requests: $(tail -n 3 "$T/nginx/access.log")"
[ "$(mount_stat "$T/mnt" profile_objects)" -ge 5 ] || fail "only $(mount_stat "$T/mnt" profile_objects) objects were fetched ahead"
bytes=$(mount_stat "$T/mnt" bytes_fetched)
[ "$bytes" -lt 7600000 ] || fail "fetched $bytes bytes for about 7,300,000 of content"
fetchfs umount "$T/mnt"

step "a warm one fetches nothing"
before=$(requests)
mount_here "$server_url/with" "$T/cache"
wait_for 30 profiles_done 1
[ $(($(requests) - before)) -le 2 ] || fail "more than keyring and manifest was fetched: $(tail -n 5 "$T/nginx/access.log")"
[ "$(mount_stat "$T/mnt" profile_present)" -ge 5 ] || fail "what is there was not seen"

step "also after kill -9"
kill_mount "$T/mnt"
fetchfs umount -l "$T/mnt" 2>/dev/null || umount -l "$T/mnt"
before=$(requests)
mount_here "$server_url/with" "$T/cache"
wait_for 30 profiles_done 1
[ $(($(requests) - before)) -le 2 ] || fail "more than keyring and manifest was fetched: $(tail -n 5 "$T/nginx/access.log")"
workload "$T/mnt"
[ $(($(requests) - before)) -le 2 ] || fail "the workload sent requests"
fetchfs umount "$T/mnt"

step "what was evicted is fetched again, and only that"
rm "$(find "$T/cache/files" -type f -size +500k ! -name "*.part" | head -n 1)"
mount_here "$server_url/with" "$T/cache"
wait_for 30 profiles_done 1
[ "$(mount_stat "$T/mnt" profile_objects)" = 1 ] || fail "$(mount_stat "$T/mnt" profile_objects) objects were fetched"
fetchfs umount "$T/mnt"

step "budgets"
mount_here "$server_url/with" "$T/cache-budget" -o prefetch=2500K
wait_for 30 profiles_done 1
bytes=$(mount_stat "$T/mnt" profile_bytes)
if [ "$bytes" -gt 2560000 ] || [ "$bytes" -eq 0 ]; then fail "$bytes bytes were fetched ahead"; fi
workload "$T/mnt"
fetchfs umount "$T/mnt"
for option in profile=none prefetch=0; do
	mount_here "$server_url/with" "$T/cache-${option%=*}" -o "$option"
	cmp "$T/tree/few/file3" "$T/mnt/few/file3"
	[ "$(mount_stat "$T/mnt" profile_objects)" = 0 ] || fail "$option: something was fetched ahead"
	fetchfs umount "$T/mnt"
done
start=$(date +%s%N)
mount_here "$server_url/with" "$T/cache-rate" -o prefetch_rate=4M
wait_for 30 profiles_done 1
took=$((($(date +%s%N) - start) / 1000000))
bytes=$(mount_stat "$T/mnt" profile_bytes)
[ $((took * 4195)) -ge $((bytes - 2200000)) ] || fail "$bytes bytes in $took ms are more than 4 MiB a second"
fetchfs umount "$T/mnt"
expect_failure 64 'option prefetch: expected a size' fetchfs mount -K "$T/key.pub" -o prefetch=some "$T/plain" "$T/mnt"

step "whoever waits goes first"
stop_nginx
server_limit_rate=700k
wait_for 10 start_nginx
mount_here "$server_url/with" "$T/cache-slow"
cmp "$T/tree/few/file7" "$T/mnt/few/file7"
! profiles_done 1 || fail "it was all fetched before anything could be read: the test shows nothing"
done_by_then=$(mount_stat "$T/mnt" profile_objects)
[ "$done_by_then" -le 6 ] || fail "$done_by_then objects came before the one that was waited for"
fetchfs umount "$T/mnt"

step "a server that goes away stops it, and nothing else"
mount_here "$server_url/with" "$T/cache-gone-server"
has_begun() { [ -n "$(find "$T/cache-gone-server/files" -type f)" ]; }
wait_for 10 has_begun
stop_nginx
faults() { [ "$(mount_stat "$T/mnt" faults)" -ge 1 ]; }
wait_for 10 faults
timeout 10 fetchfs umount "$T/mnt" || fail "it does not unmount while it is fetching ahead in vain"
server_limit_rate=0
wait_for 10 start_nginx

step "a list that is gone, or damaged, stops nothing"
list=$(sed -n 's/^profile: boot b2-\(..\)\([0-9a-f]*\) .*/\1\/b2-\1\2/p' "$T/served/with/manifest")
cp "$T/served/with/objects/$list" "$T/list"
for damage in gone damaged; do
	if [ $damage = gone ]; then rm "$T/served/with/objects/$list"; else tr '\000-\377' '\001-\377\000' <"$T/list" >"$T/served/with/objects/$list"; fi
	mount_here "$server_url/with" "$T/cache-$damage"
	workload "$T/mnt"
	fetchfs umount "$T/mnt"
	expect_failure 65 'list of profile' fetchfs fsck "$T/served/with"
	[ $damage = damaged ] || expect_failure 65 'list of profile' fetchfs fsck --quick "$T/served/with"
done
cp "$T/list" "$T/served/with/objects/$list"

step "kept, joined by another, dropped"
printf '/few/file1\n/few/file3\n/few/file2\n' >"$T/second"
echo new >"$T/tree/new"
fetchfs publish -q -k "$T/key" "$T/served/with" "$T/tree"
grep -q '^profile: boot ' "$T/served/with/manifest" || fail "the profile was not kept"
fetchfs publish -q -k "$T/key" --profile "second=$T/second" "$T/served/with" "$T/tree"
fetchfs stat "$T/served/with" >"$T/stat"
grep -q '^profile: *boot: [0-9]* objects' "$T/stat" || fail "stat does not tell of the profile: $(cat "$T/stat")"
fetchfs stat --json "$T/served/with" | grep -q '"name": "second"' || fail "stat --json does not tell of the profile"
mount_here "$server_url/with" "$T/cache-two" -o profile=second:boot
wait_for 30 profiles_done 2
before=$(requests)
workload "$T/mnt"
cmp "$T/tree/few/file1" "$T/mnt/few/file1"
[ "$(requests)" = "$before" ] || fail "the workload sent requests"
fetchfs umount "$T/mnt"
fetchfs publish -q -k "$T/key" --drop-profile second "$T/served/with" "$T/tree"
! grep -q '^profile: second ' "$T/served/with/manifest" || fail "the profile was not dropped"
expect_failure 66 "no profile 'second' to drop" fetchfs publish -q -k "$T/key" --drop-profile second "$T/served/with" "$T/tree"

step "a file that two profiles name lies with the first"
new_repository two --profile "$T/recording" --profile "second=$T/second"
mount_here "$T/two" "$T/cache-first" -o profile=second
wait_for 30 profiles_done 1
[ "$(mount_stat "$T/mnt" profile_objects)" = 2 ] || fail "its own pack and the other's: $(mount_stat "$T/mnt" profile_objects) objects"
fetchfs umount "$T/mnt"

step "a profile that comes later, and what --repack makes of it"
fetchfs publish -q -k "$T/key" --profile "$T/recording" "$T/plain" "$T/tree"
listed() { fetchfs stat --json "$1" | sed -n 's/^ *"stored_bytes": *\([0-9]*\).*/\1/p' | head -n 1; }
before=$(listed "$T/plain")
fetchfs publish -q -k "$T/key" --repack "$T/plain" "$T/tree"
after=$(listed "$T/plain")
[ $((before - after)) -gt 5000000 ] || fail "$after bytes listed after --repack, $before before it"
fetchfs publish --json -q -k "$T/key" --repack "$T/plain" "$T/tree" >"$T/unchanged"
grep -q '"changed": false' "$T/unchanged" || fail "the same again made a new revision"
fetchfs fsck -K "$T/key.pub" "$T/plain" || fail "fsck finds fault"
mount_here "$T/plain" "$T/cache-repack"
wait_for 30 profiles_done 1
workload "$T/mnt"
diff -r "$T/tree/few" "$T/mnt/few" || fail "the tree came back wrong"
fetchfs umount "$T/mnt"

step "bad profiles"
printf 'relative/path\n' >"$T/bad"
expect_failure 65 'bad:1: not a line of a profile' fetchfs publish -k "$T/key" --profile "$T/bad" "$T/plain" "$T/tree"
printf '/good\n/path\t12+\n' >"$T/bad"
expect_failure 65 'bad:2: not a line of a profile' fetchfs publish -k "$T/key" --profile "$T/bad" "$T/plain" "$T/tree"
: >"$T/empty"
expect_failure 65 'names no file' fetchfs publish -k "$T/key" --profile "$T/empty" "$T/plain" "$T/tree"
expect_failure 66 'missing' fetchfs publish -k "$T/key" --profile "$T/missing" "$T/plain" "$T/tree"
expect_failure 64 'given twice' fetchfs publish -k "$T/key" --profile "$T/wanted" --profile "$T/wanted" "$T/plain" "$T/tree"
expect_failure 64 'cannot be a profile' fetchfs publish -k "$T/key" --profile "a b=$T/wanted" "$T/plain" "$T/tree"
