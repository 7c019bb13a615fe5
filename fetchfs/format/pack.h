/* SPDX-License-Identifier: MIT */
/*
 * Packs: objects that hold the content of many small files, with an index of their own at the front.
 * Specified in docs/format-pack.md. Works on uncompressed, verified bytes in memory.
 */
#ifndef SPORE_FETCHFS_FORMAT_PACK_H
#define SPORE_FETCHFS_FORMAT_PACK_H

#include "common/digest.h"

/*
 * Layout (little-endian): "SPOREpck", u32 version = 1, u32 count, then count × { digest[32], u32 length }, then the contents in that order
 * without gaps. A content's offset counts from the start of the pack, header included.
 */
#define PACK_MAGIC "SPOREpck"
#define PACK_VERSION 1
#define PACK_HEADER_SIZE 16
#define PACK_ENTRY_SIZE 36
#define PACK_MAX_ENTRIES 65536
#define PACK_MAX_SIZE (16 * MIB)

/*
 * A file's data (each stretch between two holes) is cut at multiples of this size, counted from the start of the file. A piece of exactly this size is a
 * chunk: an object of its own. Every shorter piece goes into a pack: small files, but also the tail of a large file and the short stretches of a
 * sparse one. So a file of several extents may have extents of both kinds.
 */
#define CHUNK_SIZE (2 * MIB)
/* The publisher closes a pack that has reached this size, so that it compresses to about 1 MB. */
#define PACK_TARGET_SIZE (3 * MIB)

struct pack {
	const uint8_t *data;
	size_t size;
	uint32_t count;
};

struct pack_entry {
	struct digest digest;
	uint32_t offset, length;
};

/* Checks the whole index; data must outlive the struct. -EBADMSG, -EPROTONOSUPPORT (newer version). */
errint_t pack_open(const void *data, size_t size, struct pack *ret);
/* Iterates in order: *cursor starts as a zeroed struct pack_cursor; false at the end. */
struct pack_cursor {
	uint32_t index;
	uint32_t offset;
};
bool pack_next(const struct pack *p, struct pack_cursor *cursor, struct pack_entry *ret);

#endif
