/* SPDX-License-Identifier: MIT */
/*
 * Recording what is read, in the order in which it is first read: for profiles (docs/format-profile.md). Notes numbers of inodes; names are looked up when the file
 * is written, which happens a few seconds after something new was read, at least every ten seconds while more comes, and at the end. Any number of
 * threads. Knows the snapshot; must not know FUSE or who asks.
 */
#ifndef SPORE_FETCHFS_CLIENT_RECORD_H
#define SPORE_FETCHFS_CLIENT_RECORD_H

#include "fetchfs/client/snapshot.h"

struct record;

/* Does not record yet. report (may be NULL) is told, in any thread, what went wrong while recording. */
errint_t record_new(struct snapshot *s, void (*report)(void *context, bool trouble, const char *text), void *context, struct record **ret);
/* Stops. NULL is fine. */
void record_free(struct record *r);

/*
 * Begins anew, into this file (an absolute path), which is written at once so that an error shows now. -EBUSY: it is recording already; errors of writing;
 * -ENOMEM.
 */
errint_t record_start(struct record *r, const char *path);
/* Writes the rest. -ENOENT: it was not recording; errors of writing. */
errint_t record_stop(struct record *r);

/* What has happened. r may be NULL. Cheap where nothing is recorded, or nothing new. */
void record_open(struct record *r, uint64_t ino, uint64_t size);
void record_read(struct record *r, uint64_t ino, uint64_t file_size, int64_t offset, size_t size);
void record_directory(struct record *r, uint64_t ino);
/* The reads of a file of this size are wanted, not its opens. */
bool record_wants_reads(struct record *r, uint64_t size);

#endif
