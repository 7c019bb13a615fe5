/* SPDX-License-Identifier: MIT */
/*
 * Objects: their names and their compression; see object.h. Knows zstd and the digest, and must not know what an object holds
 * or where it is kept.
 */
#include "fetchfs/format/object.h"

#include <zstd.h>

void object_path(const struct digest *d, char ret_path[OBJECT_PATH_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(d, text);
	snprintf(ret_path, OBJECT_PATH_SIZE, OBJECT_DIRECTORY "/%.2s/%s", text + strlen(DIGEST_ALGORITHM) + 1, text);
}

/* One whole frame with its content size, and nothing behind it. */
static bool frame_is(const void *stored, size_t stored_size, uint64_t size)
{
	if (ZSTD_getFrameContentSize(stored, stored_size) != size)
		return false;
	/* Also an error code (which is far above any real size) is no match. */
	return ZSTD_findFrameCompressedSize(stored, stored_size) == stored_size;
}

errint_t object_unpack(const struct digest *d, const void *stored, size_t stored_size, uint64_t size, void **ret_data)
{
	_cleanup_free_ void *data = NULL;
	struct digest found;

	if (size > OBJECT_MAX_SIZE)
		return -EFBIG;
	if (!frame_is(stored, stored_size, size))
		return -EBADMSG;
	data = malloc(size ? (size_t)size : 1);
	if (!data)
		return -ENOMEM;
	/* What the library reports about a broken frame is all the same to the caller. */
	if (ZSTD_decompress(data, (size_t)size, stored, stored_size) != size)
		return -EBADMSG;
	digest_of(data, (size_t)size, &found);
	if (!digest_equal(&found, d))
		return -EBADMSG;
	*ret_data = steal_ptr(data);
	return 0;
}

errint_t object_pack(const void *data, size_t size, int level, void **ret_stored, size_t *ret_stored_size)
{
	_cleanup_free_ void *stored = NULL;
	size_t bound, n;

	if (size > OBJECT_MAX_SIZE)
		return -EFBIG;
	bound = ZSTD_compressBound(size);
	stored = malloc(bound);
	if (!stored)
		return -ENOMEM;
	n = ZSTD_compress(stored, bound, data, size, level);
	if (ZSTD_isError(n))
		return -ENOMEM;
	/* The bound is generous: give back what was not needed, since several objects wait at a time. */
	void *smaller = realloc(stored, n);
	if (smaller)
		stored = smaller;
	*ret_stored = steal_ptr(stored);
	*ret_stored_size = n;
	return 0;
}
