/* SPDX-License-Identifier: MIT */
/*
 * What the client's own threads do with files, waiting in place as a program that reads would: entering directories, opening, reading. Knows the snapshot and
 * files; must not know what for. Never in a FUSE thread nor in one of the store.
 */
#ifndef SPORE_FETCHFS_CLIENT_WAIT_H
#define SPORE_FETCHFS_CLIENT_WAIT_H

#include "fetchfs/client/files.h"

/* As snapshot_enter, outside the snapshot, with the catalog fetched where that is needed; fetch false: -EAGAIN instead. */
errint_t wait_enter(struct snapshot *s, struct place *dir, bool fetch);
/* As files_open. background: what others wait for goes first, and the first failure is the end. */
errint_t wait_open(struct files *f, const struct place *place, bool background, struct file **ret);
/* A stretch within the file, into ret (NULL: it is to be in the cache, no more). */
errint_t wait_read(struct files *f, struct file *file, uint64_t offset, size_t size, bool background, void *ret);

#endif
