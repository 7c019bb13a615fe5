/* SPDX-License-Identifier: MIT */
/*
 * The file system as the kernel asks for it: FUSE's low-level operations over a snapshot and its files. Nothing that a request needs from the network is
 * waited for in FUSE's threads: such a request is answered later from a thread of the store, so that what is cached stays readable however
 * much waits. Knows FUSE; must not know servers.
 */
#ifndef SPORE_FETCHFS_CLIENT_FS_H
#define SPORE_FETCHFS_CLIENT_FS_H

#include "fetchfs/client/files.h"
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
	const char *options;	/* for the mount: "ro,nosuid" */
	bool passthrough;	/* where the kernel and the library have it; it needs opens */
	bool opens;		/* the kernel is to ask for every open; else where it cannot do without only */
	bool splice;		/* contents go from cache to kernel without a copy in between */
	const char *socket;	/* of control, for who asks; may be NULL */
	void (*mounted)(void *context);	/* called once when the kernel has begun to talk */
	void *context;
};

struct fs;

/* Mounts. -EPERM and the like: libfuse has told on standard error. */
errint_t fs_open(const struct fs_config *config, const char *mountpoint, struct fs **ret);
/* Serves until it is unmounted or, with handle_signals, a signal asks for the end. */
errint_t fs_run(struct fs *f, bool handle_signals);
/* A content of the cache was found damaged and has been removed: what was made of it is read anew. Not in a FUSE thread. */
void fs_distrust(struct fs *f, const struct digest *key);
/*
 * Tells the kernel that it may not go by what it has cached. Not from a thread that answers requests. -ESHUTDOWN: the mount is ending.
 */
errint_t fs_tell(struct fs *f, const struct snapshot_change *change);
/* From now on fs_tell does nothing; waits for one under way. */
void fs_end_telling(struct fs *f);
/* Unmounts. After store_stop: no more answers are on their way. */
void fs_unmount(struct fs *f);
void fs_free(struct fs *f);
/* Agreed with the kernel. */
bool fs_can_pass(const struct fs *f);

#endif
