/* SPDX-License-Identifier: MIT */
/*
 * A repository on a local disk, for the one who writes it: layout, lock, temporary files, objects and signed texts that appear whole.
 *
 *	manifest, keyring	signed texts (docs/format-manifest.md, docs/format-keyring.md)
 *	objects/ab/b2-ab...	packs, chunks and catalogs
 *	history/REVISION	the manifest of each revision
 *	lock			held by whoever changes the repository (flock)
 *	tmp/			files that are being written; emptied by the next writer
 *
 * Must not know what objects hold, nor how a publish is made of them.
 */
#ifndef SPORE_FETCHFS_PUBLISH_REPOSITORY_H
#define SPORE_FETCHFS_PUBLISH_REPOSITORY_H

#include "common/digest.h"
#include "fetchfs/publish/trouble.h"

#include <stdatomic.h>

#define REPOSITORY_HISTORY "history"

struct repository {
	const char *path;	/* the caller's, for messages */
	int fd;
	int lock;
	atomic_uint serial;	/* of temporary names */
};

/* Makes the directories of a new repository. A directory that has a keyring or other content already is -EEXIST. */
errint_t repository_create(const char *path, struct trouble *t);

/* Opens and locks; with clean, what an interrupted writer left in tmp/ is removed. */
errint_t repository_open(const char *path, bool clean, struct repository *ret, struct trouble *t);
/* One that repository_create has just made: it has no keyring yet. */
errint_t repository_open_new(const char *path, struct repository *ret, struct trouble *t);
void repository_close(struct repository *r);

/*
 * Stored size of an object that is there, after a look at all of it: size bytes of the right digest. -ENOENT where it is missing or
 * damaged (a power cut may leave that of what no manifest names yet): then it may be written again.
 */
errint_t repository_find_object(struct repository *r, const struct digest *d, uint64_t size, uint32_t *ret_stored_size);
/* Any thread. The object appears under its name at once and whole, but is on the disk only after repository_sync. */
errint_t repository_put_object(struct repository *r, const struct digest *d, const void *stored, size_t stored_size);
/* A file of the writer's own that has no name any more: read and write; or -errno. */
int repository_open_temporary(struct repository *r);
/* All that was written so far is on the disk. */
errint_t repository_sync(struct repository *r);
/* Replaces a text in one step and syncs it: "manifest", "history/7". */
errint_t repository_put_text(struct repository *r, const char *name, const void *data, size_t size);

#endif
