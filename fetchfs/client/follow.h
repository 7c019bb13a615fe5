/* SPDX-License-Identifier: MIT */
/*
 * Following: asks from time to time whether there is a newer snapshot, checks that it may be trusted, and puts it in the place of the one that is mounted. For a
 * mount that is pinned it does so only when it is told to, and then the new choice is for the next mount. Knows time; must not know how trees are compared, nor FUSE.
 */
#ifndef SPORE_FETCHFS_CLIENT_FOLLOW_H
#define SPORE_FETCHFS_CLIENT_FOLLOW_H

#include "fetchfs/client/chain.h"
#include "fetchfs/client/snapshot_update.h"

struct follow;

struct follow_config {
	const struct chain_config *chain;
	struct chain_choice *choice;	/* what is mounted; taken over */
	struct snapshot *snapshot;
	/* The kernel has to drop something. -ESHUTDOWN: the mount is ending. */
	errint_t (*tell)(void *context, const struct snapshot_change *change);
	/* After that: another snapshot is there now. */
	void (*changed)(void *context);
	void *tell_context;		/* of both */
	struct stats *stats;
	bool follows;			/* else pinned */
	unsigned ttl, limit;		/* seconds: between questions; for each catalog of a new snapshot */
	void (*report)(void *context, bool is_trouble, const char *text);
	void *report_context;
};

struct follow_state {
	bool follows;
	uint64_t revision;		/* mounted */
	uint64_t next_revision;		/* pinned: of the next mount, where that is another; else 0 */
	int64_t checked, next_check;	/* seconds since 1970; 0: never */
	int64_t expires;		/* of the manifest that was accepted last */
	char error[CHAIN_TEXT_SIZE];	/* of the last check; empty: none */
};

errint_t follow_start(const struct follow_config *config, struct follow **ret);
/* Nothing more is begun. What is being fetched ends with the transport's end. */
void follow_stop(struct follow *f);
/* After transport_stop and store_stop. */
void follow_free(struct follow *f);

/*
 * Checks now, and waits for the end of it. 0: what is newest is mounted (pinned: is chosen for the next mount). -EINVAL: a revision or date is mounted, or
 * pinned without a file: there is nothing to update. -ETIMEDOUT: still busy after wait seconds; -EIO: see the state's error.
 */
errint_t follow_update_now(struct follow *f, unsigned wait);
void follow_get_state(struct follow *f, struct follow_state *ret);

#endif
