/* SPDX-License-Identifier: MIT */
/*
 * The file system as the kernel asks for it: FUSE's low-level operations over a snapshot and its files. Nothing that a request needs from the network is
 * waited for in FUSE's threads: such a request is answered later from a thread of the store, so that what is cached stays readable however
 * much waits. Knows FUSE; must not know servers.
 */
#ifndef SPORE_FETCHFS_CLIENT_FS_H
#define SPORE_FETCHFS_CLIENT_FS_H

#include "fetchfs/client/files.h"
#include "fetchfs/client/journal.h"
#include "fetchfs/client/open_modes.h"
#include "fetchfs/client/record.h"
#include "fetchfs/client/snapshot.h"
#include "fetchfs/client/snapshot_update.h"

struct fuse_session;

struct fs_config {
	struct snapshot *snapshot;
	struct files *files;
	struct cache *cache;
	struct transport *transport;
	struct stats *stats;
	struct record *record;	/* told what is read */
	bool passthrough;	/* where the kernel and the library have it; it needs opens */
	bool opens;		/* the kernel is to ask for every open; else where it cannot do without only */
	bool splice;		/* contents go from cache to kernel without a copy in between */
	const char *socket;	/* of control, for who asks; may be NULL */
	struct open_modes *modes;	/* with passthrough */
	uint32_t generation;	/* of the worker: another one has other handles */
	pid_t pid;		/* who is to be waited for at the end of the mount */
};

struct fs;

errint_t fs_new(const struct fs_config *config, struct fs **ret);
/*
 * Takes the connection over: journal has what is under way, device is /dev/fuse's (it stays the caller's), init the kernel's FUSE_INIT, which is answered once in a connection's life. What the worker
 * before has left unanswered is done again; crashed: it may have been a request that ended it. -EPROTO: the kernel has agreed to something else with the worker
 * before.
 */
errint_t fs_take_over(struct fs *f, struct journal *journal, int device, const void *init, size_t size, bool crashed);
/* Serves until it is unmounted, or fs_stop. */
errint_t fs_run(struct fs *f);
/* From another thread: fs_run returns soon. Requests under way stay in the journal. */
void fs_stop(struct fs *f);
/* A content of the cache was found damaged and has been removed: what was made of it is read anew. Not in a FUSE thread. */
void fs_distrust(struct fs *f, const struct digest *key);
/*
 * Tells the kernel that it may not go by what it has cached. Not from a thread that answers requests. -ESHUTDOWN: the mount is ending.
 */
errint_t fs_tell(struct fs *f, const struct snapshot_change *change);
/* From now on fs_tell does nothing; waits for one under way. */
void fs_end_telling(struct fs *f);
/* After store_stop: no more answers are on their way. */
void fs_free(struct fs *f);
/* Agreed with the kernel. */
bool fs_can_pass(const struct fs *f);

#endif
