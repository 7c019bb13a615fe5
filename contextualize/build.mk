# SPDX-License-Identifier: MIT
# contextualize: CTX_GUEST_SRC is for guest and host, CTX_HOST_SRC for the host only.

CTX_HOST_SRC := contextualize/check.c contextualize/seed.c contextualize/iso_finish.c
CTX_GUEST_SRC := $(filter-out contextualize/main.c $(CTX_HOST_SRC),$(wildcard contextualize/*.c)) \
	$(wildcard contextualize/sources/*.c contextualize/formats/*.c contextualize/apply/*.c)
CTX_LIB := $(H)/lib/libcontextualize.a

$(CTX_LIB): $(call host_objects,$(CTX_GUEST_SRC) $(CTX_HOST_SRC))

$(H)/bin/contextualize: $(call host_objects,contextualize/main.c) $(CTX_LIB) $(COMMON_LIB)
