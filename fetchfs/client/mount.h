/* SPDX-License-Identifier: MIT */
/*
 * A mount and all that it stands on, for the programs that put the layers together: the worker of `fetchfs mount`, and `fetchfs preload`, which stops short of FUSE
 * and has no supervisor.
 */
#ifndef SPORE_FETCHFS_CLIENT_MOUNT_H
#define SPORE_FETCHFS_CLIENT_MOUNT_H

#include "fetchfs/client/cache.h"
#include "fetchfs/client/chain.h"
#include "fetchfs/client/control.h"
#include "fetchfs/client/follow.h"
#include "fetchfs/client/fs.h"
#include "fetchfs/client/memory.h"
#include "fetchfs/client/pins.h"
#include "fetchfs/client/prefetch.h"
#include "fetchfs/client/record.h"
#include "fetchfs/client/scrub.h"
#include "fetchfs/client/settings.h"
#include "fetchfs/client/takeover.h"
#include "fetchfs/client/verbs.h"

struct mount {
	struct settings settings;
	struct takeover_start start;
	int channel;
	int fds[TAKEOVER_FDS];		/* enum takeover_fd */
	int null_fd;			/* /dev/null */
	int control_fd, metrics_fd;	/* -1: none, or ctl has them */
	struct stats *stats;
	struct journal *journal;
	struct open_modes *modes;	/* with passthrough */
	struct memory memory;
	struct cache *cache;
	struct transport *transport;
	struct store *store;
	struct chain_config chain;
	struct chain_choice choice;	/* until the follower has it */
	bool offline, kept, is_restored;
	uint64_t state_seen;		/* what the snapshot was restored from */
	struct snapshot snapshot;
	bool has_snapshot;
	bool talks;			/* trouble with the servers is told */
	bool has_stopped;		/* mount_stop was here */
	struct files *files;
	struct fs *fs;
	struct scrub_control scrub;
	struct control control;
	struct ctl *ctl;
	struct pins *pins;
	struct record *record;
	struct prefetch *prefetch;
	struct follow *follow;
};

/* Without a supervisor: nothing was handed over. stats: the caller's. */
void mount_init(struct mount *m, struct stats *stats);
/*
 * Cache, transport, store, the choice of a snapshot, and the snapshot: that of the worker before, or as the settings say. 0, or an exit code after a message; then too
 * mount_close.
 */
int mount_open_layers(struct mount *m);
/*
 * In order: what brings answers ends first, then those who give them. After it nothing that a successor needs is touched any more. mount_close does it where it was
 * not done.
 */
void mount_stop(struct mount *m);
/* Then what answers were given to. */
void mount_close(struct mount *m);
/* Context: struct mount. Any thread. */
void mount_report(void *context, bool is_trouble, const char *text);

#endif
