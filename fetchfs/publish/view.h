/* SPDX-License-Identifier: MIT */
/*
 * One published revision, seen as a tree: the chain of trust, catalogs loaded as they are needed, directories joined at mount points,
 * hard links across catalogs followed, contents read. For the publisher's next run and for ls, cat, export, fsck and stat; the mounted client
 * has its own (it serves many threads). One thread.
 */
#ifndef SPORE_FETCHFS_PUBLISH_VIEW_H
#define SPORE_FETCHFS_PUBLISH_VIEW_H

#include "fetchfs/format/catalog.h"
#include "fetchfs/format/manifest.h"
#include "fetchfs/publish/reader.h"

struct view_catalog {
	struct view_catalog *parent;	/* NULL: the root catalog */
	void *data;
	struct catalog c;
	uint64_t base;			/* of inode numbers: 1 + base + index */
	uint64_t root_number;		/* of the mount point */
	struct digest digest;
	struct view_catalog **nested;	/* c.nested, loaded or NULL */
	uint32_t slot;			/* in the parent's nested */
};

struct view_object {
	struct digest digest;
	void *data;
	uint32_t size;
	uint64_t used;
};
#define VIEW_OBJECTS 8		/* unpacked and kept: neighbours share packs */

struct view {
	struct reader *reader;
	struct keyring keyring;
	struct manifest manifest;
	struct manifest_root root_record;	/* of the revision or tag that is shown */
	uint64_t revision;
	struct view_catalog *root;
	struct view_object objects[VIEW_OBJECTS];
	uint64_t clock;
	struct trouble *trouble;
	bool trusted;			/* the chain was checked from a key that was given */
};

/* A file in the tree. For a mount point: the nested catalog's root. */
struct view_place {
	struct view_catalog *catalog;
	uint32_t index;
	struct catalog_inode inode;
	uint64_t number;		/* inode number */
};

struct view_options {
	const char *where;
	const struct signify_public *keys;	/* roots of trust; none: the keyring is believed */
	size_t key_count;
	const char *tag;			/* or NULL: the latest revision */
	bool check_times;
};

/*
 * Keyring and manifest, checked. -ENODATA where nothing is published yet (no trouble is noted: the caller says it as it sees fit). The
 * trouble must outlive the view.
 */
errint_t view_open(struct view *v, const struct view_options *o, struct trouble *t);
void view_close(struct view *v);

errint_t view_load_root(struct view *v);
errint_t view_root(struct view *v, struct view_place *ret);
errint_t view_load_nested(struct view *v, struct view_catalog *parent, uint32_t nested, struct view_catalog **ret);
/* Frees a nested catalog and those below it: for whoever walks a large tree and has left that subtree. */
void view_drop(struct view_catalog *c);

/* Entry by position: its name and where it leads. -ENOENT behind the last. */
errint_t view_entry(struct view *v, const struct view_place *dir, uint32_t position, struct catalog_dirent *ret_name, struct view_place *ret);
/* By name; -ENOENT (no trouble is noted). */
errint_t view_lookup(struct view *v, const struct view_place *dir, const char *name, size_t length, struct view_place *ret);
/* By path below the root, symbolic links not followed; -ENOENT, -ENOTDIR (no trouble is noted). */
errint_t view_resolve(struct view *v, const char *path, struct view_place *ret);

/* Bytes of one extent that is no hole; they belong to the view and stay until the next call. Verified. */
errint_t view_extent(struct view *v, const struct view_place *file, const struct catalog_extent *e, const void **ret);
/* An unpacked, verified object; as above. */
errint_t view_object(struct view *v, const struct catalog_object *o, const void **ret);

#endif
