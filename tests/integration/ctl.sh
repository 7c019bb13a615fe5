#!/bin/sh
# SPDX-License-Identifier: MIT
# Asking a running mount: every verb as text and JSON, who may ask, clients that mean no good, metrics for Prometheus, sockets in other places, and what becomes of
# them when a mount dies.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_root
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v jq >/dev/null || skip "jq is not installed"
command -v curl >/dev/null || skip "curl is not installed"

ctl() { fetchfs ctl "$T/mnt" "$@"; }
# value VERB KEY: one value of a JSON reply.
value() { ctl --json "$1" | jq -r ".$2"; }
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@" "$server_url/repo"; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
# within MS COMMAND...: it succeeds and takes no longer.
within() {
	limit=$1
	shift
	begin=$(date +%s%3N)
	"$@" >"$T/output" 2>&1 || fail "fails: $*: $(cat "$T/output")"
	took=$(($(date +%s%3N) - begin))
	[ "$took" -le "$limit" ] || fail "took $took ms, not $limit: $*"
}
# shellcheck disable=SC2016 # awk's own variables
# switches: how often the thread of the control socket was woken.
switches() { grep -l '^Name:.control$' "/proc/$client/task/"*/status | xargs awk '/ctxt_switches/ { n += $2 } END { print n }'; }

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mkdir -p "$T/tree/usr/bin" "$T/tree/etc"
head -c 9000000 /dev/urandom >"$T/tree/large"
for n in 1 2 3 4 5; do
	head -c 300000 /dev/urandom >"$T/tree/usr/bin/program$n"
	echo "setting $n" >"$T/tree/etc/file$n"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
metrics_port=$((server_port + 1))
mount_it -o "metrics=$metrics_port" http://user:secret@127.0.0.1:1/repo
client=$(worker_pid "$T/mnt")
socket=$(getfattr --only-values -n user.fetchfs.socket "$T/mnt" 2>/dev/null)

step "info, for programs and for people"
[ "$(value info name)" = nasty ] || fail "name"
[ "$(value info revision)" = 1 ] || fail "revision"
[ "$(value info pid)" = "$(mount_pid "$T/mnt")" ] || fail "pid"
[ "$(value info worker_pid)" = "$client" ] || fail "worker_pid"
[ "$(value info hash)" = "$(getfattr --only-values -n user.fetchfs.hash "$T/mnt" 2>/dev/null)" ] || fail "hash"
[ "$(value info mountpoint)" = "$T/mnt" ] || fail "mountpoint"
[ "$(value info 'mounted_seconds < 60')" = true ] || fail "mounted_seconds"
ctl info | grep -qx 'name  *nasty' || fail "text: $(ctl info)"
ctl version | grep -qx 'protocol  *1' || fail "version"
fetchfs ctl "$T/mnt/usr/bin" info | grep -q nasty || fail "a path below the mount point"
ctl help >"$T/help"
for verb in info stats cache mirrors log metrics version; do
	grep -q "^$verb " "$T/help" || fail "help does not list $verb"
done

step "counters are those of the attribute"
cat "$T/mnt/etc/file1" >/dev/null
[ "$(value stats opens)" = "$(mount_stat "$T/mnt" opens)" ] || fail "opens"
[ "$(value stats opens)" -ge 1 ] || fail "no opens"
ctl stats | grep -q '^bytes_fetched ' || fail "text"

step "mirrors: which one is preferred, and what was measured of it; proxies as well"
[ "$(value mirrors 'mirrors|map(.preferred)|join(" ")')" = "false true" ] || fail "preferred: $(ctl mirrors)"
[ "$(value mirrors 'mirrors[0].latency_microseconds')" = null ] || fail "a latency of a server that never answered"
[ "$(value mirrors 'mirrors[1].latency_microseconds')" -gt 0 ] || fail "no latency: $(ctl --json mirrors)"
ctl mirrors | grep -q 'preferred.*latency' || fail "text: $(ctl mirrors)"
[ "$(value mirrors 'proxies')" = null ] || fail "proxies where there are none"
mount_fetchfs "$T/mnt-proxies" -K "$T/key.pub" -c "$T/cache-proxies" -o 'proxy=http://me:secret@127.0.0.1:1;DIRECT' "$server_url/repo"
fetchfs ctl --json "$T/mnt-proxies" mirrors >"$T/proxies"
jq -e '[.proxies[] | [.url, .group, .state, .preferred, .good > 0, .faults > 0]] == [["http://127.0.0.1:1", 0, "bad", false, false, true], ["DIRECT", 1, "good", true, true, false]]' \
	"$T/proxies" >/dev/null || fail "proxies: $(cat "$T/proxies")"
