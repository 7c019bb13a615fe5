#!/bin/sh
# SPDX-License-Identifier: MIT
# fetchfs over https: an authority of one's own, client certificates, basic auth and tokens, HTTP/2, a proxy that only connects; and what is refused.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
for tool in getfattr openssl nginx; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done

mkdir -p "$T/www" "$T/tree/many" "$T/nginx" "$T/tls"
chmod 755 "$T"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n test -k "$T/key" "$T/www/repo" 2>/dev/null
for i in 1 2 3 4 5 6 7 8; do
	head -c 50000 /dev/urandom >"$T/tree/many/$i"
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
done
head -c 5000000 /dev/urandom >"$T/tree/large"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"

# certificate NAME SUBJECT EXTENSIONS: signed by the authority.
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/$1.key" -out "$T/tls/$1.csr" -subj "/CN=$2" 2>/dev/null
	printf '%s\n' "$3" >"$T/tls/$1.ext"
	openssl x509 -req -in "$T/tls/$1.csr" -CA "$T/tls/ca.pem" -CAkey "$T/tls/ca.key" -CAcreateserial -days 2 -extfile "$T/tls/$1.ext" \
		-out "$T/tls/$1.pem" 2>/dev/null
}
for ca in ca other-ca; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/$ca.key" -out "$T/tls/$ca.pem" -days 2 \
		-subj "/CN=$ca of a test" 2>/dev/null
