#!/bin/sh
# SPDX-License-Identifier: MIT
# Servers that hang, drip, are slow, ask for patience or are a captive portal: readers wait no longer than they must, errors come when they were asked
# for and not before, and everything goes on without a new mount.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

mkdir -p "$T/www" "$T/tree/many"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/www/repo" 2>/dev/null
for i in $(seq 40); do
	head -c 5000 /dev/urandom >"$T/tree/many/$i"
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
done
head -c 6000000 /dev/urandom >"$T/tree/large"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"

serve_faultd second "$T/www" -s 2
second_url=$faultd_url
# What the first one serves as "other": the revision before.
mkdir -p "$T/old"
cp -r "$T/www/repo" "$T/old/repo"
revision=$(find "$T/www/repo/history" -type f | sed 's/.*[^0-9]//' | sort -n | tail -n 2 | head -n 1)
cp "$(find "$T/www/repo/history" -type f -name "*$revision" | head -n 1)" "$T/old/repo/manifest"
serve_faultd first "$T/www" -s 1 -x "$T/old" -R "$second_url"
url=$faultd_url/repo

now_ms() { echo $(($(date +%s%N) / 1000000)); }
fresh_mount() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-$((mounts += 1))" "$@" 2>"$T/mount-output" || fail "$(cat "$T/mount-output")"; }
mounts=0
# Reads everything and compares.
read_all() {
	timeout "$1" diff -r "$T/tree" "$T/mnt" >"$T/differences" 2>&1 || fail "it hung, or the tree differs: $(head -n 3 "$T/differences")"
}

step "one server, and some answers never come: the connection is replaced"
faultd_rules 'hang:8:*/objects/*,hang-middle:7:*/objects/*'
start=$(now_ms)
fresh_mount -o stall_timeout=4 "$url"
find "$T/mnt/many" -type f -print0 | xargs -0 -n 1 -P 8 cat >/dev/null || fail "a reader got an error"
read_all 30
echo "  $(($(now_ms) - start)) ms, $(mount_stat "$T/mnt" hedges) hedges, $(mount_stat "$T/mnt" hedges_won) won"
[ "$(mount_stat "$T/mnt" hedges_won)" -gt 0 ] || fail "nothing was raced"
[ "$(mount_stat "$T/mnt" wait_errors)" -eq 0 ] || fail "a reader got an error"
fetchfs umount "$T/mnt"

step "a mirror that drips is raced by one that does not"
faultd_rules 'drip:100:*/objects/*'
start=$(now_ms)
fresh_mount -o "mirror=$second_url/repo" "$url"
read_all 20
took=$(($(now_ms) - start))
echo "  $took ms, $(mount_stat "$T/mnt" hedges) hedges, $(mount_stat "$T/mnt" hedges_won) won"
[ "$(mount_stat "$T/mnt" hedges_won)" -gt 0 ] || fail "nothing was raced"
fetchfs umount "$T/mnt"

step "the faster mirror is used, the other one tried now and then"
faultd_rules 'slow:100:*'
: >"$T/first.log"
: >"$T/second.log"
fresh_mount -o "mirror=$second_url/repo" "$url"
read_all 20
echo "  slow one: $(grep -c /objects/ "$T/first.log"), fast one: $(grep -c /objects/ "$T/second.log")"
[ "$(grep -c /objects/ "$T/second.log")" -gt $((3 * $(grep -c /objects/ "$T/first.log"))) ] || fail "the slow one was asked too often"
fetchfs umount "$T/mnt"

step "soft=2: an error after two seconds, not before; and then all is well again"
faultd_rules ''
fresh_mount -o soft=2 "$url"
faultd_rules 'hang:40:*,503:30:*,404:30:*'
for file in many/1 large; do
	start=$(now_ms)
	cat "$T/mnt/$file" >/dev/null 2>"$T/error" && fail "$file could be read"
	took=$(($(now_ms) - start))
	echo "  $file: $took ms"
	grep -q 'Input/output error' "$T/error" || fail "not EIO: $(cat "$T/error")"
	[ "$took" -ge 1800 ] || fail "the error came too early"
	# The process itself takes its time to start where the machine is busy.
	[ "$took" -le 2300 ] || fail "the error came too late"
done
faultd_rules ''
read_all 20
fetchfs umount "$T/mnt"

step "hard: a captive portal is waited out, and named; who waits can be interrupted"
mkdir -p "$T/mnt"
fetchfs mount -f -K "$T/key.pub" -c "$T/cache-portal" -o hard "$url" "$T/mnt" 2>"$T/log" &
end_with_test $!
unmount_with_test "$T/mnt"
wait_for 20 mountpoint -q "$T/mnt"
faultd_rules 'portal:40:*,portal-redirect:60:*'
cat "$T/mnt/many/2" >"$T/read" &
reader=$!
cat "$T/mnt/many/3" >/dev/null 2>&1 &
victim=$!
wait_for 10 grep -q 'an HTML page instead of the file.*captive portal' "$T/log"
kill -0 "$reader" || fail "the reader did not wait"
kill -TERM "$victim"
start=$(now_ms)
wait "$victim" 2>/dev/null || :
[ $(($(now_ms) - start)) -lt 3000 ] || fail "the signal had to wait"
faultd_rules ''
wait "$reader" || fail "the reader got an error"
cmp "$T/read" "$T/tree/many/2" || fail "a wrong byte"
wait_for 5 grep -q 'answers again' "$T/log"
read_all 20
fetchfs umount "$T/mnt"

