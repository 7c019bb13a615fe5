/* SPDX-License-Identifier: MIT */
/*
 * The scrub: what is in the cache is read again and held against its digests, at a set rate and at idle priority, round after round; what does not verify leaves
 * the cache and is fetched again when it is wanted. Knows the cache's files; must not know who has them open (whom damaged tells).
 */
#ifndef SPORE_FETCHFS_CLIENT_SCRUB_H
#define SPORE_FETCHFS_CLIENT_SCRUB_H

#include "fetchfs/client/cache.h"

struct scrub;

struct scrub_config {
	struct cache *cache;
	struct stats *stats;
	uint64_t rate;		/* bytes per second, at least 1 */
	bool once;		/* one round; else a new one begins an hour after the last has ended */
	/* A content has just been removed. In the scrub's thread, no lock held. May be NULL. */
	void (*damaged)(void *context, const struct digest *key);
	void *context;
};

struct scrub_status {
	bool running;		/* at work, not between rounds */
	uint64_t rounds;	/* complete */
	unsigned percent;	/* of the present round */
	uint64_t files, bytes;	/* of the present round, or of the last */
	uint64_t bad, unknown;	/* of all rounds: removed; large files whose list of digests is missing, which cannot be verified */
};

/* Starts a thread. */
errint_t scrub_start(const struct scrub_config *config, struct scrub **ret);
/* Ends it within a moment, and frees. NULL is allowed. */
void scrub_stop(struct scrub *s);
void scrub_status(struct scrub *s, struct scrub_status *ret);

#endif
