/* SPDX-License-Identifier: MIT */
/*
 * Open files: from a place in the snapshot to bytes. A file of one piece is a stretch of a pack, which is brought into the cache before the open is answered; a
 * larger one is filled as it is read, with read-ahead. Knows extents, the cache and the store; must not know FUSE. Any number of threads.
 */
#ifndef SPORE_FETCHFS_CLIENT_FILES_H
#define SPORE_FETCHFS_CLIENT_FILES_H

#include "fetchfs/client/snapshot.h"

struct files;
struct file_parts;

struct file {
	uint64_t ino, size;
	int fd;				/* what holds the content; -1: only in parts, and those in memory */
	uint64_t base;			/* where the content begins in it */
	struct file_parts *parts;	/* NULL: all of it is there, read fd */

	/* For whoever answers opens: by lock. */
	pthread_mutex_t lock;
	int io_mode, backing_id;
	unsigned opens;

	/* The table's own. */
	struct file *next;
	unsigned refs;
	struct digest key;		/* of what is pinned in the cache */
};

errint_t files_new(struct store *store, struct cache *cache, struct stats *stats, struct files **ret);
/* For a reader who opens a file for each read: the ones used last stay ready. */
void files_keep_ready(struct files *f);
void files_free(struct files *f);

/* Who waits for an open. waiter.process may be set. */
struct file_open {
	struct store_waiter waiter;
	/* Once, in a thread of the store. On 0 *file belongs to the receiver until files_release. Errors as store_waiter's, and -EIO. */
	void (*opened)(struct file_open *o, errint_t r, struct file *file);
	struct files *files;
	struct place place;
};

/* A regular file that is not empty. 0, or -EINPROGRESS: opened will be called. */
errint_t files_open(struct files *f, const struct place *place, struct file_open *o, struct file **ret);
void files_release(struct files *f, struct file *file);

/* Who waits for bytes. offset and size: within the file. */
struct file_read {
	struct store_waiter waiter;
	void (*done)(struct file_read *r, errint_t result);
	struct file *file;
	uint64_t offset;
	size_t size;
	char *data;		/* on success: the bytes (the receiver frees), or NULL: they are in file->fd */

	struct files *files;
	uint32_t extent;	/* waited for */
};

/* 0: they are there; -EINPROGRESS: done will be called; other errors. */
errint_t files_read(struct files *f, struct file_read *r);

#endif
