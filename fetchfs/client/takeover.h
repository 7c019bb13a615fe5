/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor of a mount and its worker say to each other (over a channel), and the descriptors that go with it. A worker may be of a newer program than its
 * supervisor (upgrade): a change of what is here takes another TAKEOVER_VERSION, and the two then refuse each other.
 *
 *	supervisor			worker
 *	START (descriptors)  ------->	opens cache and servers, chooses or finds again the snapshot
 *			     <-------	PREPARED
 *	(mounts)  GO (device) ------>	takes the connection over
 *			     <-------	SERVING
 *	STOP                 ------->	ends its loop, leaving in the journal what is under way
 *			     <-------	STOPPED; then it brings the cache in order and exits
 *
 * Exit code 0: the kernel has ended the connection, or it was told to stop. Any other code is a message's (before PREPARED), or that of a worker that another one is to
 * follow. Whether the mount has ended the supervisor knows by itself.
 */
#ifndef SPORE_FETCHFS_CLIENT_TAKEOVER_H
#define SPORE_FETCHFS_CLIENT_TAKEOVER_H

#include "common/base.h"

#include <sys/types.h>

#define TAKEOVER_VERSION 1
#define TAKEOVER_ARGUMENT "--worker="	/* and the number of the channel's descriptor */

enum takeover_message {
	TAKEOVER_START = 1,
	TAKEOVER_PREPARED,
	TAKEOVER_GO,		/* data: FUSE_INIT as the kernel sent it */
	TAKEOVER_SERVING,
	TAKEOVER_STOP,
	TAKEOVER_STOPPED,
};

/*
 * What fetchfs ctl says to a supervisor, at its own socket: UPGRADE, with the program as a descriptor, or none for the one that is installed now. One answer: a struct
 * takeover_upgraded.
 */
enum { TAKEOVER_UPGRADE = 100, TAKEOVER_UPGRADED };

struct takeover_upgraded {
	int32_t code;		/* 0, or an exit code; then error says why */
	int64_t pid;		/* of the new worker */
	char error[512];
};

/* Descriptors of START, in this order. Those that need not be there (listeners) come last, as START's has_ members say. */
enum takeover_fd { TAKEOVER_SETTINGS, TAKEOVER_JOURNAL, TAKEOVER_STATE, TAKEOVER_STATS, TAKEOVER_MODES, TAKEOVER_BROKER, TAKEOVER_CACHE, TAKEOVER_FDS };

#define TAKEOVER_PATH_SIZE 512

struct takeover_start {
	uint32_t version;
	uint32_t generation;	/* workers so far */
	pid_t supervisor;
	uid_t owner;		/* who mounted */
	uid_t worker_uid;	/* for root's workers */
	gid_t worker_gid;
	bool first;		/* nothing is mounted yet: people wait for what it says */
	bool crashed;		/* the one before has crashed (and was not killed by somebody) */
	bool in_memory;		/* the cache */
	bool has_control, has_metrics;
	char control_path[TAKEOVER_PATH_SIZE];
	int64_t since;		/* of the mount, seconds since 1970 */
	uint64_t restarts;
};

#endif
