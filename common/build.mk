# SPDX-License-Identifier: MIT
# The library that all programs share. The guest takes what it uses of it (--gc-sections drops the rest).

COMMON_SRC := $(wildcard common/*.c)
COMMON_LIB := $(H)/lib/libcommon.a

$(COMMON_LIB): $(call host_objects,$(COMMON_SRC))
