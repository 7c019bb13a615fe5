/* SPDX-License-Identifier: MIT */
/* FAT volumes of any content: opened, checked, listed, and every file read. */
#include "mkimage/fat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, const char *text)
{
	*(size_t *)context += strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fat f;
	struct fat_listing l;
	const char *why;
	size_t said = 0;

	if (fat_open(data, size, &f, &why) < 0)
		return 0;
	fat_check(&f, ignore, &said);
	fat_free_bytes(&f);
	if (fat_list(&f, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.count; i++) {
		_cleanup_free_ char *content = NULL;
		size_t got;
		if (fat_read(&f, &l.nodes[i], MIB, &content, &got) == 0 && content[got] != '\0')
			abort();
	}
	fat_listing_done(&l);
	return 0;
}
