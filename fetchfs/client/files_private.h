/* SPDX-License-Identifier: MIT */
/* What files.c (the table of open files) and files_parts.c (files of several extents) share. */
#ifndef SPORE_FETCHFS_CLIENT_FILES_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_FILES_PRIVATE_H

#include "fetchfs/client/files.h"

#define FILES_SHARDS 64

enum { PART_ABSENT, PART_CLAIMED, PART_PRESENT };

struct file_parts {
	struct tree *tree;
	struct catalog_inode inode;
	uint32_t count;
	uint64_t *starts;		/* count + 1 */
	atomic_uchar *states;
	struct cache_part part;
	atomic_uint missing;		/* extents that are not PRESENT */
	atomic_uint last_extent, run;	/* how it is being read */
	atomic_bool full;		/* the cache did not take one: nothing is fetched ahead any more */
	/* The last extent that the cache did not take, for the reads that follow. */
	pthread_mutex_t spare_lock;
	uint32_t spare_extent;
	void *spare;			/* NULL: none */
	size_t spare_size;
};

struct files_shard {
	pthread_mutex_t lock;
	struct file *files;
};

struct files {
	struct store *store;
	struct cache *cache;
	struct stats *stats;
	bool keep_ready;
	struct files_shard shards[FILES_SHARDS];
};

/* One more user of an open file. */
void files_hold(struct files *f, struct file *file);

/* Makes file->parts, or sets file->fd where the whole is in the cache. The key is computed here. -ENOMEM, -EIO. */
errint_t files_parts_open(struct files *f, const struct place *place, struct file *file);
void files_parts_free(struct file_parts *p);
/* Nobody reads it now: what is only good for the next read goes. */
void files_parts_rest(struct file_parts *p);
errint_t files_parts_read(struct files *f, struct file_read *r);

/* The bytes of an extent within its object, held against its digest. NULL where they do not fit. */
const void *files_extent_data(const struct catalog_extent *e, const struct catalog_object *o, const void *object, size_t size);
errint_t files_extent_object(const struct tree *t, const struct catalog_extent *e, struct catalog_object *ret, struct store_object *ret_wanted);

#endif
