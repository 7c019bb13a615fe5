# SPDX-License-Identifier: MIT
# jansson: the JSON of OpenStack's and EC2's metadata.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:jansson
NEEDS=headers

build() {
	: >src/jansson_private_config.h
	sed -e 's/@json_inline@/inline/' -e 's/@json_have_long_long@/1/' -e 's/@json_have_localeconv@/0/' \
		-e 's/@json_have_atomic_builtins@/1/' -e 's/@json_have_sync_builtins@/1/' \
		src/jansson_config.h.in >src/jansson_config.h
	compile_library libjansson.a -Isrc -DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_FCNTL_H -DHAVE_SYS_TYPES_H -DHAVE_SYS_TIME_H \
		-DHAVE_SYS_STAT_H -DHAVE_ENDIAN_H -DHAVE_SCHED_H -DHAVE_CLOSE -DHAVE_GETPID -DHAVE_GETTIMEOFDAY -DHAVE_OPEN \
		-DHAVE_READ -DHAVE_SCHED_YIELD -DHAVE_ATOMIC_BUILTINS -DUSE_URANDOM=1 -DINITIAL_HASHTABLE_ORDER=3 \
		-Dint32_t=int32_t $(ls src/*.c)
	install_headers src jansson.h jansson_config.h
}