fetchfs ctl "$T/mnt-proxies" mirrors | grep -q '^DIRECT ' || fail "text: $(fetchfs ctl "$T/mnt-proxies" mirrors)"
grep -q secret "$T/proxies" && fail "the password of a proxy is shown"
fetchfs umount "$T/mnt-proxies"

step "mirrors: the bad one is told with its fault, without its password, and can be forgiven"
[ "$(value mirrors 'mirrors|length')" = 2 ] || fail "not two mirrors"
[ "$(value mirrors 'mirrors[0].state')" = bad ] || fail "the first one is not bad: $(ctl mirrors)"
[ "$(value mirrors 'mirrors[1].state')" = good ] || fail "the second one is not good"
[ "$(value mirrors 'mirrors[0].faults')" -ge 1 ] || fail "no faults"
[ "$(value mirrors 'mirrors[1].fetched_bytes')" -gt 0 ] || fail "no bytes"
value mirrors 'mirrors[0].last_error' | grep -q '^http://127.0.0.1:1/' || fail "no error: $(ctl mirrors)"
ctl mirrors --json | grep -q secret && fail "the password is shown"
[ "$(value 'mirrors' 'mirrors[0].bad_seconds')" -lt 60 ] || fail "bad_seconds"
fetchfs ctl --json "$T/mnt" mirrors reset | jq -e '.mirrors[0].state == "unused" and .mirrors[0].retry_seconds == 0' >/dev/null || fail "reset"

step "the cache: usage, quota, and eviction"
cat "$T/mnt/large" "$T/mnt/usr/bin/"* >/dev/null
used=$(value cache usage_bytes)
[ "$used" -gt 10000000 ] || fail "usage is $used"
[ "$(value cache quota_bytes)" -gt "$used" ] || fail "quota"
[ "$(value cache free_bytes)" -gt 0 ] || fail "free"
freed=$(fetchfs ctl --json "$T/mnt" cache evict 3M | jq .freed_bytes)
[ "$freed" -ge 3145728 ] || fail "freed $freed"
[ "$(value cache usage_bytes)" -le $((used - freed)) ] || fail "usage after eviction"
[ "$(value cache evicted_files)" -gt 0 ] || fail "evicted"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
expect_failure 64 'expected a size' fetchfs ctl "$T/mnt" cache evict much
expect_failure 64 "evict SIZE" fetchfs ctl "$T/mnt" cache empty

step "a scrub finds what is damaged"
ctl scrub | grep -q '^at_work.*no' || fail "scrub: $(ctl scrub)"
# The kernel may still have what was evicted: another mount asks for it again.
mount_fetchfs "$T/mnt-again" -K "$T/key.pub" -c "$T/cache" "$server_url/repo"
cat "$T/mnt-again/usr/bin/program1" >/dev/null
fetchfs umount "$T/mnt-again"
is_there() { victim=$(find "$T/cache/files" -type f -size +100k -name 'b2-*' ! -name '*.*' | head -n 1) && [ -n "$victim" ]; }
wait_for 10 is_there
printf x | dd of="$victim" bs=1 seek=50000 conv=notrunc status=none
ctl scrub start 1G >/dev/null
has_found() { [ "$(ctl --json scrub | tr ',{}' '\n' | sed -n 's/^ *"damaged_files": *//p')" -ge 1 ]; }
wait_for 20 has_found
ctl scrub stop | grep -q '^rate.* 0' || fail "scrub stop: $(ctl scrub)"
cmp "$T/tree/usr/bin/program1" "$T/mnt/usr/bin/program1"
expect_failure 64 'expected the bytes of a second' fetchfs ctl "$T/mnt" scrub start fast
expect_failure 64 "expected nothing, 'start RATE' or 'stop'" fetchfs ctl "$T/mnt" scrub dance

step "the log's level"
[ "$(value log level)" = info ] || fail "not info at first"
ctl log debug | grep -q debug || fail "not set"
[ "$(value log level)" = debug ] || fail "not kept"
ctl log info >/dev/null
expect_failure 64 'expected error, warning' fetchfs ctl "$T/mnt" log loud

step "wrong questions"
expect_failure 64 "no verb 'dance'" fetchfs ctl "$T/mnt" dance
expect_failure 64 'no operands' fetchfs ctl "$T/mnt" info x
expect_failure 64 'is no verb' fetchfs ctl "$T/mnt" 'in fo'
expect_failure 66 'not on a fetchfs mount' fetchfs ctl "$T/www" info
expect_failure 66 'No such file' fetchfs ctl "$T/none" info
expect_failure 64 'missing operands' fetchfs ctl "$T/mnt"

