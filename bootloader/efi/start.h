/* SPDX-License-Identifier: MIT */
/*
 * Starts one kernel with its initrd and command line, and says on the console what stands in the way. Knows nothing of boot.conf or the menu.
 */
#ifndef SPORE_BOOTLOADER_START_H
#define SPORE_BOOTLOADER_START_H

#include "bootloader/efi/file.h"

#define START_PATH_MAX 260		/* units */
#define START_OPTIONS_MAX 4097		/* units, with the 0 */

struct start {
	ucs2_t linux_path[START_PATH_MAX];
	ucs2_t initrd_path[START_PATH_MAX];	/* empty: the kernel has none, or has it inside */
	ucs2_t options[START_OPTIONS_MAX];	/* the command line */
};

/* Does not return where the kernel takes over. Everything is released when it does; a message was printed then. */
EFI_STATUS start_kernel(const struct volume *v, struct start *s);

#endif
