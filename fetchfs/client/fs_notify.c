/* SPDX-License-Identifier: MIT */
/*
 * Telling the kernel what it has to drop after a change of the snapshot. Never from a thread that answers requests: the kernel takes the lock of the directory
 * concerned, which a process may hold while it waits for an answer about that directory. Such an answer never waits for the network, since only directories whose
 * catalogs are loaded are concerned: so each of these calls is short as long as requests are being answered, and fs_run sees to it that they are.
 */
#include "fetchfs/client/fs_private.h"

/* No file has this name: the call only waits for those who hold the directory's lock. */
#define NO_NAME "/"

static int tell(struct fs *f, const struct snapshot_change *c)
{
	char name[CATALOG_NAME_MAX + 1];

	switch (c->kind) {
	case CHANGE_NAME:
		memcpy(name, c->name, c->name_length);
		name[c->name_length] = '\0';
		return fuse_lowlevel_notify_inval_entry(f->session, c->ino, name, c->name_length);
	case CHANGE_BARRIER:
		return fuse_lowlevel_notify_inval_entry(f->session, c->ino, NO_NAME, 1);
	case CHANGE_LISTING:
		return fuse_lowlevel_notify_inval_inode(f->session, c->ino, 0, 0);
	case CHANGE_ATTRIBUTES:
		/* Without its data, which is the same. */
		return fuse_lowlevel_notify_inval_inode(f->session, c->ino, -1, 0);
	}
	return 0;
}

errint_t fs_tell(struct fs *f, const struct snapshot_change *change)
{
	int r;

	pthread_mutex_lock(&f->tell_lock);
	/* Requests may not be answered any more: it could wait for ever. */
	r = f->is_ending ? -ESHUTDOWN : tell(f, change);
	pthread_mutex_unlock(&f->tell_lock);
	stats_add(f->stats, invalidations, 1);
	/* It does not have it (any more). */
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

void fs_end_telling(struct fs *f)
{
	pthread_mutex_lock(&f->tell_lock);
	f->is_ending = true;
	pthread_mutex_unlock(&f->tell_lock);
}
