/* SPDX-License-Identifier: MIT */
/*
 * What to do when a content of the cache turned out to be damaged: who has it open gets it anew, and the kernel forgets the pages that it has of the files made
 * of it, since they may have been read from the damaged one. Looks through all catalogs that are loaded: this is rare.
 */
#include "fetchfs/client/fs_private.h"

#include <sys/stat.h>

/* The digest that a file's content has in the cache: of its object, or of the list of its extents. */
static errint_t key_of(const struct tree *t, const struct catalog_inode *inode, struct digest *ret)
{
	struct digest_state state;
	struct catalog_extent e;
	struct catalog_object o;
	errint_t r = 0;

	if (inode->count == 1) {
		r = catalog_extent(&t->c, inode, 0, &e);
		if (r == 0 && e.object != CATALOG_NONE) {
			r = catalog_object(&t->c, e.object, &o);
			*ret = o.digest;
			return r;
		}
	}
	digest_begin(&state);
	for (uint32_t i = 0; i < inode->count && r == 0; i++) {
		uint8_t record[CACHE_LIST_RECORD];
		r = catalog_extent(&t->c, inode, i, &e);
		if (r == 0) {
			cache_list_record(&e.digest, e.length, record);
			digest_add(&state, record, sizeof(record));
		}
	}
	digest_end(&state, ret);
	return r;
}

static void look_through(struct fs *f, const struct tree *t, const struct digest *key)
{
	for (uint32_t i = 0; i < t->c.inodes; i++) {
		struct catalog_inode inode;
		struct digest found;
		if (catalog_inode(&t->c, i, &inode) == 0 && S_ISREG(inode.mode) && inode.size > 0 && key_of(t, &inode, &found) == 0 &&
		    digest_equal(&found, key))
			(void)fuse_lowlevel_notify_inval_inode(f->session, 1 + t->base + i, 0, 0);
	}
}

void fs_distrust(struct fs *f, const struct digest *key)
{
	files_distrust(f->files, key);
	for (struct tree *t = atomic_load(&f->snapshot->first[0]); t; t = atomic_load(&t->next[0]))
		look_through(f, t, key);
}
