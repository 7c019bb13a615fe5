/* SPDX-License-Identifier: MIT */
/*
 * The control socket of a mount and its metrics: one thread that waits for connections, reads a request, has a verb answer it, and sends the reply
 * (docs/format-ctl.md). Everything is bounded, so that nobody who can connect can hold up the mount or another client for long; while nobody asks the thread
 * sleeps. Knows sockets, users and time; must not know what verbs do: whoever owns something worth asking registers a table of them.
 */
#ifndef SPORE_FETCHFS_CLIENT_CTL_H
#define SPORE_FETCHFS_CLIENT_CTL_H

#include "fetchfs/client/ctl_protocol.h"
#include "fetchfs/client/ctl_reply.h"

#include <sys/types.h>

struct ctl;

struct ctl_verb {
	const char *name;
	const char *operands;	/* "PATH", for people; "" where there are none */
	const char *help;	/* one sentence without a full stop */
	size_t min, max;	/* arguments */
	/*
	 * Runs in the thread of the control socket, one at a time, and should be quick: what takes long is begun here and goes on elsewhere, and the verb
	 * tells how it stands. Fills reply; 0, or what ctl_fail returned.
	 */
	int (*run)(void *context, const struct ctl_request *request, struct ctl_reply *reply);
};

errint_t ctl_new(struct ctl **ret);
/* Before ctl_start. The table, which must outlive ctl, ends with a NULL name; context is given to its verbs. -E2BIG: too many tables. */
errint_t ctl_add(struct ctl *c, const struct ctl_verb *verbs, void *context);
/* What GET /metrics is answered with (free; NULL: memory is out); called in the thread too. */
void ctl_set_metrics(struct ctl *c, char *(*text)(void *context), void *context);

/* Who may ask, beside root: who has mounted. */
void ctl_set_owner(struct ctl *c, uid_t owner);
/* Sockets that ctl_make_ and ctl_make_metrics made (-1: none); they become ctl's. path: of the first, to be told (copied). -ENOMEM. */
errint_t ctl_set_listeners(struct ctl *c, int control, const char *path, int metrics);
/* NULL: there is none. */
const char *ctl_path(const struct ctl *c);

/* Listens at a new socket in this directory (which is made, and cleared of dead sockets). *ret_path (free) is to be removed at the end. */
errint_t ctl_make(const char *directory, char **ret_path, int *ret_fd);
/* The supervisor's own socket beside that one, of messages (channel.h). ctl_supervisors_path: its name (free). */
errint_t ctl_make_supervisors(const char *control_path, char **ret_path, int *ret_fd);
char *ctl_supervisors_path(const char *control_path);
/*
 * A port of 127.0.0.1 (*ret_path stays NULL), or (with a slash) the path of a Unix socket, to be removed at the end. -EADDRINUSE and others of bind(2).
 */
errint_t ctl_make_metrics(const char *where, char **ret_path, int *ret_fd);

errint_t ctl_start(struct ctl *c);
/* Ends the thread and closes the sockets: no verb runs any more. */
void ctl_stop(struct ctl *c);
/* NULL: nothing to do. After or without ctl_stop. */
void ctl_free(struct ctl *c);

#endif