done
certificate server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1'
certificate client machine-1 'extendedKeyUsage=clientAuth'
cat "$T/tls/client.pem" "$T/tls/client.key" >"$T/tls/both.pem"
chmod 600 "$T"/tls/*.key "$T/tls/both.pem"

printf 'machine:%s\n' "$(openssl passwd -apr1 'pass:of test')" >"$T/nginx/users"
start() {
	port=$server_port
	# shellcheck disable=SC2119 # no prefix
	start_nginx_with <<-END
		log_format test '\$server_port \$server_protocol \$request_uri \$status "\$http_authorization" "\$http_x_secret" \$ssl_client_s_dn';
		ssl_certificate $T/tls/server.pem;
		ssl_certificate_key $T/tls/server.key;
		server { listen 127.0.0.1:$port ssl http2; root $T/www; }
		server { listen 127.0.0.1:$((port + 1)) ssl http2; root $T/www; ssl_client_certificate $T/tls/ca.pem; ssl_verify_client on; }
		server { listen 127.0.0.1:$((port + 2)) ssl http2; root $T/www; auth_basic repo; auth_basic_user_file $T/nginx/users; }
		server { listen 127.0.0.1:$((port + 3)) ssl; root $T/www; if (\$http_authorization != "Bearer token-of-test") { return 403; } }
		server { listen 127.0.0.1:$((port + 4)) ssl http2; location / { return 302 https://localhost:$port\$request_uri; } }
	END
}
on_free_port start

mounts=0
at() { echo "https://localhost:$((port + $1))/repo"; }
good() {
	server=$1 options=$2
	: >"$T/nginx/access.log"
	mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-$((mounts += 1))" -o "soft=20,cafile=$T/tls/ca.pem$options" "$(at "$server")" 2>"$T/output" ||
		fail "$(cat "$T/output")"
	timeout 30 diff -r "$T/tree" "$T/mnt" || fail "it hung, or the tree differs"
	tr '\0' ' ' <"/proc/$(mount_pid "$T/mnt")/cmdline" >"$T/shown"
	cat /proc/self/mountinfo "$T/output" >>"$T/shown"
	getfattr --only-values -n user.fetchfs.url "$T/mnt" >>"$T/shown" 2>/dev/null
	grep -qE 'of.test|token-of|header-of' "$T/shown" && fail "a secret is shown: $(cat "$T/shown")"
	fetchfs umount "$T/mnt"
}
refused() {
	code=$1 pattern=$2 server=$3 options=$4
	expect_failure "$code" "$pattern" fetchfs mount -K "$T/key.pub" -c "$T/cache-x" -o "mount_timeout=1$options" "$(at "$server")" "$T/mnt"
	[ "$(wc -l <"$T/output")" -eq 1 ] || fail "not one message: $(cat "$T/output")"
	grep -qE 'of.test|token-of|header-of' "$T/output" && fail "a secret is shown: $(cat "$T/output")"
	return 0
}
mkdir -p "$T/mnt"

step "an authority of one's own, and HTTP/2"
good 0 ""
grep -q 'HTTP/2.0 /repo/objects/.* 200' "$T/nginx/access.log" || fail "not over HTTP/2: $(cat "$T/nginx/access.log")"
refused 69 'certificate' 0 ""
refused 69 'certificate' 0 ",cafile=$T/tls/other-ca.pem"
refused 66 'option cafile: cannot read' 0 ",cafile=$T/tls/none.pem"

step "client certificates"
good 1 ",cert=$T/tls/client.pem,certkey=$T/tls/client.key"
grep -q 'CN=machine-1' "$T/nginx/access.log" || fail "no certificate was shown"
good 1 ",cert=$T/tls/both.pem"
refused 69 '400' 1 ",cafile=$T/tls/ca.pem"
chmod 640 "$T/tls/client.key" "$T/tls/both.pem"
refused 77 'option certkey: .*client.key holds a secret.*mode 0640.*chmod 600' 1 ",cert=$T/tls/client.pem,certkey=$T/tls/client.key"
refused 77 'option cert: .*both.pem holds a secret' 1 ",cert=$T/tls/both.pem"
chmod 600 "$T/tls/client.key" "$T/tls/both.pem"
refused 78 'option certkey: there is no cert=' 1 ",certkey=$T/tls/client.key"

step "user and password, a token, further headers"
echo 'machine:pass:of test' >"$T/password"
echo 'token-of-test' >"$T/token"
echo 'X-Secret: header-of-test' >"$T/headers"
chmod 600 "$T/password" "$T/token" "$T/headers"
good 2 ",credentials=$T/password"
grep -q 'HTTP/2.0 /repo/objects/.* 200 "Basic' "$T/nginx/access.log" || fail "no password over HTTP/2: $(cat "$T/nginx/access.log")"
good 3 ",credentials=$T/token,headers=$T/headers"
grep -q '200 "Bearer token-of-test" "header-of-test"' "$T/nginx/access.log" || fail "no token: $(cat "$T/nginx/access.log")"
refused 69 'HTTP status 401' 2 ",cafile=$T/tls/ca.pem"
refused 69 'HTTP status 403' 3 ",cafile=$T/tls/ca.pem,credentials=$T/password"
echo 'two words' >"$T/password"
refused 78 'option credentials: .*expected one line' 2 ",credentials=$T/password"
echo 'Host: elsewhere' >"$T/password"
refused 78 "option headers: .*line 1: this header is the connection's own" 2 ",headers=$T/password"

step "not to another server that this one sends to"
good 4 ",credentials=$T/token,headers=$T/headers"
grep -q "^$((port + 4)) .* 302 \"Bearer token-of-test\"" "$T/nginx/access.log" || fail "the server that was named got no token"
grep -q "^$port .* 200 \"-\" \"-\"" "$T/nginx/access.log" || fail "nobody was sent elsewhere: the test is wrong"
grep "^$port " "$T/nginx/access.log" | grep -qE 'token|header-of' && fail "a secret went to another server"

step "a server that dies and comes back"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-last" -o "cafile=$T/tls/ca.pem" "$(at 0)"
cmp "$T/tree/many/1" "$T/mnt/many/1" || fail "many/1"
stop_nginx
cat "$T/mnt/large" >"$T/read" &
reader=$!
has_faults() { [ "$(mount_stat "$T/mnt" faults)" -gt 0 ]; }
wait_for 10 has_faults
start || fail "nginx does not start again"
wait "$reader" || fail "the read failed"
cmp "$T/tree/large" "$T/read" || fail "large differs"
fetchfs umount "$T/mnt"
