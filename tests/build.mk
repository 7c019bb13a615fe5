# SPDX-License-Identifier: MIT
# Tests: unit programs (cmocka) and fuzz mains are built with ASan and UBSan below build/sanitize; shell tests use the programs of build/host.

TEST_LIBS = $(H)/lib/libcontextualize.a $(H)/lib/libfetchfs.a $(H)/lib/libmkimage.a $(H)/lib/libscratch.a $(BOOTLOADER_LIB) $(COMMON_LIB)
UNIT_TESTS := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ_TESTS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TEST_TOOLS := $(patsubst tests/tools/%.c,%,$(wildcard tests/tools/*.c))

$(H)/tests/unit/%: $(H)/obj/tests/unit/test_%.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group -lcmocka $(HOST_LIBS) -lext2fs -lcom_err

# With libFuzzer (SANITIZE=fuzz) or a driver that replays and mutates the corpus, always in the same way.
FUZZ_MAIN = $(if $(filter fuzz,$(SANITIZE)),,$(H)/obj/tests/fuzz/driver.o)
$(H)/tests/fuzz/%: $(H)/obj/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) -o $@ $(filter %.o,$^) -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(HOST_LIBS) -lext2fs -lcom_err

$(B)/tests/bin/%: $(H)/obj/tests/tools/%.o $(COMMON_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(HOST_LIBS)

# What connects to the client's sockets connects as the client does.
$(B)/tests/bin/hostile: $(call host_objects,fetchfs/client/unix_path.c)

# Within the sandbox that workers have.
$(B)/tests/bin/confined: $(call host_objects,fetchfs/client/sandbox.c fetchfs/client/sandbox_filter.c fetchfs/client/sandbox_root.c)

# Speaks as a worker does.
$(B)/tests/bin/candidate: $(call host_objects,fetchfs/client/channel.c)

# The driver of the boot tests has parts of its own.
$(B)/tests/bin/console: $(call host_objects,$(sort $(wildcard tests/console/*.c)))

.PHONY: unit-programs fuzz-programs test-tools print-host-flags
.PRECIOUS: $(H)/obj/%.o
unit-programs: $(addprefix $(H)/tests/unit/,$(UNIT_TESTS))
fuzz-programs: $(addprefix $(H)/tests/fuzz/,$(FUZZ_TESTS))
test-tools: $(addprefix $(B)/tests/bin/,$(TEST_TOOLS))

# For the test that compiles everything with clang.
print-host-flags:
	@echo $(filter-out -fstack-clash-protection,$(HOST_CFLAGS))

JOBS ?= $(shell nproc)
.PHONY: check check-quick build-for-check
build-for-check:
	+$(MAKE) -j$(JOBS) programs test-tools kernel guest bootloader
	+$(MAKE) -j$(JOBS) SANITIZE=1 unit-programs fuzz-programs

check: ## install what is missing, build everything, run all tests
	deps/install-packages.sh all
	+$(MAKE) build-for-check
	tests/run.sh -j $(JOBS) static unit fuzz integration boot

check-quick: ## the tests that need neither kernel nor QEMU
	+$(MAKE) -j$(JOBS) programs test-tools
	+$(MAKE) -j$(JOBS) SANITIZE=1 unit-programs fuzz-programs
	tests/run.sh -j $(JOBS) static unit fuzz integration

.PHONY: fuzz check-sanitized
fuzz: ## fuzz all parsers with libFuzzer: FUZZ_SECONDS=60 for each [FUZZ=NAME...] [FUZZ_KEEP=yes: what is new goes into the corpus]
	+$(MAKE) -j$(JOBS) SANITIZE=fuzz fuzz-programs
	tests/fuzz.sh -j $(JOBS) $(if $(FUZZ_KEEP),-k) $(or $(FUZZ_SECONDS),60) $(or $(FUZZ),$(FUZZ_TESTS))

check-sanitized: ## the integration tests with the programs under ASan and UBSan, then under TSan
	+$(MAKE) -j$(JOBS) programs test-tools guest
	+$(MAKE) -j$(JOBS) SANITIZE=1 programs
	+$(MAKE) -j$(JOBS) SANITIZE=thread programs
	SPORE_PROGRAMS=build/sanitize/bin tests/run.sh -j $(JOBS) integration
	SPORE_PROGRAMS=build/thread/bin tests/run.sh -j $(JOBS) integration

.PHONY: boot
boot: ## boot IMAGE in QEMU on this terminal: IMAGE=FILE [SEED=ISO] [DISK=FILE] [FIRMWARE=uefi|bios]
	@[ -n "$(IMAGE)" ] || { echo "make boot: name the image: IMAGE=build/images/spore-$(ARCH).img" >&2; exit 64; }
	tests/boot/run-qemu.sh --arch $(ARCH) --image "$(IMAGE)" $(if $(SEED),--seed "$(SEED)") $(if $(DISK),--disk "$(DISK)") --firmware $(or $(FIRMWARE),uefi)

.PHONY: bench
bench: programs test-tools guest bootloader kernel ## sizes, and power-on to login beside a local disk (root; RUNS=3)
	tests/bench/boot.sh $(or $(RUNS),3)

.PHONY: bench-fetchfs
bench-fetchfs: programs test-tools ## fetchfs beside its peers over an emulated link (root; RUNS, PEERS, RTT, WORKLOADS: tests/bench/fetchfs.sh)
	deps/install-packages.sh bench
	tests/bench/fetchfs.sh
