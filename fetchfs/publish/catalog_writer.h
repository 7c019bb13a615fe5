/* SPDX-License-Identifier: MIT */
/*
 * Writing a catalog's bytes (fetchfs/format/catalog.h): records are appended section by section and put together at the end. Knows the layout; what
 * belongs into a catalog is the builder's affair (build.h).
 */
#ifndef SPORE_FETCHFS_PUBLISH_CATALOG_WRITER_H
#define SPORE_FETCHFS_PUBLISH_CATALOG_WRITER_H

#include "fetchfs/format/catalog.h"

enum catalog_section {
	SECTION_INODES, SECTION_DIRENTS, SECTION_EXTENTS, SECTION_OBJECTS, SECTION_NESTED, SECTION_FOREIGN, SECTION_XATTR_OFFSETS,
	SECTION_XATTRS, SECTION_STRINGS, SECTION_COUNT
};

struct catalog_writer {
	struct {
		uint8_t *data;
		size_t size, room;
	} sections[SECTION_COUNT];
	uint64_t nested_inodes;	/* in all nested catalogs */
	errint_t error;		/* the first: -ENOMEM, or -EFBIG where the catalog grows too large; later calls do nothing */
};

void catalog_writer_init(struct catalog_writer *w);
void catalog_writer_done(struct catalog_writer *w);

/* How many records (bytes, for xattrs and strings) a section has: the index that the next one gets. */
uint32_t catalog_writer_count(const struct catalog_writer *w, enum catalog_section section);

/* An inode gets its index first and its content when that is known. */
uint32_t catalog_writer_reserve_inode(struct catalog_writer *w);
void catalog_writer_set_inode(struct catalog_writer *w, uint32_t index, const struct catalog_inode *i);
void catalog_writer_add_dirent(struct catalog_writer *w, const char *name, size_t length, uint8_t type, uint32_t inode, bool foreign);
void catalog_writer_add_extent(struct catalog_writer *w, const struct catalog_extent *e);
uint32_t catalog_writer_add_object(struct catalog_writer *w, const struct catalog_object *o);
/* The inode base is filled in at the end. */
uint32_t catalog_writer_add_nested(struct catalog_writer *w, const struct catalog_nested *n);
uint32_t catalog_writer_add_foreign(struct catalog_writer *w, const struct catalog_foreign *f);
/* data: the encoded set. */
uint32_t catalog_writer_add_xattrs(struct catalog_writer *w, const void *data, uint32_t size);
/* Returns the offset. */
uint32_t catalog_writer_add_string(struct catalog_writer *w, const char *text, size_t length);

/* The catalog's bytes (free). */
errint_t catalog_writer_finish(struct catalog_writer *w, void **ret_data, size_t *ret_size);

#endif
