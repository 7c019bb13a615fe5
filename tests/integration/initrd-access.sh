#!/bin/sh
# SPDX-License-Identifier: MIT
# The initrd's stage that mounts the root file system, with the guest's programs in a small root of their own, from an https server that lets in nobody without a
# certificate of its authority and a token: it mounts with the files that the image names, and says what is wrong without them.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_root
need_fuse
for tool in openssl nginx unshare; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
guest=build/$(uname -m)/guest
for program in spore busybox; do [ -x "$guest/$program" ] || skip "$guest/$program is not built (make guest)"; done

mkdir -p "$T/www" "$T/tree/etc" "$T/nginx" "$T/tls"
chmod 755 "$T"
echo "the tree's" >"$T/tree/etc/hostname"
fetchfs keygen "$T/key" 2>/dev/null
fetchfs init -n access -k "$T/key" "$T/www/repo" 2>/dev/null
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"

# certificate NAME EXTENSION
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/$1.key" -out "$T/tls/$1.csr" -subj "/CN=$1" 2>/dev/null
	printf '%s\n' "$2" >"$T/tls/$1.ext"
	openssl x509 -req -in "$T/tls/$1.csr" -CA "$T/tls/ca.pem" -CAkey "$T/tls/ca.key" -CAcreateserial -days 2 -extfile "$T/tls/$1.ext" \
		-out "$T/tls/$1.pem" 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/tls/ca.key" -out "$T/tls/ca.pem" -days 2 -subj "/CN=ca of a test" 2>/dev/null
certificate server 'subjectAltName=IP:127.0.0.1'
certificate client 'extendedKeyUsage=clientAuth'

start() {
	port=$server_port
	# shellcheck disable=SC2119 # no prefix
	start_nginx_with <<-END
		ssl_certificate $T/tls/server.pem;
		ssl_certificate_key $T/tls/server.key;
		ssl_client_certificate $T/tls/ca.pem;
		ssl_verify_client on;
		server {
			listen 127.0.0.1:$port ssl;
			root $T/www;
			if (\$http_authorization != "Bearer token-of-test") { return 403; }
			if (\$http_x_site != "one") { return 403; }
		}
	END
}
on_free_port start

# make_root: the initrd's root as far as the stage looks at it.
make_root() {
	R=$T/root
	rm -rf "$R"
	mkdir -p "$R/bin" "$R/dev" "$R/proc" "$R/run/spore/net" "$R/etc/spore/keys" "$R/etc/spore/access"
	cp "$guest/spore" "$guest/busybox" "$R/bin/"
	mknod "$R/dev/fuse" c 10 229
	mknod "$R/dev/null" c 1 3
	mknod "$R/dev/random" c 1 8
	echo '4.21 3.00' >"$R/proc/uptime"
	cp "$T/key.pub" "$R/etc/spore/keys/"
	cp "$T/tls/ca.pem" "$R/etc/spore/access/ca.pem"
	cp "$T/tls/client.pem" "$R/etc/spore/access/cert.pem"
	cp "$T/tls/client.key" "$R/etc/spore/access/key.pem"
	echo token-of-test >"$R/etc/spore/access/credentials"
	echo 'X-Site: one' >"$R/etc/spore/access/headers"
	chmod 600 "$R/etc/spore/access"/*
	chmod 444 "$R/etc/spore/access/ca.pem"
}

# The stage in a mount namespace of its own; then what the mounted tree says.
cat >"$T/stage" <<'END'
set -eu
R=$SPORE_ROOT LIB=$SPORE_TOP/initrd/lib
for f in console settings network machine; do . "$LIB/$f.sh"; done
log() { echo "$*"; }
say() { echo "$*"; }
fail() { echo "failed: $1: $2"; exit 3; }
network_wait() { :; }
stage=14-fetchfs
settings_file "$R/etc/spore/image.conf"
echo "unknown:$settings_unknown"
environment_make
mkdir -p "$env_dir/scratch/cache" "$env_dir/scratch/persistent"
. "$SPORE_TOP/initrd/stages/14-fetchfs"
cat "$env_dir/ro/etc/hostname"
umount "$env_dir/ro"
END
# run LINE...: with these settings beside the repository; into $T/said
run() {
	make_root
	{
		printf 'mount_timeout=3\n'
		printf '%s\n' "$@"
	} >"$R/etc/spore/image.conf"
	SPORE_ROOT=$R timeout 60 unshare -m --propagation private "$top/$guest/busybox" ash "$T/stage" >"$T/said" 2>&1
}

all="cafile=/etc/spore/access/ca.pem cert=/etc/spore/access/cert.pem certkey=/etc/spore/access/key.pem credentials=/etc/spore/access/credentials headers=/etc/spore/access/headers"

step "with all that the server wants"
# shellcheck disable=SC2086 # one setting a word
run "repository=https://127.0.0.1:$port/repo" $all || fail "exit $?: $(cat "$T/said")"
grep -qx "the tree's" "$T/said" || fail "not mounted: $(cat "$T/said")"
grep -qx 'unknown:' "$T/said" || fail "settings are not known: $(cat "$T/said")"
grep -q 'no authorities' "$T/said" && fail "a warning for nothing: $(cat "$T/said")"
grep -q token-of-test "$T/said" && fail "the token is shown"

step "without authorities: said, and not mounted"
run "repository=https://127.0.0.1:$port/repo" && fail "mounted without authorities"
grep -q "the image knows no authorities for https: build it with 'cafile = FILE'" "$T/said" || fail "not said: $(cat "$T/said")"
grep -qi 'certificate' "$T/said" || fail "the reason is not said: $(cat "$T/said")"

step "without each of the others"
for setting in cert credentials headers; do
	# shellcheck disable=SC2046 # one setting a word
	run "repository=https://127.0.0.1:$port/repo" $(echo "$all" | tr ' ' '\n' | grep -v "^$setting" | { [ "$setting" != cert ] || grep -v '^certkey'; cat; }) &&
		fail "mounted without $setting"
	grep -q 'cannot be mounted from https' "$T/said" || fail "$setting: $(cat "$T/said")"
done

step "a file that the image does not hold"
run "repository=https://127.0.0.1:$port/repo" cafile=/etc/spore/access/none.pem && fail "mounted"
grep -q 'failed: the initrd holds no file /etc/spore/access/none.pem (setting cafile)' "$T/said" || fail "$(cat "$T/said")"
