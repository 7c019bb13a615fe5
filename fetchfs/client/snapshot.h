/* SPDX-License-Identifier: MIT */
/*
 * One revision of a repository as a tree of files: catalogs, loaded when they are first entered and kept, and inode numbers that lead to them. Any
 * number of threads; reading takes no lock. Knows catalogs; must not know FUSE nor where contents come from (the store brings catalogs).
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_H

#include "fetchfs/client/store.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/manifest.h"

#include <pthread.h>

#define SNAPSHOT_LEVELS 12	/* of the index of catalogs: enough for millions */

/* A loaded catalog in its place in the tree. */
struct tree {
	struct catalog c;
	struct digest digest;
	uint64_t base;			/* inode number = 1 + base + index */
	struct tree *parent;		/* NULL: the root catalog */
	uint64_t mount_ino;		/* inode number of the directory where it hangs */
	uint32_t mount_inode;		/* its index in the parent */
	struct tree *_Atomic *nested;	/* c.nested: loaded, or NULL */
	unsigned levels;
	struct tree *_Atomic next[SNAPSHOT_LEVELS];	/* by base */
	/* How its packs are being read, for the reader of files. */
	atomic_uint last_object, object_run, object_horizon;
};

struct snapshot {
	struct store *store;
	struct cache *cache;
	struct stats *stats;
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t revision;
	struct manifest_root root_record;
	uint64_t inodes, bytes;
	struct tree *root;
	pthread_mutex_t lock;		/* of those who add catalogs */
	struct tree *_Atomic first[SNAPSHOT_LEVELS];
};

/* A file in the tree. */
struct place {
	struct tree *tree;
	uint32_t index;
	uint64_t ino;
	struct catalog_inode inode;
};

/*
 * Loads the root catalog from the cache, or fetches it for at most limit seconds (-ETIMEDOUT). name, revision, root, inodes and bytes of the
 * manifest. -EBADMSG: a catalog that is malformed though it is signed.
 */
errint_t snapshot_open(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, unsigned limit,
		       char ret_error[TRANSPORT_ERROR_SIZE]);
void snapshot_close(struct snapshot *s);

/* -ESTALE for a number that no loaded catalog has. */
errint_t snapshot_place(struct snapshot *s, uint64_t ino, struct place *ret);

/* Who waits for a nested catalog. */
struct snapshot_waiter {
	struct store_waiter waiter;	/* process: as there */
	/* Once, in a thread of the store: 0, or as store_waiter's and -EBADMSG. */
	void (*ready)(struct snapshot_waiter *w, errint_t r);
	struct snapshot *snapshot;
	struct tree *parent;
	uint32_t nested;
};

/*
 * Where a directory's entries are: for one with a nested catalog that catalog's root, else itself. -EAGAIN: the catalog is to be loaded first, and *w
 * (may be NULL: not even tried) waits for it. The place keeps its inode number.
 */
errint_t snapshot_enter(struct snapshot *s, struct place *dir, struct snapshot_waiter *w);

/* In an entered directory. -ENOENT; -EBADMSG. */
errint_t snapshot_lookup(struct snapshot *s, const struct place *dir, const char *name, size_t length, struct place *ret);
errint_t snapshot_entry(struct snapshot *s, const struct place *dir, uint32_t position, struct catalog_dirent *ret_name, struct place *ret);
/* Inode number of an entered directory's parent. */
uint64_t snapshot_parent(struct snapshot *s, const struct place *dir);

#endif
