# SPDX-License-Identifier: MIT
# libcurl: file, http and https; HTTP/1.1 and HTTP/2, IPv6, proxies, names resolved in a thread. Everything else off.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:curl
NEEDS='headers mbedtls nghttp2'

build() {
	off='ftp ldap ldaps rtsp dict telnet tftp pop3 imap smb smtp gopher mqtt ipfs manual docs libcurl-option ares
		cookies alt-svc hsts ntlm negotiate-auth kerberos-auth aws doh netrc mime form-api bearer-auth digest-auth websockets
		unix-sockets tls-srp sha512-256 dnsshuffle get-easy-options ech httpsrr ssls-export openssl-auto-load-config
		versioned-symbols dependency-tracking shared progress-meter'
	without='zlib zstd brotli libpsl libidn2 libssh libssh2 librtmp libgsasl ngtcp2 nghttp3 gssapi ca-path'
	set --
	for option in $off; do set -- "$@" "--disable-$option"; done
	for option in $without; do set -- "$@" "--without-$option"; done
	./configure --host="$TRIPLET" --prefix=/ --enable-static --enable-threaded-resolver --enable-ipv6 --enable-symbol-hiding --without-pic \
		--with-mbedtls="$IN" --with-nghttp2="$IN" --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt "$@" \
		CC="$CC" AR="$AR" RANLIB="$RANLIB" NM="$NM" STRIP="$STRIP" PKG_CONFIG=false \
		CFLAGS="$CFLAGS -DNGHTTP2_STATICLIB" LDFLAGS="-static -no-pie -L$IN/lib"
	make -C lib -j "$JOBS" libcurl.la
	make -C lib DESTDIR="$OUT" install-libLTLIBRARIES
	make -C include DESTDIR="$OUT" install
	rm -f "$OUT"/lib/*.la
	require_curl_features
}

# What must be in: configure turns features off without failing.
require_curl_features() {
	for feature in USE_MBEDTLS USE_NGHTTP2 USE_IPV6 USE_THREADS_POSIX; do
		grep -q "^#define $feature 1" lib/curl_config.h || {
			echo "curl was configured without $feature"
			return 1
		}
	done
}
