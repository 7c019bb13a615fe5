# SPDX-License-Identifier: MIT
# The guest's kernel. build-kernel.sh keeps results in the cache, so running it again costs nothing.

KERNEL := $(B)/$(ARCH)/linux
KERNEL_INPUTS := $(addprefix kernel-config/,base.config $(ARCH).config required.list source.lock build-kernel.sh check-config.sh)

$(KERNEL) $(KERNEL).config &: $(KERNEL_INPUTS)
	$(Q)kernel-config/build-kernel.sh $(ARCH) $(B)/$(ARCH)

.PHONY: kernel
kernel: $(KERNEL) ## build the guest's kernel (or take it from the cache)
