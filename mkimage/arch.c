/* SPDX-License-Identifier: MIT */
/* The table of architectures; see arch.h. */
#include "mkimage/arch.h"

static const struct arch arches[] = {
	{ .name = "x86_64", .loader = "BOOTX64.EFI", .pe_machine = 0x8664 },
};

const struct arch *arch_at(size_t index)
{
	return index < ARRAY_SIZE(arches) ? &arches[index] : NULL;
}

const struct arch *arch_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
		if (strcmp(arches[i].name, name) == 0)
			return &arches[i];
	return NULL;
}

const struct arch *arch_of_machine(uint16_t pe_machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
		if (arches[i].pe_machine == pe_machine)
			return &arches[i];
	return NULL;
}

void arch_list(char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(arches) && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? ", " : "", arches[i].name);
}
