/* SPDX-License-Identifier: MIT */
/*
 * Fetching ahead what a profile lists: a thread that goes through the lists of the profiles that were asked for and brings what is not in the cache there, in order,
 * several objects side by side, within a budget of bytes and a rate, and holding back while somebody waits for something else. Nothing depends on it: what goes
 * wrong is logged and left. Knows lists, files and the store; must not know FUSE or servers.
 */
#ifndef SPORE_FETCHFS_CLIENT_PREFETCH_H
#define SPORE_FETCHFS_CLIENT_PREFETCH_H

#include "fetchfs/client/files.h"

#define PREFETCH_DEFAULT_PROFILE "boot"

struct prefetch_config {
	const char *profiles;		/* NAME[:NAME...] or "none"; NULL: the default one, where there is one */
	bool has_budget;
	uint64_t budget;		/* bytes to fetch in all; without has_budget an eighth of the cache's quota */
	uint64_t rate;			/* bytes a second; 0: as they come */
	const struct manifest *manifest;	/* only its profiles; they are copied */
	struct snapshot *snapshot;
	struct files *files;
	struct store *store;
	struct cache *cache;
	struct stats *stats;
	/* Told in the thread, a line without an end. */
	void (*report)(void *context, bool trouble, const char *text);
	void *context;
};

struct prefetch;

/* Starts the thread where there is something to do; *ret may stay NULL. What config points to must stay. -ENOMEM. */
errint_t prefetch_start(const struct prefetch_config *config, struct prefetch **ret);
/* Until all is there, or given up. prefetch_stop must follow all the same. */
void prefetch_wait(struct prefetch *p);
/* It ends soon. Any thread. */
void prefetch_cancel(struct prefetch *p);
/* Ends the thread. What it has asked the store for is still under way: prefetch_free only after store_stop, and before files_free. */
void prefetch_stop(struct prefetch *p);
void prefetch_free(struct prefetch *p);

#endif
