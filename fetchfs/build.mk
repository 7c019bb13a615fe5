# SPDX-License-Identifier: MIT
# fetchfs: formats and client go to the host and to the guest, the publisher to the host alone.

FETCHFS_FORMAT_SRC := $(wildcard fetchfs/format/*.c)
FETCHFS_CLIENT_SRC := $(wildcard fetchfs/client/*.c)
FETCHFS_PUBLISH_SRC := $(wildcard fetchfs/publish/*.c)
# The verb table, compiled with -DSPORE_GUEST for the guest's multi-call binary.
FETCHFS_SRC := fetchfs/fetchfs.c

FETCHFS_LIB := $(H)/lib/libfetchfs.a

$(FETCHFS_LIB): $(call host_objects,$(FETCHFS_SRC) $(FETCHFS_FORMAT_SRC) $(FETCHFS_CLIENT_SRC) $(FETCHFS_PUBLISH_SRC))
$(H)/bin/fetchfs: $(call host_objects,fetchfs/main.c) $(FETCHFS_LIB) $(COMMON_LIB)
