# SPDX-License-Identifier: MIT
# The one entry to Spore. Non-recursive: each part's build.mk adds its sources and rules. Results land in build/.

ARCH ?= x86_64
SANITIZE ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
B := build
VERSION := 0.1

KNOWN_ARCHES := x86_64
ifeq ($(filter $(ARCH),$(KNOWN_ARCHES)),)
$(error ARCH=$(ARCH) is not known; known: $(KNOWN_ARCHES))
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# One short line for each result; V=1 prints the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# Shared by everything that is compiled.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef \
	-Wwrite-strings -Werror=implicit-function-declaration -Werror=int-conversion -Werror=incompatible-pointer-types \
	-Werror=return-type -Werror=format-security
LANGUAGE := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -DSPORE_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=.

# Host programs: the distribution's shared libraries.
HOST_PACKAGES := fuse3 libcurl zlib libzstd liblzma libarchive libsodium yaml-0.1 jansson
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection
HOST_CFLAGS = $(LANGUAGE) $(WARNINGS) -g -pthread -DFUSE_USE_VERSION=314 $(HOST_INCLUDES) $(CFLAGS)
HOST_INCLUDES = $(shell pkg-config --cflags $(HOST_PACKAGES) 2>/dev/null)
HOST_LIBS = $(shell pkg-config --libs $(HOST_PACKAGES)) -lcrypt -pthread
HOST_INCLUDES := $(HOST_INCLUDES)
HOST_LIBS := $(HOST_LIBS)
ifeq ($(SANITIZE),1)
H := $(B)/sanitize
SANITIZERS := address,undefined
else ifeq ($(SANITIZE),thread)
H := $(B)/thread
SANITIZERS := thread
else ifeq ($(SANITIZE),fuzz)
H := $(B)/fuzz
SANITIZERS := address,undefined,fuzzer-no-link
CC := clang
else ifneq ($(SANITIZE),0)
$(error SANITIZE=$(SANITIZE) is not known; known: 0, 1, thread, fuzz)
endif
ifdef SANITIZERS
HOST_CFLAGS += -O1 -fsanitize=$(SANITIZERS) $(if $(findstring undefined,$(SANITIZERS)),-fno-sanitize-recover=undefined) -fno-omit-frame-pointer
HOST_LDFLAGS := -fsanitize=$(SANITIZERS)
else
H := $(B)/host
HOST_CFLAGS += -O2 $(HARDENING)
HOST_LDFLAGS := -pie -Wl,-z,relro,-z,now
endif

host_objects = $(patsubst %.c,$(H)/obj/%.o,$(1))
guest_objects = $(patsubst %.c,$(B)/$(ARCH)/obj/%.o,$(1))

.PHONY: all help clean distclean setup setup-build FORCE
all: programs ## build the host programs

include deps/build.mk
include common/build.mk
include fetchfs/build.mk
include contextualize/build.mk
include mkimage/build.mk
include bootloader/build.mk
include kernel-config/build.mk
include initrd/build.mk
include tests/build.mk

.PHONY: programs
programs: $(addprefix $(H)/bin/,fetchfs contextualize mkimage) ## the three programs, in build/host/bin

$(H)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/$(ARCH)/obj/%.o: %.c $(DEPS_KEY)
	@mkdir -p $(@D)
	$(call say,GUESTCC,$@)
	$(Q)$(GUEST_CC) $(LANGUAGE) $(WARNINGS) -DSPORE_GUEST -DFUSE_USE_VERSION=317 $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(H)/bin/%:
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(HOST_LIBS)

$(H)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcsD $@ $^

# Every compilation notes what it read.
-include $(shell find $(B) -name '*.d' -path '*/obj/*' 2>/dev/null)

.PHONY: demo
demo: ## from nothing to the login of a Debian machine in QEMU, on this terminal
	deps/install-packages.sh all
	images/demo.sh

PREFIX ?= /usr/local
.PHONY: install
install: programs ## install the host programs, manual pages and the sysusers.d file below PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0755 $(addprefix $(H)/bin/,fetchfs contextualize mkimage) $(DESTDIR)$(PREFIX)/bin/
	ln -sf ../bin/fetchfs $(DESTDIR)$(PREFIX)/sbin/mount.fetchfs
	install -m 0644 $(wildcard docs/man/*.1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 0644 $(wildcard docs/man/*.7) $(DESTDIR)$(PREFIX)/share/man/man7/
	install -D -m 0644 fetchfs/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/fetchfs.conf

setup: ## install the Debian packages that building and testing need (root or sudo)
	deps/install-packages.sh all

setup-build:
	deps/install-packages.sh build

help: ## print this list
	@echo "Spore $(VERSION). Targets (ARCH=$(ARCH); SANITIZE=1 builds with ASan and UBSan into build/sanitize, SANITIZE=thread with TSan into build/thread):"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort -u

clean: ## remove build/
	rm -rf $(B)

distclean: clean ## remove build/ and what is cached under ~/.cache/spore
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/spore"