step "Retry-After is respected"
fresh_mount "$url"
faultd_rules 'retry:100:*'
: >"$T/first.log"
for i in 1 2 3 4 5 6; do
	cat "$T/mnt/many/$i" >/dev/null &
done
wait_for 5 grep -q objects "$T/first.log"
sleep 0.4 # for those that are under way when it says so
before=$(grep -c objects "$T/first.log")
sleep 1
[ "$(grep -c objects "$T/first.log")" -eq "$before" ] || fail "it was asked though it wanted to be left alone: $before, $(grep -c objects "$T/first.log")"
faultd_rules ''
read_all 20
fetchfs umount "$T/mnt"

step "an older manifest than one that was mounted is refused; a manifest that does not come ends the mount in time"
faultd_rules 'other:100:*/manifest'
mkdir -p "$T/mnt"
expect_failure 65 'is older than revision' fetchfs mount -K "$T/key.pub" -c "$T/cache-$mounts" "$url" "$T/mnt"
faultd_rules 'hang:50:*/keyring,drip:50:*/keyring'
start=$(now_ms)
expect_failure 69 'no answer within 3 seconds' fetchfs mount -K "$T/key.pub" -c "$T/cache-none" -o mount_timeout=3 "$url" "$T/mnt"
took=$(($(now_ms) - start))
[ "$took" -lt 4500 ] || fail "it took $took ms"
faultd_rules 'hang:100:*/keyring'
fresh_mount -o "mount_timeout=6,mirror=$second_url/repo" "$url"
read_all 20
fetchfs umount "$T/mnt"

step "secrets go to the servers that were named and not where these send to"
echo token-of-the-test >"$T/token"
echo 'X-Secret: header-of-the-test' >"$T/headers"
faultd_rules ''
expect_failure 77 'chmod 600' fetchfs mount -K "$T/key.pub" -c "$T/cache-x" -o "credentials=$T/token" "$url" "$T/mnt"
chmod 600 "$T/token" "$T/headers"
: >"$T/first.log"
: >"$T/second.log"
faultd_rules 'redirect-away:60:*,redirect:20:*'
fresh_mount -o "credentials=$T/token,headers=$T/headers" "$url"
read_all 20
grep -q '^redirect-away .* secret' "$T/first.log" || fail "the server that was named got no secret"
grep -q '^good .*/.plain/.* secret' "$T/first.log" || fail "a redirect to the same server lost the secret"
grep -q '/.plain/' "$T/second.log" || fail "nobody was sent elsewhere: the test is wrong"
grep -q secret "$T/second.log" && fail "a secret went to another server"
fetchfs umount "$T/mnt"
faultd_rules ''
secret_url=$(echo "$url" | sed 's#http://#http://user:pass-of-the-test@#')
: >"$T/first.log"
fresh_mount -o "mirror=$secret_url" "$secret_url"
read_all 20
grep -q ' secret' "$T/first.log" || fail "the URL's password was not sent"
pid=$(mount_pid "$T/mnt")
{
	tr '\0' ' ' <"/proc/$pid/cmdline"
	cat /proc/self/mountinfo "$T/mount-output"
	getfattr --only-values -n user.fetchfs.url "$T/mnt" 2>/dev/null
} >"$T/shown"
grep -q "$faultd_url" "$T/shown" || fail "the test is wrong: $(cat "$T/shown")"
grep -q pass-of-the-test "$T/shown" && fail "the password is shown: $(grep pass-of-the-test "$T/shown")"
fetchfs umount "$T/mnt"
expect_failure 69 "cannot fetch" fetchfs mount -K "$T/key.pub" -c "$T/cache-x" -o mount_timeout=1 http://user:pass-of-the-test@127.0.0.1:1/repo "$T/mnt"
grep -q pass-of-the-test "$T/output" && fail "the password is shown: $(cat "$T/output")"

if grep -q "^0*1 " /proc/net/if_inet6 2>/dev/null; then
	step "IPv6 alone, and names of which one address is dead"
	serve_faultd six "$T/www" -a ::1
	six=$(cat "$T/six.port")
	fresh_mount "http://[::1]:$six/repo"
	read_all 20
	fetchfs umount "$T/mnt"
	for host in "$(getent ahostsv6 localhost | awk '$1 == "::1" { print "localhost"; exit }')" ip6-localhost; do
		if [ -z "$host" ] || ! getent hosts "$host" >/dev/null; then
			continue
		fi
		fresh_mount "http://$host:$six/repo"
		read_all 20
		fetchfs umount "$T/mnt"
	done
else
	echo "  no IPv6 here"
fi
fresh_mount "$(echo "$url" | sed 's/127.0.0.1/localhost/')"
read_all 20
fetchfs umount "$T/mnt"
