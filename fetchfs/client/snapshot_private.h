/* SPDX-License-Identifier: MIT */
/* What the snapshot (snapshot.c) and its changes (snapshot_update.c, snapshot_compare.c, snapshot_listing.c) share. */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_PRIVATE_H

#include "fetchfs/client/snapshot_update.h"

/* image: taken over, also where it fails. */
errint_t snapshot_new_tree(const struct snapshot *s, struct cache_catalog *image, const struct digest *d, uint64_t base, struct tree **ret);
void snapshot_free_tree(struct tree *t);
void snapshot_link(struct snapshot *s, struct tree *t);
/* With the gate closed. */
void snapshot_unlink(struct snapshot *s, struct tree *t);

/* All but its catalogs. */
void snapshot_init(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, bool can_change);

/* snapshot_state.c: nothing where no state is kept. The first with the gate closed (or alone), the second with the lock held; then t is its nested one. */
errint_t snapshot_state_write(struct snapshot *s);
errint_t snapshot_state_add(struct snapshot *s, struct tree *t, uint32_t nested);

/* Where an inode of a new catalog was before; tree NULL: nowhere. */
struct origin {
	struct tree *tree;
	uint32_t index;
	bool told;	/* that its attributes have changed: once, however many names it has */
};

/* A catalog that stays, and where it will hang. */
struct stay {
	struct tree *tree, *parent;
	uint32_t nested, mount_inode;
};

/* A catalog of the new revision that is to be loaded before the two can be compared. */
struct missing {
	struct tree *parent;
	uint32_t nested;
};

struct snapshot_update {
	struct snapshot *snapshot;
	struct manifest_root root_record;
	uint64_t revision, inodes, bytes;
	struct tree *root;
	char *choice;			/* or NULL; for the state */
	size_t choice_size;
	struct tree **fresh;		/* new catalogs, parents first */
	size_t fresh_count;
	struct stay *stays;
	size_t stay_count;
	struct missing *missing;
	size_t missing_count;
	/* First the names and listings, then the attributes. */
	struct snapshot_change *changes, *attributes;
	size_t change_count, attribute_count;
	struct id_runs inherited;	/* as the snapshot's will be */
	uint64_t loads;			/* the snapshot's when the comparison began */
};

/* Grows an array by one zeroed element; NULL when memory is out. */
void *update_append(void *array, size_t *count, size_t size);
#define UPDATE_APPEND(array, count) \
	({ void *larger_ = update_append((array), &(count), sizeof(*(array))); if (larger_) (array) = larger_; larger_ ? &(array)[(count) - 1] : NULL; })

/*
 * Compares what is loaded with the new revision: origins of the new catalogs' inodes, what the kernel is to be told, which catalogs stay, and which are missing
 * for a full answer.
 */
errint_t snapshot_compare(struct snapshot_update *u);
/* Forgets what the comparison found; _clear: save what the kernel is to be told. */
void snapshot_compare_undo(struct snapshot_update *u);
void snapshot_compare_clear(struct snapshot_update *u);

#endif
