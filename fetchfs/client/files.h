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
	struct file_parts *_Atomic parts;	/* NULL: all of it is there, read fd */
	bool was_fetched;		/* this open brought it: what the kernel still has may be older */

	pthread_mutex_t lock;		/* for whoever answers opens */

	/* The table's own. */
	struct file *next;
	unsigned refs;
	struct digest key;		/* of what is pinned in the cache */
	struct tree *tree;
	struct catalog_inode inode;
};

/* How often contents in the cache are verified, beside on their way in and after an unclean end. */
enum files_verify {
	FILES_VERIFY_NOT,
	FILES_VERIFY_OPEN,		/* once in each open, before the first use */
	FILES_VERIFY_ALWAYS,		/* before each use */
};

/* memory: may be NULL. */
errint_t files_new(struct store *store, struct cache *cache, struct stats *stats, struct memory *memory, enum files_verify verify, struct files **ret);
/* For a reader who opens a file for each read: the ones used last stay ready. */
void files_keep_ready(struct files *f);
void files_free(struct files *f);

/* Who waits for an open. waiter.process may be set. */
struct file_open {
	struct store_waiter waiter;
	/* Once, in a thread of the store. On 0 *file belongs to the receiver until files_release. Errors as store_waiter's, and -EIO. */
	void (*opened)(struct file_open *o, errint_t r, struct file *file);
	/* Instead of it, or NULL: the whole content is enough, good until this returns. */
	void (*arrived)(struct file_open *o, const void *data);
	struct files *files;
	struct place place;
};

/*
 * The name of a file's content: the digest of its one piece, or that of the list of its pieces. -ENODATA for what has none: an empty file, a hole, what is
 * no regular file.
 */
errint_t files_key(const struct place *place, struct digest *ret);
/* What the cache holds it as: of a file of one piece the object (pack or chunk) that it is in. -ENODATA as above. */
errint_t files_cache_key(const struct place *place, struct digest *ret);
/* How many bytes of a file are in the cache, verified or not, without fetching anything; holes count. */
uint64_t files_cached(struct files *f, const struct place *place);

/* A regular file that is not empty. 0, or -EINPROGRESS: opened will be called. */
errint_t files_open(struct files *f, const struct place *place, struct file_open *o, struct file **ret);
/* One more user of an open file, and one less. */
void files_hold(struct files *f, struct file *file);
void files_release(struct files *f, struct file *file);

/* A large file (of several extents) that is to be filled before it is opened. */
errint_t files_open_ahead(struct files *f, const struct place *place, struct file **ret);
/* Whether it has an extent already, as far as that can be told without a look at the bytes; also where the cache takes none of it. */
bool files_has_extent(const struct file *file, uint32_t extent);
/* Stores an extent of a large file that has been fetched; object: the bytes of what holds it. */
void files_take_ahead(struct files *f, struct file *file, uint32_t extent, const void *object, size_t size);

/* Who waits for bytes. offset and size: within the file. */
struct file_read {
	struct store_waiter waiter;
	void (*done)(struct file_read *r, errint_t result);
	struct file *file;
	uint64_t offset;
	size_t size;
	char *data;		/* on success: the bytes, until files_read_free; or NULL: they are in file->fd */

	struct files *files;
	uint32_t extent;	/* waited for */
	bool fetch_anyway;	/* it was said to be there and is not usable */
	unsigned rounds;	/* begun anew after a wait */
	bool restart;		/* to be */
	uint64_t reserved;	/* bytes of memory */
};

/* All of it is in file->fd, and can be handed out from there. Where it has been cut short behind our back, that is noticed here. */
bool files_is_whole(struct files *f, struct file *file);
/* A content was found damaged (by the scrub) and has left the cache: who has it open gets it anew from now on. */
void files_distrust(struct files *f, const struct digest *key);

/* 0: they are there; -EINPROGRESS: done will be called; other errors. */
errint_t files_read(struct files *f, struct file_read *r);
void files_read_free(struct files *f, struct file_read *r);

#endif
