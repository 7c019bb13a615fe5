/* SPDX-License-Identifier: MIT */
/* Making a pack; see pack_builder.h. */
#include "fetchfs/publish/pack_builder.h"

static errint_t make_room(uint8_t **buffer, size_t *room, size_t wanted)
{
	size_t larger = MAX(wanted, *room * 2);
	uint8_t *p;

	if (wanted <= *room)
		return 0;
	p = realloc(*buffer, larger);
	if (!p)
		return -ENOMEM;
	*buffer = p;
	*room = larger;
	return 0;
}

errint_t pack_builder_add(struct pack_builder *b, const struct digest *d, const void *data, uint32_t length)
{
	size_t at = (size_t)b->count * PACK_ENTRY_SIZE;

	if (b->count == PACK_MAX_ENTRIES || PACK_HEADER_SIZE + at + PACK_ENTRY_SIZE + b->size + length > PACK_MAX_SIZE)
		return -EFBIG;
	if (make_room(&b->index, &b->index_room, at + PACK_ENTRY_SIZE) < 0 || make_room(&b->contents, &b->room, b->size + length) < 0)
		return -ENOMEM;
	memcpy(b->index + at, d->bytes, DIGEST_SIZE);
	le32_put(b->index + at + DIGEST_SIZE, length);
	memcpy(b->contents + b->size, data, length);
	b->size += length;
	b->count++;
	return 0;
}

bool pack_builder_is_full(const struct pack_builder *b)
{
	return b->count >= PACK_MAX_ENTRIES || PACK_HEADER_SIZE + (size_t)b->count * PACK_ENTRY_SIZE + b->size >= PACK_TARGET_SIZE;
}

errint_t pack_builder_finish(struct pack_builder *b, void **ret_data, size_t *ret_size)
{
	size_t index_size = (size_t)b->count * PACK_ENTRY_SIZE;
	size_t size = PACK_HEADER_SIZE + index_size + b->size;
	uint8_t *data = malloc(size);

	if (!data)
		return -ENOMEM;
	memcpy(data, PACK_MAGIC, 8);
	le32_put(data + 8, PACK_VERSION);
	le32_put(data + 12, b->count);
	if (b->count)
		memcpy(data + PACK_HEADER_SIZE, b->index, index_size);
	if (b->size)
		memcpy(data + PACK_HEADER_SIZE + index_size, b->contents, b->size);
	b->count = 0;
	b->size = 0;
	*ret_data = data;
	*ret_size = size;
	return 0;
}

void pack_builder_done(struct pack_builder *b)
{
	free(b->index);
	free(b->contents);
	*b = (struct pack_builder){ 0 };
}
