/* SPDX-License-Identifier: MIT */
/*
 * What to do when a content of the cache turned out to be damaged: who has it open gets it anew, and the kernel forgets the pages that it has of the files made
 * of it, since they may have been read from the damaged one. Looks through all catalogs that are loaded: this is rare.
 */
#include "fetchfs/client/fs_private.h"

#include <sys/stat.h>

struct found {
	uint64_t *inodes;
	size_t count, room;
};

static void add(struct found *l, uint64_t ino)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		uint64_t *larger = realloc(l->inodes, room * sizeof(*larger));
		/* The kernel may keep what it has of it; whoever reads anew is right in any case. */
		if (!larger)
			return;
		l->inodes = larger;
		l->room = room;
	}
	l->inodes[l->count++] = ino;
}

static void look_through(struct tree *t, const struct digest *key, struct found *l)
{
	for (uint32_t i = 0; i < t->c.inodes; i++) {
		struct place p = { .tree = t, .index = i };
		struct digest found;
		if (catalog_inode(&t->c, i, &p.inode) == 0 && S_ISREG(p.inode.mode) && files_cache_key(&p, &found) == 0 && digest_equal(&found, key))
			add(l, snapshot_ino(t, i));
	}
}

static void look_through_all(struct snapshot *s, const struct digest *key, struct found *l)
{
	SNAPSHOT_INSIDE(s);

	for (struct tree *t = atomic_load(&s->first[0]); t; t = atomic_load(&t->next[0]))
		look_through(t, key, l);
	for (struct tree *t = s->retired; t; t = t->next_retired)
		look_through(t, key, l);
}

void fs_distrust(struct fs *f, const struct digest *key)
{
	struct found l = { .count = 0 };

	files_distrust(f->files, key);
	look_through_all(f->snapshot, key, &l);
	for (size_t i = 0; i < l.count; i++) {
		pthread_mutex_lock(&f->tell_lock);
		/* Requests may not be answered any more: it could wait for ever. */
		if (!f->is_ending)
			(void)fuse_lowlevel_notify_inval_inode(f->session, l.inodes[i], 0, 0);
		pthread_mutex_unlock(&f->tell_lock);
	}
	free(l.inodes);
}
