/* SPDX-License-Identifier: MIT */
/*
 * What the firmware starts: PE files (the loader) and kernels with an EFI stub. Looks at headers in memory; runs nothing.
 */
#ifndef SPORE_MKIMAGE_EXECUTABLE_H
#define SPORE_MKIMAGE_EXECUTABLE_H

#include "common/base.h"

#define PE_SUBSYSTEM_EFI_APPLICATION 10

struct pe_info {
	uint16_t machine;
	uint16_t subsystem;
	bool is_64bit;		/* PE32+ */
};

/* -EBADMSG: no PE file, or cut short; *ret_why says what. */
errint_t pe_inspect(const void *data, size_t size, struct pe_info *ret, const char **ret_why);

struct kernel_info {
	char version[128];	/* "6.12.9 (build@host) #1 …", printable; empty where the header has none */
	uint16_t protocol;	/* boot protocol, 0x020f for 2.15; 0 where the kernel is of an architecture without one */
	bool efi_stub;
	uint16_t machine;	/* of the EFI stub */
};

/* A bzImage (Documentation/arch/x86/boot.rst). -EBADMSG: it is none; *ret_why says what. */
errint_t kernel_inspect(const void *data, size_t size, struct kernel_info *ret, const char **ret_why);

#endif
