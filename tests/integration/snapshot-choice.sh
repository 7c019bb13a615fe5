#!/bin/sh
# SPDX-License-Identifier: MIT
# Which snapshot a mount shows: by tag, revision or date, found with few requests; pinned in a file or by its nature, then without any request; and what is
# said where there is none.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

last=40
day=86400
start=1700000000	# 2023-11-14 22:13:20 UTC
mkdir -p "$T/mnt" "$T/www" "$T/tree"
fetchfs keygen "$T/root"
fetchfs keygen "$T/key"
SOURCE_DATE_EPOCH=$start fetchfs init -n test -k "$T/key" --root-key "$T/root" "$T/www/repo"
for n in $(seq $((last - 1))); do
	echo "$n" >"$T/tree/number"
	tag=
	[ "$n" -ne 7 ] || tag='-t seven'
	# shellcheck disable=SC2086 # none or two words
	SOURCE_DATE_EPOCH=$((start + n * day)) fetchfs publish -q -k "$T/key" $tag "$T/www/repo" "$T/tree"
done
echo "$last" >"$T/tree/number"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
url=$server_url/repo

mount_it() { mount_fetchfs "$T/mnt" -K "$T/root.pub" -c "$T/cache" "$@" "$url"; }
refused() {
	want=$1 pattern=$2
	shift 2
	expect_failure "$want" "$pattern" fetchfs mount -K "$T/root.pub" -c "$T/cache" "$@" "$url" "$T/mnt"
	[ "$(wc -l <"$T/output")" -eq 1 ] || fail "not one message: $(cat "$T/output")"
}
# shows REVISION OPTION...: mounts, looks, unmounts; requests counts what the server was asked for signed texts.
shows() {
	want=$1
	shift
	: >"$T/nginx/access.log"
	mount_it "$@"
	[ "$(cat "$T/mnt/number")" = "$want" ] || fail "$*: it shows $(cat "$T/mnt/number"), not $want"
	[ "$(getfattr --only-values -n user.fetchfs.revision "$T/mnt")" = "$want" ] || fail "$*: user.fetchfs.revision is not $want"
	fetchfs umount "$T/mnt"
	requests=$(grep -cE 'GET /repo/(manifest|keyring|history)' "$T/nginx/access.log" || :)
}

step "the newest, a tag, a revision"
shows $last
[ "$requests" -eq 2 ] || fail "$requests requests for manifest and keyring: $(cat "$T/nginx/access.log")"
shows 7 -t seven
shows 12 -o revision=12
shows $last -o revision=$last
shows 1 -o revision=1

step "by date: the newest that is not later, in few requests"
shows 20 -o date=2023-12-04T22:13:20
[ "$requests" -le 9 ] || fail "$requests requests to find one of $last revisions"
shows 19 -o date=2023-12-04T22:13:19Z
shows 20 -o date=2023-12-04T23:13:20+01:00
shows 20 -o date=2023-12-04
shows 1 -o date=2023-11-15T22:13:20
shows 39 -o date=2024-12-24
shows $last -o date=2999-01-01

step "a revision or a past date is looked up once, and needs no server after that"
shows 12 -o revision=12
[ "$requests" -eq 0 ] || fail "$requests requests for a revision that was mounted before"
shows 20 -o date=2023-12-04
[ "$requests" -eq 0 ] || fail "$requests requests for a date that was mounted before"
shows $last -o date=2999-01-01
[ "$requests" -ne 0 ] || fail "a date in the future was kept"

step "what there is not"
refused 66 'no revision 99; its newest is 40' -o revision=99
refused 66 'had nothing at 2023-11-14 23:59 UTC: its first revision that is kept, 1, is of 2023-11-15' -o date=2023-11-14
refused 64 "expected the number of a revision, not 'x'" -o revision=x
refused 64 'expected the number of a revision' -o revision=0
refused 64 "expected a date, .* not '2023-13-01'" -o date=2023-13-01
refused 64 'exclude one another' -t seven -o revision=3
refused 64 'follow: a mount that is pinned by its revision' -o revision=3,follow
refused 64 'pin: expected an absolute path' -o pin=here
refused 64 'ttl: expected at least 1' -o ttl=0
mv "$T/www/repo/history/13" "$T/13"
refused 66 'no manifest of revision 13' -o revision=13
cp "$T/www/repo/history/14" "$T/www/repo/history/13"
refused 65 'manifest of another revision \(14\)' -o revision=13
sed 's/^inodes: .*/inodes: 99/' "$T/13" >"$T/www/repo/history/13"
refused 65 'history/13: its signature is wrong' -o revision=13
cp "$T/13" "$T/www/repo/history/13"
for n in $(seq 10); do
	rm "$T/www/repo/history/$n"
done
shows 11 -o date=2023-11-25
refused 66 'its first revision that is kept, 11,' -o date=2023-11-24

step "pinned in a file: the first choice stays, without a request, also where the server has newer ones or is dead"
pin=$T/pin
shows $last -o "pin=$pin"
[ -s "$pin" ] || fail "no pin was written"
[ "$(head -n 2 "$pin" | tr '\n' ' ')" = 'spore-pin: 1 select: latest ' ] || fail "the pin begins with $(head -n 2 "$pin")"
echo new >"$T/tree/number"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
shows $last -o "pin=$pin"
[ "$requests" -eq 0 ] || fail "$requests requests though it is pinned"
[ "$(wc -l <"$T/nginx/access.log")" -eq 0 ] || fail "it asked: $(cat "$T/nginx/access.log")"
stop_nginx
begin=$(date +%s%N)
mount_it -o "pin=$pin,root" 2>"$T/output"
milliseconds=$((($(date +%s%N) - begin) / 1000000))
[ "$(cat "$T/mnt/number")" = $last ] || fail "without a server it shows $(cat "$T/mnt/number")"
[ "$milliseconds" -lt 2000 ] || fail "a pinned mount without a server took $milliseconds ms"
grep -q "revision $last .*as pinned earlier" "$T/output" || fail "it does not say that it is pinned: $(cat "$T/output")"
fetchfs umount "$T/mnt"
start_nginx

step "another question is another choice; without the file the newest is taken"
shows 7 -o "pin=$pin" -t seven
shows 7 -o "pin=$pin" -t seven
[ "$requests" -eq 0 ] || fail "$requests requests though it is pinned"
rm "$pin"
mount_it -o "pin=$pin"
[ "$(cat "$T/mnt/number")" = new ] || fail "without the pin it shows $(cat "$T/mnt/number")"
fetchfs umount "$T/mnt"

step "a damaged pin is refused, not passed over"
cp "$pin" "$T/pin.good"
head -c 100 "$T/pin.good" >"$pin"
refused 65 "refused $pin: it is damaged" -o "pin=$pin"
sed 's/^revision: .*/revision: 99/' "$T/pin.good" >"$pin"
refused 65 "refused $pin/manifest: its signature is wrong" -o "pin=$pin"
sed 's/^spore-pin: 1/spore-pin: 2/' "$T/pin.good" >"$pin"
refused 65 'format is newer' -o "pin=$pin"
refused 73 'cannot write the pinned choice' -o "pin=$T/none/pin"
