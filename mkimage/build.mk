# SPDX-License-Identifier: MIT
# The image builder, and the image.

MKIMAGE_SRC := $(filter-out mkimage/main.c,$(wildcard mkimage/*.c))
MKIMAGE_LIB := $(H)/lib/libmkimage.a

$(MKIMAGE_LIB): $(call host_objects,$(MKIMAGE_SRC))

$(H)/bin/mkimage: $(call host_objects,mkimage/main.c) $(MKIMAGE_LIB) $(COMMON_LIB)

# Timestamps in the image: the last commit's, so that the same commit gives the same image; without git, mkimage's fixed date.
IMAGE_CONF ?= images/default.conf
IMAGE := $(B)/images/spore-$(ARCH).img
IMAGE_DATE = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))
IMAGE_SETTINGS = $(if $(REPOSITORY),--set 'repository=$(REPOSITORY)') $(if $(KEY),--set 'key=$(KEY)') $(MKIMAGE_FLAGS)

.PHONY: image
image: $(H)/bin/mkimage kernel bootloader guest ## build the image: make image REPOSITORY=URL KEY=FILE.pub [IMAGE_CONF=images/default.conf]
	@mkdir -p $(dir $(IMAGE))
	$(Q)$(if $(IMAGE_DATE),SOURCE_DATE_EPOCH=$(IMAGE_DATE)) $(H)/bin/mkimage build -a $(ARCH) -d $(IMAGE_CONF) --build-dir $(B) $(IMAGE_SETTINGS) -o $(IMAGE)
	$(Q)$(H)/bin/mkimage verify --quiet $(IMAGE)
