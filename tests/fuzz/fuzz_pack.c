/* SPDX-License-Identifier: MIT */
/* Packs: whatever the bytes, what pack_next gives lies within them and adds up. */
#include "fetchfs/format/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pack p;
	struct pack_cursor cursor = { 0 };
	struct pack_entry e = { .offset = 0 };
	uint32_t count = 0;

	if (pack_open(data, size, &p) < 0)
		return 0;
	while (pack_next(&p, &cursor, &e)) {
		struct digest d;
		digest_of(data + e.offset, e.length, &d);
		if (e.offset > size || e.length > size - e.offset || ++count > p.count)
			abort();
	}
	if (count && e.offset + e.length != size)
		abort();
	return 0;
}
