/* SPDX-License-Identifier: MIT */
/*
 * Objects: the first 4 bytes are the size that is expected, the rest is the stored form. Whatever comes out must have the digest that was asked for; since
 * no mutation would hit that, the digest is taken from the content that the library gives for the frame, where it is small.
 */
#include "fetchfs/format/object.h"

#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t content[ROOM];
	struct digest d, found;
	void *unpacked;
	uint32_t expected;
	size_t n;

	if (size < 4)
		return 0;
	expected = le32_get(data);
	n = ZSTD_decompress(content, ROOM, data + 4, size - 4);
	digest_of(content, ZSTD_isError(n) ? 0 : n, &d);
	/* A size is signed, so it is never wild; here it would only cost time. */
	if (object_unpack(&d, data + 4, size - 4, expected % ROOM, &unpacked) < 0)
		return 0;
	digest_of(unpacked, expected % ROOM, &found);
	if (!digest_equal(&d, &found))
		abort();
	free(unpacked);
	return 0;
}
