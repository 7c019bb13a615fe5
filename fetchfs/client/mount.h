/* SPDX-License-Identifier: MIT */
/*
 * A mount and all that it stands on, for the programs that put the layers together: `fetchfs mount`, and `fetchfs preload`, which stops short of FUSE.
 */
#ifndef SPORE_FETCHFS_CLIENT_MOUNT_H
#define SPORE_FETCHFS_CLIENT_MOUNT_H

#include "fetchfs/client/chain.h"
#include "fetchfs/client/control.h"
#include "fetchfs/client/daemon.h"
#include "fetchfs/client/follow.h"
#include "fetchfs/client/fs.h"
#include "fetchfs/client/memory.h"
#include "fetchfs/client/pins.h"
#include "fetchfs/client/prefetch.h"
#include "fetchfs/client/record.h"
#include "fetchfs/client/scrub.h"
#include "fetchfs/client/settings.h"
#include "fetchfs/client/verbs.h"

/* A mount and all that it stands on. */
struct mount {
	struct settings settings;
	struct daemon daemon;
	struct stats stats;
	struct memory memory;
	struct cache *cache;
	struct transport *transport;
	struct store *store;
	struct chain_config chain;
	struct chain_choice choice;	/* until the follower has it */
	bool offline, kept;
	struct snapshot snapshot;
	bool has_snapshot;
	bool talks;			/* trouble with the servers is told */
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

/* Cache, transport, store, the choice of a snapshot, and the snapshot, as the settings say. 0, or an exit code after a message; then too mount_close. */
int mount_open_layers(struct mount *m);
/* In order: what brings answers ends first, then those who give them, then what they give them to. */
void mount_close(struct mount *m);
/* Context: struct mount. */
void mount_report(void *context, bool is_trouble, const char *text);

#endif
