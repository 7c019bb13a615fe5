/* SPDX-License-Identifier: MIT */
/*
 * One revision of a repository as a tree of files: catalogs, loaded when they are first entered and kept, and inode numbers that lead to them. Where it may
 * change, another revision takes its place while it is in use (snapshot_update.h). Any number of threads; reading takes no lock. Knows catalogs; must not know
 * FUSE nor where contents come from (the store brings catalogs).
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_H

#include "fetchfs/client/snapshot_gate.h"
#include "fetchfs/client/snapshot_ids.h"
#include "fetchfs/client/store.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/manifest.h"

#include <pthread.h>

#define SNAPSHOT_LEVELS 12	/* of the index of catalogs: enough for millions */

/* A loaded catalog in its place in the tree. */
struct tree {
	struct catalog c;
	struct cache_catalog image;	/* what c reads */
	struct digest digest;
	uint32_t stored_size;		/* of the object that it is on the servers */
	uint32_t record;		/* its number in the state; snapshot_state.c */
	uint64_t base;			/* inode number = 1 + base + index, save where it is inherited */
	struct id_runs inherited;	/* from catalogs that stood here before, by index */
	struct tree *parent;		/* NULL: the root catalog */
	uint64_t mount_ino;		/* inode number of the directory where it hangs */
	uint32_t mount_inode;		/* its index in the parent */
	struct tree *_Atomic *nested;	/* c.nested: loaded, or NULL */
	unsigned levels;
	struct tree *_Atomic next[SNAPSHOT_LEVELS];	/* by base */
	atomic_uchar *packs;		/* c.objects: how each was used, for the reader of files */
	/* Whoever keeps a pointer to it while outside the gate. */
	atomic_uint users;
	/* Only where the snapshot can change. */
	atomic_uint *known;		/* for each inode: how often the kernel holds its number */
	uint32_t stamp;			/* of the change that brought it; 0: there from the beginning */
	bool retired;			/* another one stands in its place: what is left are files that are gone */
	atomic_ullong stale;		/* then: sum of known */
	int64_t retired_at;
	struct tree *next_retired;
	/* While a change is being prepared; snapshot_compare.c. */
	struct origin *origins;
	uint8_t *taken;
	bool shared;
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
	/* Where it can change. All but the gate change only while it is closed, and are looked at inside. */
	struct gate gate;
	uint32_t changes;		/* so far */
	uint64_t next_base;		/* of catalogs that come after the first change */
	atomic_ullong loads;		/* catalogs that were entered */
	struct id_runs inherited;	/* of all catalogs, by number */
	struct tree *retired;
	/* For a successor; snapshot_state.h. */
	int state;			/* -1: none */
	bool untold;			/* the kernel has not been told of all of the last change */
	uint32_t records;		/* of catalogs, in the state */
	bool unwritten;			/* the state is that of a moment before: nothing can be added to it */
	char *choice;
	size_t choice_size;
};

/* A file in the tree. */
struct place {
	struct tree *tree;
	uint32_t index;
	uint64_t ino;
	struct catalog_inode inode;
};

/* Inside the snapshot until the end of the block: before its trees and places are looked at. */
#define SNAPSHOT_INSIDE(s) GATE_INSIDE(&(s)->gate)

/*
 * can_change: for snapshot_update. Loads the root catalog from the cache, or fetches it for at most limit seconds (-ETIMEDOUT). name, revision, root, inodes and bytes of the
 * manifest. -EBADMSG: a catalog that is malformed though it is signed.
 */
errint_t snapshot_open(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, bool can_change,
		       unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE]);
void snapshot_close(struct snapshot *s);

/* Which one it is at the moment. */
void snapshot_identity(struct snapshot *s, struct digest *ret_root, uint64_t *ret_revision);

/*
 * -ESTALE for a number that no loaded catalog has. A file that is gone from the tree is found as long as the kernel holds it; a directory that is gone is
 * empty.
 */
errint_t snapshot_place(struct snapshot *s, uint64_t ino, struct place *ret);

/* As snapshot_place, but loads the catalogs on the way to it where the cache has them. -EAGAIN: it does not. */
errint_t snapshot_find(struct snapshot *s, uint64_t ino, struct place *ret);

/* Who waits for a nested catalog. */
struct snapshot_waiter {
	struct store_waiter waiter;	/* process: as there */
	/* Once, in a thread of the store: 0, or as store_waiter's and -EBADMSG; -EAGAIN: the snapshot has changed, ask anew. */
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
/*
 * Where a listing goes on that was begun when another catalog stood here: offset and result as snapshot_offset made them. Listings are in order of names, so
 * nothing that is in both is left out or comes twice. Position 0 is the first entry.
 */
uint64_t snapshot_position(struct snapshot *s, const struct place *dir, uint64_t offset);
uint64_t snapshot_offset(const struct place *dir, uint64_t position);
/* The kernel was told a place's inode number (or, count negative, did not take it). */
void snapshot_known(struct snapshot *s, const struct place *p, int count);
/* It lets go of a number that it was told so often. */
void snapshot_forget(struct snapshot *s, uint64_t ino, uint64_t count);
/* The inode number that an index has. */
uint64_t snapshot_ino(const struct tree *t, uint32_t index);
/* A tree stays while its pointer is kept outside. */
void snapshot_hold(struct tree *t);
void snapshot_release(struct tree *t);
/* Inode number of an entered directory's parent. */
uint64_t snapshot_parent(struct snapshot *s, const struct place *dir);

#endif
