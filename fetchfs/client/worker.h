/* SPDX-License-Identifier: MIT */
/*
 * The worker of a mount: the process that talks to servers, reads the cache and answers the kernel. Started by a supervisor (supervisor.h), of which it gets everything
 * that takes privileges; when it ends in disorder another one goes on where it was. Knows all layers; must not know how the mount was made.
 */
#ifndef SPORE_FETCHFS_CLIENT_WORKER_H
#define SPORE_FETCHFS_CLIENT_WORKER_H

#include "fetchfs/client/cache.h"
#include "fetchfs/client/chain.h"
#include "fetchfs/client/control.h"
#include "fetchfs/client/follow.h"
#include "fetchfs/client/fs.h"
#include "fetchfs/client/pins.h"
#include "fetchfs/client/prefetch.h"
#include "fetchfs/client/record.h"
#include "fetchfs/client/settings.h"
#include "fetchfs/client/takeover.h"
#include "fetchfs/client/verbs.h"

struct worker {
	struct settings settings;
	struct takeover_start start;
	int channel;
	int fds[TAKEOVER_FDS];		/* enum takeover_fd */
	int null_fd;			/* /dev/null */
	int control_fd, metrics_fd;	/* -1: none, or ctl has them */
	struct stats *stats;
	struct journal *journal;
	struct open_modes *modes;	/* with passthrough */
	struct cache *cache;
	struct transport *transport;
	struct store *store;
	struct chain_config chain;
	struct chain_choice choice;	/* until the follower has it */
	bool offline, kept, is_restored;
	uint64_t state_seen;		/* what the snapshot was restored from */
	struct snapshot snapshot;
	bool has_snapshot;
	bool has_stopped;		/* worker_stop */
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

/* Called so by a supervisor: argv[1] is TAKEOVER_ARGUMENT. */
bool worker_is_wanted(int argc, char **argv);
int worker_main(int argc, char **argv);

/* worker_open.c. Each: 0, or an exit code after a message. */
int worker_open_layers(struct worker *w);
/* The choice and the snapshot: of the worker before, or anew. */
int worker_open_snapshot(struct worker *w);
/* Again, where the one before has changed it meanwhile. */
int worker_refresh_snapshot(struct worker *w);
int worker_open_fs(struct worker *w);
/* What begins when the kernel's requests come. */
int worker_start(struct worker *w);
/*
 * In order: what brings answers ends first, then those who give them. After it nothing that a successor needs is touched any more. Twice does no harm.
 */
void worker_stop(struct worker *w);
/* Then what answers were given to. */
void worker_close(struct worker *w);
/* Context: struct worker. Any thread. */
void worker_report(void *context, bool is_trouble, const char *text);

#endif