is_cached() { [ "$(attribute cached "$1")" = yes ]; }

step "attributes of files"
attribute() { getfattr --only-values -n "user.fetchfs.$1" "$T/mnt/$2" 2>/dev/null; }
[ "$(attribute cached etc/file3)" = no ] || [ "$(attribute cached etc/file3)" = yes ] || fail "cached: $(attribute cached etc/file3)"
cat "$T/mnt/etc/file3" >/dev/null
# Who reads is answered before the cache is written.
wait_for 10 is_cached etc/file3
[ "$(attribute hash etc/file3)" = "b2-$(b2sum -l 256 <"$T/tree/etc/file3" | cut -d' ' -f1)" ] || fail "hash"
[ "$(attribute chunks etc/file3)" = 1 ] || fail "chunks"
[ "$(attribute chunks large)" -gt 1 ] || fail "chunks of large"
attribute hash large | grep -qE '^b2-[0-9a-f]{64}$' || fail "hash of large"
[ "$(attribute revision large),$(attribute revision etc)" = 1,1 ] || fail "revision"
[ -z "$(attribute stats large)$(attribute hash etc)" ] || fail "an attribute that should not be there"
[ -z "$(getfattr -R -d -m fetchfs "$T/mnt")" ] || fail "they are listed"

step "garbage gets an error, or nothing"
ask() { hostile "$socket" send; }
printf 'fetchfs-ctl 2 info\n' | ask | grep -q 'speaks version 1' || fail "another version"
printf 'hello\n' | ask | grep -q malformed || fail "no error for hello"
printf 'GET / HTTP/1.0\r\n\r\n' | ask | grep -q error || fail "no error for HTTP"
printf 'fetchfs-ctl 1 info\nfetchfs-ctl 1 info\n' | ask | grep -q 'more than one' || fail "two requests"
printf 'fetchfs-ctl 1 log %%\n' | ask | grep -q malformed || fail "a bad escape"
head -c 60000 /dev/zero | tr '\0' a | ask | grep -q 'longer than' || fail "an endless line"
head -c 60000 /dev/urandom | ask >/dev/null
[ -z "$(printf 'fetchfs-ctl 1 inf' | ask)" ] || fail "half a line is answered"
: | ask
within 2000 ctl info

step "thousands of connections, and some that say nothing or never read: others are served"
hostile "$socket" flood 3000 &
flood=$!
end_with_test $flood
within 5000 ctl info
wait $flood || fail "flood: exit $?"
within 2000 ctl info
mkfifo "$T/hold"
hostile "$socket" silent 50 <"$T/hold" >"$T/silent" &
end_with_test $!
exec 5>"$T/hold"
wait_for 10 grep -q ready "$T/silent"
within 5000 ctl info
exec 5>&-
printf 'fetchfs-ctl 1 metrics\n' | hostile "$socket" deaf >"$T/deaf" &
deaf=$!
end_with_test $deaf
wait_for 20 grep -q ready "$T/deaf"
within 5000 ctl info
cat "$T/mnt/etc/file2" >/dev/null || fail "the mount does not serve"
[ "$(find "/proc/$client/fd" -lname 'socket:*' | wc -l)" -lt 40 ] || fail "too many sockets are open"

step "others may not ask"
[ "$(stat -c %a "$socket")" = 600 ] || fail "mode of the socket"
chmod 755 "$T"
chmod 666 "$socket"
! printf 'fetchfs-ctl 1 info\n' | setpriv --reuid 65534 --clear-groups "$(command -v hostile)" "$socket" send | grep -q . || fail "nobody is answered"
chmod 600 "$socket"
expect_failure 77 'root and who mounted' setpriv --reuid 65534 --clear-groups "$(command -v fetchfs)" ctl "$T/mnt" info
ctl info >/dev/null

