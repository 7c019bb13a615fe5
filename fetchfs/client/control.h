/* SPDX-License-Identifier: MIT */
/*
 * What a mount tells about itself and lets be done to it: the verbs info, stats, status, cache, mirrors, log and metrics, and the text of the metrics. Knows the layers
 * that it asks; must not know sockets.
 */
#ifndef SPORE_FETCHFS_CLIENT_CONTROL_H
#define SPORE_FETCHFS_CLIENT_CONTROL_H

#include "fetchfs/client/ctl.h"
#include "fetchfs/client/pins.h"
#include "fetchfs/client/snapshot.h"
#include "fetchfs/client/transport.h"

/* Of one mount; all that it points to must outlive the control socket. */
struct control {
	const char *mountpoint, *cache_path;
	struct snapshot *snapshot;
	struct cache *cache;
	struct transport *transport;
	struct stats *stats;
	struct memory *memory;
	struct pins *pins;
	bool (*passthrough)(void *context);	/* agreed with the kernel? */
	void *passthrough_context;
	bool offline;			/* mounted from the cache alone */
	int64_t since;			/* seconds since 1970 */
	pid_t pid;			/* of the supervisor: it is there as long as the mount */
	uint64_t restarts;		/* of the worker, so far */
};

/* What a mount listens at; kept by its supervisor, served by its worker. -1: not there. */
struct control_sockets {
	int control, metrics, supervisor;
	char *path, *metrics_path, *supervisor_path;
};

/*
 * Makes the control socket: in directory, or in the usual places (NULL), the last of them in the cache (cache_path; may be NULL), or not ("off"); and the one
 * for metrics (NULL: none). 0, or an exit code after a message: then too *ret is to be closed.
 */
int control_make(const char *directory, const char *metrics, const char *cache_path, struct control_sockets *ret);
/* Removes them. */
void control_unmake(struct control_sockets *s);

/* With the verbs below, and metrics. */
errint_t control_new(struct control *what, struct ctl **ret);

/* Context: struct control. */
extern const struct ctl_verb control_verbs[];
/* Prometheus text format 0.0.4 (free); NULL when memory is out. context: struct control. */
char *control_metrics(void *context);

/* A URL without what stands before '@' in its authority: that is nobody's business (free). */
char *control_public_url(const char *url);

#endif
