# SPDX-License-Identifier: MIT
# The guest's one program, and what is packed into the initrd (by mkimage, from initrd/recipe).
# Knows which sources the guest binary is made of; must not know how they work.

SCRATCH_SRC := $(filter-out initrd/scratch/main.c,$(wildcard initrd/scratch/*.c))
SCRATCH_LIB := $(H)/lib/libscratch.a

$(SCRATCH_LIB): $(call host_objects,$(SCRATCH_SRC))
$(H)/bin/scratch: $(call host_objects,initrd/scratch/main.c) $(SCRATCH_LIB) $(COMMON_LIB)
test-tools: $(H)/bin/scratch

# Everything is compiled with one section per function; the linker keeps what is reached from main.
SPORE_SRC := initrd/spore.c $(COMMON_SRC) $(FETCHFS_SRC) $(FETCHFS_FORMAT_SRC) $(FETCHFS_CLIENT_SRC) $(CTX_GUEST_SRC) $(SCRATCH_SRC)
$(GUEST_DIR)/spore: $(call guest_objects,$(SPORE_SRC)) | $(DEPS_STAMP)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) $(GUEST_LDFLAGS) -o $@.new $^ $(GUEST_LIBS)
	$(Q)$(GUEST_STRIP) --strip-all $@.new
	$(Q)mv $@.new $@

# What an image's initrd depends on.
INITRD_INPUTS := initrd/recipe initrd/init initrd/shutdown initrd/udhcpc.script $(wildcard initrd/lib/* initrd/stages/*)

.PHONY: guest
guest: $(DEPS_GUEST) $(GUEST_DIR)/spore ## build the guest's programs (musl, static)
