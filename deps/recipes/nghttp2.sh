# SPDX-License-Identifier: MIT
# nghttp2: HTTP/2 for curl, so that many small requests share one connection.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:nghttp2
NEEDS=headers

build() {
	version=$(awk -F'[ ,]' '/^AC_INIT/ { gsub(/[][]/, "", $3); print $3; exit }' configure.ac)
	number=$(echo "$version" | awk -F. '{ printf "0x%02x%02x%02x", $1, $2, $3 }')
	sed -e "s/@PACKAGE_VERSION@/$version/" -e "s/@PACKAGE_VERSION_NUM@/$number/" \
		lib/includes/nghttp2/nghttp2ver.h.in >lib/includes/nghttp2/nghttp2ver.h
	compile_library libnghttp2.a -Ilib/includes -DNGHTTP2_STATICLIB -DBUILDING_NGHTTP2 \
		-DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_CLOCK_GETTIME -DHAVE_DECL_CLOCK_MONOTONIC=1 \
		$(ls lib/*.c)
	install_headers lib/includes nghttp2/nghttp2.h nghttp2/nghttp2ver.h
}
