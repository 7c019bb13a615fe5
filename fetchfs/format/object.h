/* SPDX-License-Identifier: MIT */
/*
 * Objects: the immutable files of a repository, named by the digest of their uncompressed content and stored as one zstd frame
 * with its content size. Specified in docs/format-object.md. Knows names and compression; must not know what an object holds.
 */
#ifndef SPORE_FETCHFS_FORMAT_OBJECT_H
#define SPORE_FETCHFS_FORMAT_OBJECT_H

#include "common/digest.h"

#define OBJECT_MAX_SIZE (64 * MIB)	/* uncompressed; catalogs are the largest */
#define OBJECT_PATH_SIZE 80
#define OBJECT_DIRECTORY "objects"

/* Where an object lies below the repository's root: "objects/ab/b2-ab…". ret_path takes OBJECT_PATH_SIZE bytes. */
void object_path(const struct digest *d, char ret_path[OBJECT_PATH_SIZE]);

/*
 * Decompresses what was fetched and verifies it: exactly size bytes whose digest is d. -EBADMSG where the frame is broken, has another size
 * or another digest. The buffer belongs to the caller (free). size above OBJECT_MAX_SIZE is -EFBIG.
 */
errint_t object_unpack(const struct digest *d, const void *stored, size_t stored_size, uint64_t size, void **ret_data);

/* Compresses content to a new buffer (free). The same input, level and libzstd give the same bytes. */
errint_t object_pack(const void *data, size_t size, int level, void **ret_stored, size_t *ret_stored_size);

#endif
