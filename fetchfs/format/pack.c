/* SPDX-License-Identifier: MIT */
/* Reading packs; see pack.h. Works on bytes in memory and must not know where they came from. */
#include "fetchfs/format/pack.h"

errint_t pack_open(const void *data, size_t size, struct pack *ret)
{
	const uint8_t *p = data;
	uint64_t sum;
	uint32_t count;

	if (size < PACK_HEADER_SIZE || size > PACK_MAX_SIZE || memcmp(p, PACK_MAGIC, 8) != 0)
		return -EBADMSG;
	if (le32_get(p + 8) > PACK_VERSION)
		return -EPROTONOSUPPORT;
	count = le32_get(p + 12);
	if (le32_get(p + 8) != PACK_VERSION || count > PACK_MAX_ENTRIES)
		return -EBADMSG;
	sum = PACK_HEADER_SIZE + (uint64_t)count * PACK_ENTRY_SIZE;
	if (sum > size)
		return -EBADMSG;
	/* 65,536 lengths of 32 bits cannot overflow 64. */
	for (uint32_t i = 0; i < count; i++)
		sum += le32_get(p + PACK_HEADER_SIZE + (size_t)i * PACK_ENTRY_SIZE + DIGEST_SIZE);
	if (sum != size)
		return -EBADMSG;
	*ret = (struct pack){ .data = p, .size = size, .count = count };
	return 0;
}

bool pack_next(const struct pack *p, struct pack_cursor *cursor, struct pack_entry *ret)
{
	const uint8_t *entry;

	if (cursor->index >= p->count)
		return false;
	if (cursor->index == 0)
		cursor->offset = PACK_HEADER_SIZE + p->count * PACK_ENTRY_SIZE;
	entry = p->data + PACK_HEADER_SIZE + (size_t)cursor->index * PACK_ENTRY_SIZE;
	memcpy(ret->digest.bytes, entry, DIGEST_SIZE);
	ret->offset = cursor->offset;
	ret->length = le32_get(entry + DIGEST_SIZE);
	cursor->offset += ret->length;
	cursor->index++;
	return true;
}
