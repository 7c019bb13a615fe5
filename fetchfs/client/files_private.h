/* SPDX-License-Identifier: MIT */
/* What files.c (the table of open files) and files_parts.c (files of several extents) share. */
#ifndef SPORE_FETCHFS_CLIENT_FILES_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_FILES_PRIVATE_H

#include "fetchfs/client/files.h"

#define FILES_SHARDS 64
#define FILES_SLOTS 8			/* at most; of about 3 MiB at most */

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
	uint64_t base;			/* where the file begins in part.fd */
	atomic_bool full;		/* the cache did not take one: nothing is fetched ahead any more */
	atomic_bool lost;		/* the file behind part.fd is not to be relied on: all goes through memory */
};

struct files_shard {
	pthread_mutex_t lock;
	struct file *files;
};

/* A verified object or extent in memory, for the reads that follow: the cache did not take it, or is not to be trusted. */
struct files_slot {
	struct digest digest;
	void *data;			/* NULL: empty */
	size_t size;
	uint64_t used;
};

struct files {
	struct store *store;
	struct cache *cache;
	struct stats *stats;
	struct memory *memory;
	atomic_bool keep_ready;		/* it is set when the kernel has spoken, while others may be at work */
	enum files_verify verify;
	struct files_shard shards[FILES_SHARDS];
	pthread_mutex_t slots_lock;
	struct files_slot slots[FILES_SLOTS];
	uint64_t slot_clock;
};

/*
 * A pack is used: fetches what is likely to be used next. missed: nobody had asked for it before. What came by a profile, or with an earlier mount, says nothing about
 * what lies around it.
 */
void files_note_use(struct files *f, struct tree *t, uint32_t object, bool missed);

/* Makes file->parts, or sets file->fd where the whole is in the cache. The key is computed here, and pinned. -ENOMEM, -EIO. */
errint_t files_parts_open(struct files *f, struct file *file);
/* Parts over a file of one piece whose content is in file->fd (-1: nowhere), to be verified before its use. */
errint_t files_parts_wrap(struct file *file);
/* What is in the file's descriptor is not used any more. file->lock not held. */
errint_t files_parts_lose(struct files *f, struct file *file);
/* The key of a file of several extents alone. */
errint_t files_parts_key(const struct place *p, struct digest *ret);
void files_parts_free(struct file_parts *p);
/* It has a descriptor that is used. */
bool files_parts_is_sound(const struct file *file);
/* False: the file in the descriptor was cut short, and is not used any more. */
bool files_parts_check(struct files *f, struct file *file);
errint_t files_parts_read(struct files *f, struct file_read *r);
void files_parts_take(struct files *f, struct file *file, uint32_t extent, const void *object, size_t size);

/* Takes a copy. Nothing happens where memory is out. */
void files_slot_put(struct files *f, const struct digest *digest, const void *data, size_t size);
/* A stretch of an object or extent in memory. False: it is not there. */
bool files_slot_copy(struct files *f, const struct digest *digest, uint64_t from, size_t size, void *ret);
void files_slots_done(struct files *f);

/* The bytes of an extent within its object, held against its digest. NULL where they do not fit. */
const void *files_extent_data(const struct catalog_extent *e, const struct catalog_object *o, const void *object, size_t size);
errint_t files_extent_object(const struct tree *t, const struct catalog_extent *e, struct catalog_object *ret, struct store_object *ret_wanted);

#endif
