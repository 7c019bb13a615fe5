/* SPDX-License-Identifier: MIT */
/* Initrds, kernels and loaders of any content. */
#include "mkimage/executable.h"
#include "mkimage/initrd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct initrd_content c;
	struct kernel_info kernel;
	struct pe_info pe;
	const char *why;
	char text[256];

	if (initrd_read(data, size, 16 * MIB, &c, text) == 0) {
		initrd_find(&c, "init");
		initrd_content_done(&c);
	}
	kernel_inspect(data, size, &kernel, &why);
	pe_inspect(data, size, &pe, &why);
	return 0;
}