step "metrics"
url=http://127.0.0.1:$metrics_port
curl -sf -D "$T/head" "$url/metrics" >"$T/metrics" || fail "curl: $?"
grep -qi '^content-type: text/plain; version=0.0.4' "$T/head" || fail "content type: $(cat "$T/head")"
[ "$(curl -s -o "$T/output" -w '%{http_code}' "$url/")" = 404 ] || fail "not 404"
[ "$(curl -s -o "$T/output" -w '%{http_code}' -X POST --data-binary "@$T/tree/usr/bin/program1" "$url/metrics")" = 405 ] || fail "not 405"
[ "$(curl -sI -o "$T/output" -w '%{http_code}' "$url/metrics")" = 200 ] || fail "HEAD: not 200"
grep -q "^fetchfs_opens_total $(mount_stat "$T/mnt" opens)\$" "$T/metrics" || fail "opens"
grep -q "^fetchfs_bytes_fetched_total $(mount_stat "$T/mnt" bytes_fetched)\$" "$T/metrics" || fail "bytes_fetched"
grep -q '^fetchfs_info{name="nasty",.*} 1$' "$T/metrics" || fail "info"
grep -q "^fetchfs_mirror_up{mirror=\"1\",url=\"$server_url/repo\"} 1\$" "$T/metrics" || fail "mirrors"
grep -q secret "$T/metrics" && fail "a password is in the metrics"
ctl metrics | grep -q '^# TYPE fetchfs_opens_total counter$' || fail "the verb"
awk -v port="$(printf '%04X' "$metrics_port")" '$2 ~ ":" port "$" && $4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6 >"$T/listeners"
[ "$(cat "$T/listeners")" = "0100007F:$(printf '%04X' "$metrics_port")" ] || fail "it listens elsewhere than on 127.0.0.1: $(cat "$T/listeners")"
if command -v promtool >/dev/null; then
	promtool check metrics <"$T/metrics" >"$T/output" 2>&1 || fail "promtool: $(cat "$T/output")"
	[ ! -s "$T/output" ] || fail "promtool: $(cat "$T/output")"
else
	step "promtool is not installed: a checker of our own"
fi
awk -f tests/lib/check-metrics.awk "$T/metrics" || fail "malformed metrics"
hostile "$metrics_port" flood 500 || fail "flood: exit $?"
head -c 60000 /dev/urandom | hostile "$metrics_port" send >/dev/null
within 2000 curl -sf "$url/metrics"
expect_failure 73 'another mount or program has it' fetchfs mount -K "$T/key.pub" -c "$T/cache" -o "metrics=$metrics_port" "$server_url/repo" "$T/www"
expect_failure 64 'expected a port' fetchfs mount -K "$T/key.pub" -c "$T/cache" -o metrics=0 "$server_url/repo" "$T/www"

step "while nobody asks, nothing wakes it"
kill "$deaf"
wait_for 10 is_gone "$deaf"
# With its socket at a place of its own: who makes a mount looks which of the sockets at the usual place are alive.
mount_fetchfs "$T/mnt-quiet" -K "$T/key.pub" -c "$T/cache" -o "control=$T/quiet" "$server_url/repo"
client=$(worker_pid "$T/mnt-quiet")
fetchfs ctl "$T/mnt-quiet" info >/dev/null
# Something that wakes it again and again leaves no two quiet seconds.
is_quiet() {
	before=$(switches)
	sleep 2
	[ "$(switches)" -eq "$before" ]
}
wait_for 12 is_quiet
fetchfs umount "$T/mnt-quiet"

step "an unmount takes the socket away"
fetchfs umount "$T/mnt"
[ ! -e "$socket" ] || fail "the socket is still there"

step "killed: the next mount clears up"
# In a directory of its own: whoever mounts clears up.
mount_it -o "control=$T/sockets"
socket=$(getfattr --only-values -n user.fetchfs.socket "$T/mnt" 2>/dev/null)
client=$(mount_pid "$T/mnt")
kill -9 "$client"
wait_for 10 is_gone "$client"
expect_failure 66 'has died' fetchfs ctl "$T/mnt" info
umount -l "$T/mnt"
[ -e "$socket" ] || fail "the dead socket should be there"
mount_it -o "control=$T/sockets"
[ ! -e "$socket" ] || fail "the dead socket is still there"
fetchfs umount "$T/mnt"

step "sockets in other places: a path longer than an address, a Unix socket for metrics, or none"
deep=$T/deep/$(head -c 120 /dev/zero | tr '\0' d)
mount_it -o "control=$deep,metrics=$T/metrics.sock"
[ -n "$(ls "$deep")" ] || fail "no socket in $deep"
ctl info >/dev/null
curl -sf --unix-socket "$T/metrics.sock" http://x/metrics | grep -q '^fetchfs_info' || fail "metrics by a Unix socket"
fetchfs umount "$T/mnt"
[ -z "$(ls "$deep")" ] || fail "the control socket is left"
[ ! -e "$T/metrics.sock" ] || fail "the socket of metrics is left"
mount_it -o control=off
expect_failure 69 'no control socket' fetchfs ctl "$T/mnt" info
fetchfs umount "$T/mnt"
expect_failure 64 'expected an absolute path' fetchfs mount -K "$T/key.pub" -o control=here "$server_url/repo" "$T/mnt"
