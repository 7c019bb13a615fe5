/* SPDX-License-Identifier: MIT */
/* Making a pack (fetchfs/format/pack.h) from contents. Works in memory and knows nothing of repositories. */
#ifndef SPORE_FETCHFS_PUBLISH_PACK_BUILDER_H
#define SPORE_FETCHFS_PUBLISH_PACK_BUILDER_H

#include "fetchfs/format/pack.h"

struct pack_builder {
	uint8_t *index, *contents;
	size_t size, room, index_room;
	uint32_t count;
};

/* Copies. -EFBIG beyond the limits of packs (which pack_builder_is_full prevents). */
errint_t pack_builder_add(struct pack_builder *b, const struct digest *d, const void *data, uint32_t length);
bool pack_builder_is_full(const struct pack_builder *b);
/* The pack (free); the builder is empty again. */
errint_t pack_builder_finish(struct pack_builder *b, void **ret_data, size_t *ret_size);
void pack_builder_done(struct pack_builder *b);

#endif
