/* SPDX-License-Identifier: MIT */
/*
 * The transport: files of a repository from its servers, by one thread that drives curl. Connections are reused, downloads run side by
 * side up to a bound, failures are tried again with growing delays and on the other mirrors, and what takes longer than it should is raced by a second
 * attempt. Knows URLs, sizes and time; must not know what the files mean: whether a body is right is decided by who asked, and transport_again tells
 * the verdict. All it knows of content is that no file of a repository is an HTML page.
 */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_H

#include "common/base.h"
#include "fetchfs/client/memory.h"
#include "fetchfs/client/stats.h"

#define TRANSPORT_MAX_MIRRORS 16
#define TRANSPORT_SYSTEM_CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
#define TRANSPORT_PATH_SIZE 128
#define TRANSPORT_ERROR_SIZE 320

struct transport;

/* Seconds; 0: the default. */
struct transport_limits {
	unsigned connect;	/* for a connection, TLS included: 10 */
	unsigned stall;		/* without data: 15 */
	unsigned total;		/* for one attempt, and a second more for each 16 KiB: 30 */
};

struct transport_config {
	const char *const *urls;	/* http, https, file; or a path. In order of preference while nothing was measured; may hold user and password */
	size_t url_count;
	const char *proxy;		/* transport_proxy.h's notation; or NULL: from the environment, as curl does it */
	const char *ca_file;		/* or NULL: curl's own */
	const char *cert_file, *key_file;	/* of this client, PEM; or NULL. key_file NULL: the key is in cert_file. Private. */
	const char *credentials_file;	/* transport_secret.h; or NULL. Private. */
	const char *headers_file;	/* the same */
	struct transport_limits limits;
	bool self_contained;		/* names looked up once, certificates read at the start: no file is needed later */
	unsigned parallel;		/* downloads at a time; 0: a good default */
	/* Told in the transport's thread when nothing can be fetched (at growing intervals) and when it works again. May be NULL. */
	void (*report)(void *context, bool trouble, const char *text);
	void *report_context;
	struct memory *memory;		/* bodies are asked for as there is room for them; NULL: always */
	struct stats *stats;
};

struct transport_request {
	/* By the caller, who owns the structure until done is called. All else zero. */
	char path[TRANSPORT_PATH_SIZE];	/* below the repository's root */
	uint64_t min_size, max_size;	/* of the body, bytes */
	int mirror;			/* only this one, from 0; -1: any */
	bool once;			/* report the first failure instead of trying again */
	bool background;		/* after all that is not */
	bool revalidate;		/* caches on the way must ask the server whether what they have is still so */
	int64_t until;		/* clock_now: no attempt lasts longer; 0: no such limit */
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

	/* The transport's own. */
	struct transport_request *next;
	int state;
	uint64_t reserved;	/* bytes of memory */
	unsigned attempts;
	bool fresh;		/* caches on the way must not answer: they may hold the wrong thing */
	int used_proxy;
	unsigned replaced;	/* attempts that stood still */
	bool renew;
	int64_t due;
};

/* How a proxy did since the mount began. */
struct transport_proxy_state {
	char url[TRANSPORT_ERROR_SIZE];	/* without user and password; "DIRECT" */
	unsigned group;			/* from 0 */
	bool preferred;			/* the next request goes there */
	uint64_t good, faults, bytes;	/* as of a mirror */
	unsigned faults_in_row;
	int64_t retry_in;		/* ns while others are preferred */
};

/*
 * -EINVAL for a URL of a kind that is not known or a malformed option; -EPERM for a secret that others can read; -ENOMEM; errors of the files.
 * ret_error says more, or is empty.
 */
errint_t transport_open(const struct transport_config *config, struct transport **ret, char ret_error[TRANSPORT_ERROR_SIZE]);
/* Ends the thread; once more does nothing. Requests under way, and those that still come, end with -ECANCELED; their owners may still call transport_finish. */
void transport_stop(struct transport *t);
void transport_free(struct transport *t);

void transport_submit(struct transport *t, struct transport_request *r);
/* The body was as it should be (or nobody cares): frees it, and makes room for other requests. */
void transport_finish(struct transport *t, struct transport_request *r);
/* The body did not verify: counts against the mirror, and tries another. */
void transport_again(struct transport *t, struct transport_request *r, const char *why);
/* Somebody waits for it now who did not before: it is no longer in the background, and an attempt that stands still is not waited for. */
void transport_promote(struct transport *t, struct transport_request *r);

size_t transport_mirrors(const struct transport *t);
/* Without user and password. */
const char *transport_url(const struct transport *t, size_t mirror);
/* -ENOENT: there are not so many. Any thread. */
errint_t transport_proxy_state(struct transport *t, size_t proxy, struct transport_proxy_state *ret);

/* How a mirror did since the mount began. Any thread. */
struct transport_mirror_info {
	const char *url;	/* as long as the transport; without user and password */
	bool preferred;		/* the next request goes there, unless it is bad */
	uint64_t requests;	/* attempts, those included that were cancelled */
	uint64_t good, faults;	/* of them */
	uint64_t bytes;		/* of good bodies */
	int64_t busy;		/* ns that good transfers took, added up */
	int64_t latency;	/* ns until the first byte, a moving average; 0: not known */
	uint64_t throughput;	/* bytes a second of one transfer, the same */
	unsigned faults_in_row;
	int64_t bad_for;	/* ns since the first of these; 0: it is well */
	int64_t retry_in;	/* ns while others are preferred */
	char error[TRANSPORT_ERROR_SIZE];	/* its last fault; "": none */
};
void transport_mirror_info(struct transport *t, size_t mirror, struct transport_mirror_info *ret);
/* All mirrors count as well, and what waits for better times is tried at once. */
void transport_reset_mirrors(struct transport *t);

#endif
