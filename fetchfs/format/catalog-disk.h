/* SPDX-License-Identifier: MIT */
/*
 * Sizes of a catalog's records, for its reader, its checker and its writer alone; the layout itself stands in catalog.h.
 * Nobody else needs to know them.
 */
#ifndef SPORE_FETCHFS_FORMAT_CATALOG_DISK_H
#define SPORE_FETCHFS_FORMAT_CATALOG_DISK_H

#include "common/base.h"

#define CATALOG_HEADER_SIZE 128
#define CATALOG_INODE_SIZE 64
#define CATALOG_DIRENT_SIZE 12
#define CATALOG_EXTENT_SIZE 48
#define CATALOG_OBJECT_SIZE 48
#define CATALOG_NESTED_SIZE 64
#define CATALOG_FOREIGN_SIZE 8
#define CATALOG_XATTR_SIZE 8	/* before name and value */

#define CATALOG_DIGEST_BLAKE2B 1
#define CATALOG_DIRECTORY_SIZE 4096

/* The order of names in a directory and in a set of xattrs: memcmp, then the shorter one first. */
int catalog_name_compare(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
