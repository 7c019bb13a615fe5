/* SPDX-License-Identifier: MIT */
/*
 * Catalogs: the metadata of one subtree, read in place. Specified in docs/format-catalog.md.
 * Works on bytes in memory (mapped or not); must not know where they came from. Every access is checked against the sections' bounds,
 * so that a wrong index gives -EBADMSG and never a wild read.
 */
#ifndef SPORE_FETCHFS_FORMAT_CATALOG_H
#define SPORE_FETCHFS_FORMAT_CATALOG_H

#include "common/digest.h"

/*
 * Layout, little-endian; sections follow each other in this order without gaps, each starting at a multiple of 8 (zero padding):
 * header (128) | inodes (64 each) | dirents (12 each) | extents (48) | objects (48) | nested (64) | foreign (8) |
 * xattr offsets (u32, xattr_sets + 1) | xattr data | strings
 *
 * header: 0 "SPOREcat" | 8 u32 version = 1 | 12 u32 header size = 128 | 16 u64 total size | 24 u32 inodes | 28 u32 dirents |
 *         32 u32 extents | 36 u32 objects | 40 u32 nested | 44 u32 foreign | 48 u32 xattr_sets | 52 u32 xattr data size |
 *         56 u32 strings size | 60 u32 digest algorithm = 1 (BLAKE2b-256) | 64 u64 subtree_inodes (own inodes + all nested) | 72 … 127 zero
 * inode:  0 u32 mode | 4 u32 uid | 8 u32 gid | 12 u32 nlink | 16 u64 size | 24 i64 mtime seconds | 32 u32 mtime nanoseconds |
 *         36 u32 xattr set (CATALOG_NONE) | 40 u32 first | 44 u32 count | 48 u32 nested (directories; CATALOG_NONE) | 52 u32 parent (directories) |
 *         56 u64 allocated (bytes of data, holes not counted)
 *         first/count: regular: extents; directory: dirents; symlink: offset and length in strings; device: major and minor
 * dirent: 0 u32 name offset in strings | 4 u32 inode; bit 31: index into foreign | 8 u16 name length (1..255) | 10 u8 d_type (DT_*) | 11 u8 zero
 *         a directory's entries are contiguous and sorted by memcmp of the name, shorter first; no "." and ".."
 * extent: 0 digest[32] (of the extent's bytes; zero for a hole) | 32 u64 length (> 0) | 40 u32 object (CATALOG_NONE: a hole) | 44 u32 offset in the object
 *         a file's extents cover its size exactly, in order
 * object: 0 digest[32] | 32 u32 stored size (compressed) | 36 u32 size | 40 u32 kind (1 pack, 2 chunk) | 44 u32 zero
 * nested: 0 digest[32] | 32 u32 stored size | 36 u32 size | 40 u64 inode base, relative to this catalog's | 48 u64 subtree_inodes of it |
 *         56 u32 inode (the directory in this catalog) | 60 u32 zero; the first one's inode base is this catalog's number of inodes,
 *         the next one's follows behind the subtree_inodes of the one before
 * foreign: 0 u32 levels up (1 = the catalog that holds this one) | 4 u32 inode there   (hard links that cross catalogs)
 * xattr set: u32 n, then n × { u16 name length, u16 zero, u32 value length, name, value } without padding; names sorted
 *
 * Inode 0 is the subtree's root directory; its parent is 0. Every other directory is named by exactly one dirent and its parent has a lower index
 * than its own (so there are no cycles). A directory's size is 4096, its nlink 2 + subdirectories. An empty file has no extents; one that is all hole has one. In the catalog above, the mount point has a full inode of its own (the same attributes) with count 0 and
 * nested set. The inode number that a file system shows: 1 + base + index, where base is 0 for the root catalog and parent's base + inode base for a nested one; the
 * nested catalog's inode 0 is never shown, the mount point's number is.
 */
#define CATALOG_MAGIC "SPOREcat"
#define CATALOG_VERSION 1
#define CATALOG_NONE UINT32_MAX
#define CATALOG_FOREIGN 0x80000000u
#define CATALOG_OBJECT_PACK 1
#define CATALOG_OBJECT_CHUNK 2
#define CATALOG_NAME_MAX 255

struct catalog {
	const uint8_t *data;
	size_t size;
	uint32_t inodes, dirents, extents, objects, nested, foreign, xattr_sets;
	uint32_t xattr_size, strings_size;
	uint64_t subtree_inodes;
	/* where each section starts */
	size_t at_inodes, at_dirents, at_extents, at_objects, at_nested, at_foreign, at_xattr_offsets, at_xattrs, at_strings;
};

struct catalog_inode {
	uint32_t mode, uid, gid, nlink;
	uint64_t size, allocated;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t xattr_set;
	uint32_t first, count;
	uint32_t nested, parent;
};

struct catalog_dirent {
	const char *name;	/* points into the catalog, no NUL */
	uint16_t name_length;
	uint8_t type;		/* DT_* */
	bool is_foreign;
	uint32_t inode;		/* or the index into foreign */
};

struct catalog_extent {
	struct digest digest;
	uint64_t length;
	uint32_t object;	/* CATALOG_NONE: a hole */
	uint32_t offset;
};

struct catalog_object {
	struct digest digest;
	uint32_t stored_size, size, kind;
};

struct catalog_nested {
	struct digest digest;
	uint32_t stored_size, size;
	uint64_t inode_base, subtree_inodes;
	uint32_t inode;
};

struct catalog_foreign {
	uint32_t levels_up, inode;
};

/* Checks the header and the sections' sizes; data must outlive the struct. -EBADMSG, -EPROTONOSUPPORT (newer version). */
errint_t catalog_open(const void *data, size_t size, struct catalog *ret);
/* Checks every record and reference, for fsck and tests: 0, or -EBADMSG with *ret_what (static text). */
errint_t catalog_check(const struct catalog *c, const char **ret_what);

errint_t catalog_inode(const struct catalog *c, uint32_t index, struct catalog_inode *ret);
/* Position from 0 to the directory's count - 1; -ENOENT beyond. */
errint_t catalog_dirent(const struct catalog *c, const struct catalog_inode *dir, uint32_t position, struct catalog_dirent *ret);
/* Binary search; -ENOENT. */
errint_t catalog_lookup(const struct catalog *c, const struct catalog_inode *dir, const char *name, size_t length,
			struct catalog_dirent *ret);
/* extent 0 to count - 1 of a regular file. */
errint_t catalog_extent(const struct catalog *c, const struct catalog_inode *file, uint32_t position, struct catalog_extent *ret);
errint_t catalog_object(const struct catalog *c, uint32_t index, struct catalog_object *ret);
errint_t catalog_nested(const struct catalog *c, uint32_t index, struct catalog_nested *ret);
errint_t catalog_foreign(const struct catalog *c, uint32_t index, struct catalog_foreign *ret);
/* Points into the catalog, no NUL. */
errint_t catalog_symlink(const struct catalog *c, const struct catalog_inode *link, const char **ret_target, size_t *ret_length);
/* One attribute of a set; -ENODATA. Points into the catalog. */
errint_t catalog_xattr(const struct catalog *c, uint32_t set, const char *name, size_t name_length, const void **ret_value,
		       uint32_t *ret_size);
/* Iterates a set: *cursor starts at 0; -ENODATA at the end. */
errint_t catalog_xattr_next(const struct catalog *c, uint32_t set, uint32_t *cursor, const char **ret_name, uint16_t *ret_name_length,
			    const void **ret_value, uint32_t *ret_size);

#endif
