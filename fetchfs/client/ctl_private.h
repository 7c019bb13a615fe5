/* SPDX-License-Identifier: MIT */
/* What the control socket's files share: ctl.c (thread and connections), ctl_listen.c (sockets), ctl_serve.c (a request's answer). */
#ifndef SPORE_FETCHFS_CLIENT_CTL_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_CTL_PRIVATE_H

#include "fetchfs/client/ctl.h"

#include <pthread.h>

#define CTL_TABLES_MAX 16
#define CTL_CONNECTIONS 8
#define CTL_METRICS_CONNECTIONS 4

enum ctl_door { CTL_DOOR, METRICS_DOOR, DOORS };
enum ctl_state { CTL_READING, CTL_WRITING, CTL_DRAINING };

struct ctl_connection {
	int fd;			/* -1: free */
	enum ctl_door door;
	enum ctl_state state;
	int64_t since, deadline;
	char *in;		/* room for the door's largest request, and a NUL */
	size_t in_used;
	char *out;
	size_t out_size, out_done;
};

struct ctl_table {
	const struct ctl_verb *verbs;
	void *context;
};

struct ctl {
	struct ctl_table tables[CTL_TABLES_MAX];
	size_t table_count;
	char *(*metrics)(void *context);
	void *metrics_context;
	int listeners[DOORS];
	char *path;		/* of the control socket */
	uid_t owner;
	int wake_fd;
	pthread_t thread;
	bool started;
	struct ctl_connection connections[CTL_CONNECTIONS + CTL_METRICS_CONNECTIONS];
	int64_t no_accept_before;	/* descriptors have run out */
};

/* Whether the request in c->in is whole (or never will be): then c->out is the reply. -ENOMEM. */
errint_t ctl_serve(struct ctl *c, struct ctl_connection *connection, bool *ret_complete);

#endif
