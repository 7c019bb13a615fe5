/* SPDX-License-Identifier: MIT */
/*
 * The list that the publisher makes of a profile for one revision: objects in the order in which they are needed, and what each is needed for. Specified in
 * docs/format-profile.md. Works on bytes in memory; must not know where they came from.
 */
#ifndef SPORE_FETCHFS_FORMAT_PROFILE_LIST_H
#define SPORE_FETCHFS_FORMAT_PROFILE_LIST_H

#include "common/digest.h"

#define PROFILE_LIST_MAGIC "SPOREprf"
#define PROFILE_LIST_VERSION 1
#define PROFILE_LIST_HEADER_SIZE 32
#define PROFILE_LIST_OBJECT_SIZE 48
#define PROFILE_LIST_WANT_SIZE 16
#define PROFILE_LIST_MAX_OBJECTS 65536
#define PROFILE_LIST_MAX_WANTS 1048576
#define PROFILE_LIST_MAX_SIZE (PROFILE_LIST_HEADER_SIZE + PROFILE_LIST_MAX_OBJECTS * PROFILE_LIST_OBJECT_SIZE + PROFILE_LIST_MAX_WANTS * PROFILE_LIST_WANT_SIZE)

/* Kinds: those of catalogs (CATALOG_OBJECT_*), and catalogs themselves. */
#define PROFILE_LIST_CATALOG 3

struct profile_list {
	const uint8_t *data;
	uint32_t objects, wants;
};

struct profile_list_object {
	struct digest digest;
	uint32_t stored_size, size, kind;
	uint32_t first, wants;	/* into the list's wants */
};

struct profile_list_want {
	uint64_t inode;
	uint32_t extent;
};

/* Checks every record; data must outlive the struct. -EBADMSG, -EPROTONOSUPPORT (newer version). */
errint_t profile_list_open(const void *data, size_t size, struct profile_list *ret);
/* Iterates in order: first of *o starts at 0 with all else zero. False at the end. */
bool profile_list_next(const struct profile_list *l, uint32_t index, struct profile_list_object *o);
void profile_list_want(const struct profile_list *l, uint32_t index, struct profile_list_want *ret);

/* The list's bytes (free). Each object's wants follow those of the one before; first is not looked at. -EFBIG beyond the limits. */
errint_t profile_list_make(const struct profile_list_object *objects, size_t object_count, const struct profile_list_want *wants, size_t want_count,
			   void **ret, size_t *ret_size);

#endif
