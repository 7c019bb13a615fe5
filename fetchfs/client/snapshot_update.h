/* SPDX-License-Identifier: MIT */
/*
 * Another revision in the place of a snapshot that is in use. Files that did not change keep their inode numbers (and so what the kernel has cached of them); a
 * file that changed gets a new one, and the old one leads to the old content as long as the kernel holds it. One thread at a time, which is none
 * of those that serve. Must not know how the kernel is told.
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_UPDATE_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_UPDATE_H

#include "fetchfs/client/snapshot.h"

/* What the kernel may have cached and has to drop. */
enum snapshot_change_kind {
	CHANGE_NAME,		/* name in the directory ino: another file, or gone, or new */
	CHANGE_BARRIER,		/* nothing by itself; look-ups in the directory ino that were under way are to be waited for */
	CHANGE_LISTING,		/* of the directory ino */
	CHANGE_ATTRIBUTES,	/* of ino */
};

struct snapshot_change {
	enum snapshot_change_kind kind;
	uint64_t ino;
	const char *name;	/* into a catalog, no NUL */
	uint16_t name_length;
	struct tree *tree;	/* the kernel need not be told where this inode is not known to it */
	uint32_t index;
};

struct snapshot_update;

/*
 * Loads what is needed of the new revision, each catalog for at most limit seconds (-ETIMEDOUT), and compares. Takes its time and disturbs nobody. -EBADMSG: a
 * catalog is malformed.
 */
errint_t snapshot_prepare(struct snapshot *s, const struct manifest *m, unsigned limit, struct snapshot_update **ret,
			  char ret_error[TRANSPORT_ERROR_SIZE]);
/* What is chosen, for a successor (snapshot_state.h; copied). -ENOMEM. */
errint_t snapshot_update_choice(struct snapshot_update *u, const void *choice, size_t size);
/*
 * From now on the new revision is shown. *ret_changes (of the update, until it is freed) is what the kernel has to be told, in this order. -EAGAIN: too
 * much was entered meanwhile; prepare again.
 */
errint_t snapshot_apply(struct snapshot_update *u, const struct snapshot_change **ret_changes, size_t *ret_count);
/* After the kernel was told. */
void snapshot_update_free(struct snapshot_update *u);

/* Lets go of old catalogs that nobody needs. How many are left. */
unsigned snapshot_sweep(struct snapshot *s);

#endif
