/* SPDX-License-Identifier: MIT */
/* The process around a mount: going to the background when it is usable, and what it takes to carry a root file system. Knows no mounts. */
#ifndef SPORE_FETCHFS_CLIENT_DAEMON_H
#define SPORE_FETCHFS_CLIENT_DAEMON_H

#include "common/base.h"

struct daemon {
	int ready_fd;	/* -1: in the foreground, or told already */
};

/*
 * Forks. In the child it returns -1. In the parent it returns when the child has called daemon_ready (0) or ended: then that is the exit code to
 * use. To be called before any thread is started.
 */
int daemon_fork(struct daemon *d);
/* The parent goes. Does nothing in the foreground, or the second time. */
void daemon_ready(struct daemon *d);
/* Leaves terminal and directory (keep_error: not standard error, which is a log). null: /dev/null, opened while it could be; closed. */
void daemon_detach(int null, bool keep_error);
int daemon_open_null(void);

/* Large blocks go back to the system when they are freed. Before any thread is started. */
void daemon_tune_memory(void);
/* Many open files. */
void daemon_raise_limits(void);
/*
 * For the process that holds the root file system: memory locked, the last to be killed, allowed to write out memory, working directory /, and deaf to
 * signals that ask to end. Refused steps are left out (in a container some are).
 */
void daemon_carry_root(void);

#endif
