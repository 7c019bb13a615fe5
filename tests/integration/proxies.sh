#!/bin/sh
# SPDX-License-Identifier: MIT
# fetchfs through Squid and nginx as proxies: groups, a member that is dead, one that comes back, one that wants a password, and one whose cache holds
# damaged objects.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v squid >/dev/null || skip "squid is not installed"
command -v nginx >/dev/null || skip "nginx is not installed"

mkdir -p "$T/www" "$T/tree/many"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/www/repo" 2>/dev/null
for i in $(seq 30); do
	head -c 5000 /dev/urandom >"$T/tree/many/$i"
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
done
# Nothing is read ahead of a file of several pieces before it is opened: each is a request when it is wanted.
for i in 1 2 3 4 5 6 7 8; do
	head -c 2500000 /dev/urandom >"$T/tree/large$i"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_faultd origin "$T/www"
url=$faultd_url/repo
# The environment must not matter.
export http_proxy=http://127.0.0.1:9 no_proxy='*'

# start_squid NAME PORT LINE...: a caching proxy that keeps everything; fails where the port is taken.
start_squid() {
	squid_name=$1 squid_port=$2
	shift 2
	mkdir -p "$T/$squid_name"
	chmod 755 "$T"
	[ "$(id -u)" -ne 0 ] || chown proxy "$T/$squid_name"
	{
		[ $# -eq 0 ] || printf '%s\n' "$@"
		cat <<-END
			http_port 127.0.0.1:$squid_port
			http_access allow all
			visible_hostname $squid_name
			pid_filename $T/$squid_name/pid
			access_log stdio:$T/$squid_name/access.log
			cache_log $T/$squid_name/cache.log
			coredump_dir $T/$squid_name
			netdb_filename none
			cache_mem 64 MB
			maximum_object_size_in_memory 16 MB
			refresh_pattern /objects/ 1000 100% 1000
			shutdown_lifetime 0 seconds
			$([ "$(id -u)" -ne 0 ] || echo "cache_effective_user proxy")
		END
	} >"$T/$squid_name/squid.conf"
	squid -N -n "spore$$$squid_name" -f "$T/$squid_name/squid.conf" >"$T/$squid_name/output" 2>&1 &
	squid_pid=$!
	for _ in $(seq 100); do
		kill -0 "$squid_pid" 2>/dev/null || return 1
		if curl -s -o "$T/$squid_name/answer" -x "http://127.0.0.1:$squid_port" --noproxy '' "$faultd_url/.faultd/counts"; then
			end_with_test "$squid_pid"
			return 0
		fi
		sleep 0.1
	done
	return 1
}
port=$((21000 + $$ % 18000))
# squid_at NAME LINE...: on the next free port; sets squid_url.
squid_at() {
	at_name=$1
	shift
	tries=0
	until start_squid "$at_name" "$((port += 1))" "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 5 ] || fail "squid does not start: $(tail -n 20 "$T/$at_name/cache.log" "$T/$at_name/output")"
	done
	squid_url=http://127.0.0.1:$port
}
stop_squid() {
	kill "$1"
	wait "$1" 2>/dev/null || :
}
asked() { grep -c /objects/ "$T/$1/access.log" 2>/dev/null || :; }

mounts=0
fresh_mount() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-$((mounts += 1))" "$@" 2>"$T/mount-output" || fail "$(cat "$T/mount-output")"; }
read_all() { timeout 30 diff -r "$T/tree" "$T/mnt" >"$T/differences" 2>&1 || fail "it hung, or the tree differs: $(head -n 3 "$T/differences")"; }

squid_at a
a=$squid_url a_port=$port a_pid=$squid_pid
squid_at b
b=$squid_url

step "one member of a group is used, by chance"
fresh_mount -o "proxy=$a|$b;DIRECT" "$url"
read_all
fetchfs umount "$T/mnt"
echo "  a: $(asked a), b: $(asked b)"
[ $(($(asked a) + $(asked b))) -ge 30 ] || fail "not all went through the proxies"
[ "$(asked a)" -eq 0 ] || [ "$(asked b)" -eq 0 ] || fail "both were used though none failed"

step "the first one is dead: the next member, the next group, no proxy"
for proxies in "http://127.0.0.1:1|$a" "http://127.0.0.1:1;http://127.0.0.1:2|http://127.0.0.1:1;$b" "http://127.0.0.1:1;DIRECT"; do
	fresh_mount --proxy "$proxies" "$url"
	read_all
	[ "$(mount_stat "$T/mnt" proxy_faults)" -le 6 ] || fail "the dead proxy was asked $(mount_stat "$T/mnt" proxy_faults) times"
	fetchfs umount "$T/mnt"
done

step "a proxy dies, and is used again when it is back"
fresh_mount -o "proxy=$a;$b" "$url"
cat "$T/mnt/many/1" >/dev/null
before=$(asked b)
stop_squid "$a_pid"
timeout 10 cmp "$T/tree/large1" "$T/mnt/large1" || fail "a file cannot be read without the first proxy"
[ "$(asked b)" -gt "$before" ] || fail "the second proxy was not used"
: >"$T/a/access.log"
start_squid a "$a_port" || fail "squid does not start again"
a_pid=$squid_pid
i=1
until [ "$(asked a)" -gt 0 ]; do
	i=$((i + 1))
	[ "$i" -le 8 ] || fail "the first proxy was not used again"
	# Its time of grace, of which the end cannot be seen from here.
	sleep 1
	timeout 10 cmp "$T/tree/large$i" "$T/mnt/large$i" || fail "large$i"
done
read_all
fetchfs umount "$T/mnt"

step "a cache full of damaged objects is asked past"
squid_at poisoned
faultd_rules 'flip:100:*/objects/*'
(cd "$T/www" && find repo/objects -type f) >"$T/objects"
while read -r object; do
	curl -sf --noproxy '' -x "$squid_url" -o "$T/object" "$faultd_url/$object"
done <"$T/objects"
faultd_rules ''
fresh_mount -o "proxy=$squid_url" "$url"
read_all
echo "  $(mount_stat "$T/mnt" bad_objects) bad objects"
[ "$(mount_stat "$T/mnt" bad_objects)" -ge 30 ] || fail "the cache was not poisoned: the test is wrong"
[ "$(mount_stat "$T/mnt" bad_objects)" -le "$(($(wc -l <"$T/objects") + 5))" ] || fail "it was not asked past at once"
fetchfs umount "$T/mnt"
fresh_mount -o "proxy=$squid_url" "$url"
read_all
[ "$(mount_stat "$T/mnt" bad_objects)" -eq 0 ] || fail "the proxy still has damaged objects"
fetchfs umount "$T/mnt"

step "nginx in between, which keeps what it has seen; it dies, and no proxy is left but DIRECT"
start_caching() {
	# shellcheck disable=SC2119 # no prefix
	start_nginx_with <<-END
		proxy_cache_path $T/nginx/cache keys_zone=all:1m;
		server {
			listen 127.0.0.1:$server_port;
			location / {
				proxy_pass http://\$http_host\$request_uri;
				proxy_cache all;
				proxy_cache_valid 200 1h;
				proxy_cache_bypass \$http_pragma;
			}
		}
	END
}
on_free_port start_caching
fresh_mount -o "proxy=127.0.0.1:$server_port;DIRECT" "$url"
for i in 1 2 3; do
	cmp "$T/tree/many/$i" "$T/mnt/many/$i" || fail "many/$i"
done
grep -q /objects/ "$T/nginx/access.log" || fail "nginx was not asked"
stop_nginx
read_all
fetchfs umount "$T/mnt"

helper=/usr/lib/squid/basic_ncsa_auth
if [ -x "$helper" ]; then
	step "a proxy that wants a password"
	echo "tester:$(openssl passwd -apr1 'pass:of@test')" >"$T/users"
	squid_at strict "auth_param basic program $helper $T/users" "acl known proxy_auth REQUIRED" "http_access deny !known"
	fresh_mount -o "soft=5,proxy=http://tester:pass%3Aof%40test@127.0.0.1:$port" "$url"
	read_all
	tr '\0' ' ' <"/proc/$(mount_pid "$T/mnt")/cmdline" >"$T/shown"
	grep -q "@127.0.0.1:$port" "$T/shown" || fail "the test is wrong: $(cat "$T/shown")"
	grep -q 'pass%3Aof' "$T/shown" && fail "the proxy's password is shown"
	fetchfs umount "$T/mnt"
	expect_failure 69 'cannot fetch .*through the proxy http://127' fetchfs mount -K "$T/key.pub" -c "$T/cache-x" \
		-o "mount_timeout=1,proxy=http://tester:wrong-one@127.0.0.1:$port" "$url" "$T/mnt"
	grep -q 'wrong-one' "$T/output" && fail "the proxy's password is shown: $(cat "$T/output")"
	grep -q 407 "$T/output" || fail "it does not say what is wrong: $(cat "$T/output")"
fi
expect_failure 78 "option proxy: '.*' is no proxy" fetchfs mount -K "$T/key.pub" -c "$T/cache-x" -o "proxy=ftp://a" "$url" "$T/mnt"
