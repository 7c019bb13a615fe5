# SPDX-License-Identifier: MIT
# The EFI loader: an ELF shared object made position-independent with gnu-efi's start-up code, then turned into a PE by objcopy.
# gnu-efi 3.0.15 (bookworm) and 3.0.18 (trixie) both do; only its headers, crt0 and relocator are used.

# By architecture: file name that the firmware looks for, gnu-efi's name, compiler prefix, objcopy's target, folder of gnu-efi's files.
EFI_NAME_x86_64 := BOOTX64.EFI
EFI_ARCH_x86_64 := x86_64
EFI_PREFIX_x86_64 := x86_64-linux-gnu-
EFI_TARGET_x86_64 := efi-app-x86_64
EFI_FLAGS_x86_64 := -m64 -mno-red-zone -maccumulate-outgoing-args -DGNU_EFI_USE_MS_ABI
EFI_LD_x86_64 := -m elf_x86_64
EFI_LIBDIR_x86_64 := /usr/lib

EFI_ARCH := $(EFI_ARCH_$(ARCH))
EFI_CC ?= $(EFI_PREFIX_$(ARCH))gcc
EFI_LD ?= $(EFI_PREFIX_$(ARCH))ld
EFI_OBJCOPY ?= $(EFI_PREFIX_$(ARCH))objcopy
EFI_INCLUDE ?= /usr/include/efi
EFI_LIBDIR ?= $(EFI_LIBDIR_$(ARCH))

EFI_SRC := $(wildcard bootloader/efi/*.c) common/boot_conf.c
EFI_OBJ := $(patsubst %.c,$(B)/$(ARCH)/efi/obj/%.o,$(EFI_SRC))
EFI_OUT := $(B)/$(ARCH)/$(EFI_NAME_$(ARCH))

# What of it runs on the build machine too, for the unit tests.
BOOTLOADER_LIB = $(H)/lib/libbootloader.a
$(H)/lib/libbootloader.a: $(call host_objects,bootloader/efi/text.c bootloader/efi/edit.c)

EFI_CFLAGS := -std=c11 -I. -isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/$(EFI_ARCH) $(WARNINGS) -Os -ffreestanding -fpic -fshort-wchar \
	-fno-stack-protector -fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-unwind-tables -fvisibility=hidden \
	-fno-stack-check -fno-ident -fcf-protection=none -ffile-prefix-map=$(CURDIR)=. $(EFI_FLAGS_$(ARCH))
# The loops of memcpy and memset must not become calls of themselves.
$(B)/$(ARCH)/efi/obj/bootloader/efi/libc.o: EFI_CFLAGS += -fno-builtin $(EFI_NO_LOOP_IDIOM)
EFI_NO_LOOP_IDIOM ?= -fno-tree-loop-distribute-patterns

.PHONY: bootloader
bootloader: $(EFI_OUT) ## build the EFI loader, build/ARCH/BOOTX64.EFI

$(B)/$(ARCH)/efi/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,EFICC,$@)
	$(Q)$(EFI_CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

$(B)/$(ARCH)/efi/loader.so: $(EFI_OBJ)
	$(call say,EFILD,$@)
	$(Q)$(EFI_LD) $(EFI_LD_$(ARCH)) -nostdlib -znocombreloc -znoexecstack -shared -Bsymbolic --no-undefined --build-id=none \
		-T $(EFI_LIBDIR)/elf_$(EFI_ARCH)_efi.lds $(EFI_LIBDIR)/crt0-efi-$(EFI_ARCH).o $(EFI_OBJ) $(EFI_LIBDIR)/libgnuefi.a -o $@

$(EFI_OUT): $(B)/$(ARCH)/efi/loader.so bootloader/efi/pe-finish.sh
	$(call say,EFIPE,$@)
	$(Q)$(EFI_OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .rodata -j .rel -j .rela -j '.rel.*' -j '.rela.*' -j .reloc \
		--strip-all --target $(EFI_TARGET_$(ARCH)) $< $@.tmp
	$(Q)sh bootloader/efi/pe-finish.sh $@.tmp
	$(Q)mv $@.tmp $@
