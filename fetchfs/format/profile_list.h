/* SPDX-License-Identifier: MIT */
/*
 * The list that the publisher makes of a profile for one revision: objects in the order in which they are needed. Specified in docs/format-profile.md. Works on
 * bytes in memory; must not know where they came from.
 */
#ifndef SPORE_FETCHFS_FORMAT_PROFILE_LIST_H
#define SPORE_FETCHFS_FORMAT_PROFILE_LIST_H

#include "common/digest.h"

#define PROFILE_LIST_MAGIC "SPOREprf"
#define PROFILE_LIST_VERSION 1
#define PROFILE_LIST_HEADER_SIZE 32
#define PROFILE_LIST_OBJECT_SIZE 56
#define PROFILE_LIST_MAX_OBJECTS 65536
#define PROFILE_LIST_MAX_SIZE (PROFILE_LIST_HEADER_SIZE + PROFILE_LIST_MAX_OBJECTS * PROFILE_LIST_OBJECT_SIZE)

/* Kinds: those of catalogs (CATALOG_OBJECT_*), and catalogs themselves. */
#define PROFILE_LIST_CATALOG 3

struct profile_list {
	const uint8_t *data;
	uint32_t count;
};

struct profile_list_object {
	struct digest digest;
	uint32_t stored_size, size, kind;
	uint32_t extent;	/* of a chunk: which one of that file; else 0 */
	uint64_t inode;		/* of a chunk: the file whose part it is; else 0 */
};

/* Checks every record; data must outlive the struct. -EBADMSG, -EPROTONOSUPPORT (newer version). */
errint_t profile_list_open(const void *data, size_t size, struct profile_list *ret);
/* By position; false at the end. */
bool profile_list_get(const struct profile_list *l, uint32_t index, struct profile_list_object *ret);
/* The list's bytes (free). -EFBIG beyond the limits. */
errint_t profile_list_make(const struct profile_list_object *objects, size_t count, void **ret, size_t *ret_size);

#endif
