# SPDX-License-Identifier: MIT
# mbedTLS: https for curl, as a client only (deps/config/mbedtls.h says what is in). The smallest of the kept TLS libraries
# that speaks TLS 1.3. The ciphers' inner loops are compiled for speed.
# shellcheck shell=sh disable=SC2010,SC2034,SC2046,SC2086,SC2154,SC2164 # variables and lists shared with build-one.sh
PACKAGE=source:mbedtls
NEEDS=headers
FILES=config/mbedtls.h

build() {
	cp "$DEPS_DIR/config/mbedtls.h" include/mbedtls/spore_config.h
	flags='-Iinclude -Ilibrary'
	sed -i 's|"mbedtls/mbedtls_config.h"|"mbedtls/spore_config.h"|' include/mbedtls/build_info.h
	grep -q spore_config.h include/mbedtls/build_info.h
	# Randomness from the kernel's call as with glibc, not from /dev/urandom, which a confined process does not have.
	sed -i 's/defined(__linux__) && defined(__GLIBC__)/defined(__linux__)/' library/entropy_poll.c
	grep -q '^#if ((defined(__linux__)) ||' library/entropy_poll.c
	fast='library/aes.c library/aesni.c library/aesce.c library/gcm.c library/chacha20.c library/poly1305.c
		library/bignum_core.c library/sha256.c'
	compile_objects $flags -O2 $fast
	compile_library libmbedtls.a $flags $(ls library/*.c | grep -v -x -F "$(printf '%s\n' $fast)")
	# Users ask for three libraries; all is in the first, whose members need each other in a circle.
	"$AR" crD "$OUT/lib/libmbedx509.a"
	"$AR" crD "$OUT/lib/libmbedcrypto.a"
	install_headers include $(cd include && ls mbedtls/*.h psa/*.h)
}
