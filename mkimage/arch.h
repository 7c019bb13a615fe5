/* SPDX-License-Identifier: MIT */
/*
 * The architectures that images can be made for: one row each. A new architecture is a row here (and what its kernel looks like, in kernel.c).
 */
#ifndef SPORE_MKIMAGE_ARCH_H
#define SPORE_MKIMAGE_ARCH_H

#include "common/base.h"

struct arch {
	const char *name;		/* -a, spore/NAME/ on the ESP */
	const char *loader;		/* file name below EFI/BOOT on the ESP, and of the built loader */
	uint16_t pe_machine;		/* PE specification, "Machine Types" */
};

const struct arch *arch_find(const char *name);
const struct arch *arch_of_machine(uint16_t pe_machine);
/* One after the other: index 0, 1 …; NULL behind the last. */
const struct arch *arch_at(size_t index);
/* "x86_64, aarch64" for messages. */
void arch_list(char *ret, size_t size);

#endif
