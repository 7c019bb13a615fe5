# SPDX-License-Identifier: MIT
# The guest's toolchain and static libraries (deps/README.md): where they are, and how to link against them.
# Knows: deps/build-deps.sh makes a prefix in the cache. Must not know: who links what.

GUEST_TRIPLET := $(shell deps/toolchain.sh $(ARCH) TRIPLET)
GUEST_CC := $(GUEST_TRIPLET)-gcc
GUEST_AR := $(shell deps/toolchain.sh $(ARCH) AR)
GUEST_STRIP := $(shell deps/toolchain.sh $(ARCH) STRIP)
GUEST_PREFIX := build/$(ARCH)/deps
GUEST_DIR := build/$(ARCH)/guest

# Compile with $(GUEST_CFLAGS), link with $(GUEST_LDFLAGS) ... $(GUEST_LIBS_...).
GUEST_CFLAGS := $(shell deps/toolchain.sh $(ARCH) OPT) -isystem $(GUEST_PREFIX)/include -isystem $(GUEST_PREFIX)/include/fuse3 -DCURL_STATICLIB
GUEST_LDFLAGS := $(shell deps/toolchain.sh $(ARCH) LDFLAGS) -L$(GUEST_PREFIX)/lib

# What a user of each library links, in the order that a static link wants.
GUEST_LIBS_CURL := -lcurl -lmbedtls -lnghttp2 -lpthread
GUEST_LIBS_FUSE := -lfuse3 -lpthread
GUEST_LIBS_SODIUM := -lsodium
GUEST_LIBS_ZSTD := -lzstd
GUEST_LIBS_ZLIB := -lz
GUEST_LIBS_YAML := -lyaml
GUEST_LIBS_JANSSON := -ljansson
GUEST_LIBS_EXT2FS := -lext2fs -lcom_err
GUEST_LIBS_BLKID := -lblkid -luuid
GUEST_LIBS := $(GUEST_LIBS_CURL) $(GUEST_LIBS_FUSE) $(GUEST_LIBS_SODIUM) $(GUEST_LIBS_ZSTD) $(GUEST_LIBS_ZLIB) \
	$(GUEST_LIBS_YAML) $(GUEST_LIBS_JANSSON)

DEPS_STAMP := build/$(ARCH)/deps.stamp
# As old as the libraries themselves: what is compiled with their headers, or linked with them, depends on it.
DEPS_KEY := build/$(ARCH)/deps.key
DEPS_INPUTS := $(wildcard deps/*.sh deps/*.c deps/*.table deps/*.lock deps/config/* deps/recipes/*.sh)

# The programs that deps/ makes for the guest; the three of e2fsprogs are links to one file.
DEPS_GUEST := $(GUEST_DIR)/busybox $(GUEST_DIR)/busybox.applets $(GUEST_DIR)/e2fsprogs \
	$(addprefix $(GUEST_DIR)/,mke2fs e2fsck resize2fs)

.PHONY: deps
deps: $(DEPS_STAMP) $(DEPS_GUEST) ## build the guest's static libraries, busybox and e2fsprogs

# A link to a prefix that somebody removed from the cache counts as none.
$(DEPS_STAMP): $(DEPS_INPUTS) $(if $(wildcard $(GUEST_PREFIX)/lib),,FORCE)
	@mkdir -p $(@D)
	$(Q)deps/build-deps.sh $(ARCH) $(GUEST_PREFIX) >$@.new
	$(Q)mv $@.new $@

$(DEPS_KEY): $(DEPS_STAMP)
	$(Q)cmp -s $< $@ || cp $< $@

$(GUEST_DIR)/busybox $(GUEST_DIR)/e2fsprogs: $(DEPS_STAMP)
	@mkdir -p $(@D)
	$(Q)install -m 755 $(GUEST_PREFIX)/bin/$(@F) $@

$(GUEST_DIR)/busybox.applets: $(DEPS_STAMP)
	@mkdir -p $(@D)
	$(Q)install -m 644 $(GUEST_PREFIX)/share/$(@F) $@

$(addprefix $(GUEST_DIR)/,mke2fs e2fsck resize2fs): $(GUEST_DIR)/e2fsprogs
	$(Q)ln -sf e2fsprogs $@
