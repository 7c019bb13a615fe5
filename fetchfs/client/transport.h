/* SPDX-License-Identifier: MIT */
/*
 * The transport: files of a repository from its servers, by one thread that drives curl. Connections are reused, downloads run side by
 * side up to a bound, failures are tried again with growing delays and on the other mirrors. Knows URLs, sizes and time; must not know what the
 * files mean: whether a body is right is decided by who asked, and transport_again tells the verdict.
 */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_H

#include "common/base.h"
#include "fetchfs/client/stats.h"

#define TRANSPORT_MAX_MIRRORS 16
#define TRANSPORT_PATH_SIZE 128
#define TRANSPORT_ERROR_SIZE 320

struct transport;

struct transport_config {
	const char *const *urls;	/* http, https, file; or a path. In order of preference */
	size_t url_count;
	const char *proxy;		/* or NULL: from the environment, as curl does it */
	const char *ca_file;		/* or NULL: curl's own */
	bool self_contained;		/* names looked up once, certificates read at the start: no file is needed later */
	unsigned parallel;		/* downloads at a time; 0: a good default */
	/* Told in the transport's thread when nothing can be fetched (at growing intervals) and when it works again. May be NULL. */
	void (*report)(void *context, bool trouble, const char *text);
	void *report_context;
	struct stats *stats;
};

struct transport_request {
	/* By the caller, who owns the structure until done is called. All else zero. */
	char path[TRANSPORT_PATH_SIZE];	/* below the repository's root */
	uint64_t min_size, max_size;	/* of the body, bytes */
	int mirror;			/* only this one, from 0; -1: any */
	bool once;			/* report the first failure instead of trying again */
	bool background;		/* after all that is not */
	/*
	 * Called in the transport's thread, and must be quick: the request has ended. Where result is 0, data and size are the body. After it,
	 * in any thread, transport_finish must follow, or (result 0 only) transport_again.
	 */
	void (*done)(struct transport_request *r);
	/* Asked before another attempt; NULL: always. False ends the request with its last error. */
	bool (*wanted)(struct transport_request *r);
	void *context;

	/* Results. */
	errint_t result;	/* -ENOENT: 404 and the like; -EMSGSIZE: too long or too short; -ETIMEDOUT; -EIO: anything else */
	char *data;
	size_t size;
	char error[TRANSPORT_ERROR_SIZE];	/* "URL: what was wrong" */
	unsigned used_mirror;
	int64_t took;		/* ns, the last attempt */

	/* The transport's own. */
	struct transport_request *next;
	int state;
	unsigned attempts;
	bool fresh;		/* caches on the way must not answer: they may hold the wrong thing */
	int64_t due;
	size_t room;
};

/* -EINVAL for a URL of a kind that is not known; -ENOMEM. */
errint_t transport_open(const struct transport_config *config, struct transport **ret);
/* Ends the thread. Requests under way, and those that still come, end with -ECANCELED; their owners may still call transport_finish. */
void transport_stop(struct transport *t);
void transport_free(struct transport *t);

void transport_submit(struct transport *t, struct transport_request *r);
/* The body was as it should be (or nobody cares): frees it, and makes room for other requests. */
void transport_finish(struct transport *t, struct transport_request *r);
/* The body did not verify: counts against the mirror, and tries another. */
void transport_again(struct transport *t, struct transport_request *r, const char *why);
/* Somebody waits for it now: no longer in the background. */
void transport_promote(struct transport *t, struct transport_request *r);

size_t transport_mirrors(const struct transport *t);
const char *transport_url(const struct transport *t, size_t mirror);

/* How a mirror did since the mount began. */
struct transport_mirror_info {
	const char *url;	/* as long as the transport */
	uint64_t good, faults;	/* attempts */
	uint64_t bytes;		/* of good bodies */
	int64_t busy;		/* ns that good transfers took, added up */
	unsigned faults_in_row;
	int64_t bad_for;	/* ns since the first of these; 0: it is well */
	int64_t retry_in;	/* ns while others are preferred */
	char error[TRANSPORT_ERROR_SIZE];	/* its last fault; "": none */
};
void transport_mirror_info(struct transport *t, size_t mirror, struct transport_mirror_info *ret);
/* All mirrors count as well, and what waits for better times is tried at once. */
void transport_reset_mirrors(struct transport *t);

#endif
