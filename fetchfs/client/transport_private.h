/* SPDX-License-Identifier: MIT */
/*
 * What the transport's own files share: transport.c (queues and retries), transport_mirror.c (which mirror, and how fast it is), transport_proxy.c (which
 * proxy), transport_hedge.c (when a second attempt is worth it),
 * transport_options.c (files of secrets) and transport_curl.c (one attempt by curl).
 */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_PRIVATE_H

#include "fetchfs/client/transport.h"
#include "fetchfs/client/transport_proxy.h"
#include "fetchfs/client/transport_secret.h"

#include <curl/curl.h>
#include <pthread.h>

struct transport_mirror {
	char *url;		/* without a slash at its end, and without user and password */
	char *authorization;	/* header line, or NULL */
	struct curl_slist *headers[2];	/* 1: and caches must not answer */
	bool is_http;
	unsigned faults;	/* in a row */
	int64_t bad_until;	/* ns; others are preferred until then */
	int64_t closed_until;	/* the server asked to be left alone until then */
	int64_t latency, deviation;	/* ns to the first byte, moving averages; 0: not measured */
	uint64_t throughput;	/* bytes a second of one transfer; 0: not measured */
	int64_t tried_at;
	uint64_t requests, good, failures, bytes;
	int64_t busy;		/* ns of good transfers */
	int64_t bad_since;	/* the first of the faults in a row; 0: it is well */
	char last_error[TRANSPORT_ERROR_SIZE];
};

/* Where an attempt goes. */
struct transport_route {
	unsigned mirror;
	int proxy;		/* -1: as the environment says */
	bool exploring;		/* to see how fast that mirror is */
	bool new_connection;
};

/* One attempt's curl handle, used again and again. */
struct transport_slot {
	CURL *curl;
	struct transport_request *request;	/* NULL: free */
	struct transport_slot *rival;	/* fetches the same */
	struct transport_route route;
	bool is_hedge;
	int64_t next_race;	/* not before */
	unsigned redirects;
	char *data;
	size_t size, room;
	uint64_t reserved;	/* bytes of memory, beside the request's own */
	uint64_t expected;	/* bytes; 0: not known */
	uint64_t junk;		/* bytes of bodies that nobody wants */
	bool too_large;
	int64_t started, first_byte, last_byte, deadline;
	char curl_error[CURL_ERROR_SIZE];

	/* What came of it. */
	errint_t result;
	bool by_proxy;		/* it was the proxy's fault for certain */
	int64_t retry_after;	/* ns */
	int64_t latency;	/* ns between the request and the first byte */
	int64_t took;		/* ns of it all */
	char error[TRANSPORT_ERROR_SIZE];
};

struct transport_queue {
	struct transport_request *first, *last;
};

struct transport {
	struct transport_mirror mirrors[TRANSPORT_MAX_MIRRORS];
	size_t mirror_count;
	struct proxy_list proxies;
	char *ca_data, *cert_data, *key_data;	/* PEM */
	size_t ca_size, cert_size, key_size;
	char *authorization;
	struct secret_headers extra;
	bool self_contained;
	unsigned parallel;
	struct transport_limits limits;
	void (*report)(void *context, bool trouble, const char *text);
	void *report_context;
	struct memory *memory;
	struct stats *stats;

	CURLM *multi;
	struct curl_slist *headers[2];	/* for those who must not see secrets; see those of a mirror */
	struct transport_slot *slots;
	unsigned slot_count;	/* parallel, and some that only hedges use */
	pthread_t thread;

	pthread_mutex_t lock;	/* for all below, and what is measured of mirrors and proxies */
	struct transport_queue demand, background;
	struct transport_request *delayed;
	unsigned in_flight;	/* sent, or answered and not yet finished */
	bool stop;
	unsigned preferred;	/* mirror */
	unsigned since_exploring;	/* requests */

	/* The thread's own. */
	int64_t next_report, report_interval;
	bool in_trouble;
	uint64_t random;
	unsigned hedge_credit;	/* HEDGE_COST buys one */
};

#define HEDGE_COST 16
#define TRANSPORT_RECEIVE_BUFFER (256 * KIB)

enum { REQUEST_QUEUED = 1, REQUEST_DELAYED, REQUEST_SENT, REQUEST_ANSWERED };

/* transport.c; the lock is held. by_proxy: the mirror was not even asked. */
void transport_note_fault(struct transport *t, const struct transport_route *route, bool by_proxy, int64_t retry_after, const char *error);
/* What an attempt takes of the memory for transfers: nothing where its size is not known, as of small texts. */
uint64_t transport_memory_need(const struct transport_request *r);
/* All that waits for better times is tried at once. */
void transport_wake_delayed(struct transport *t);
/* base doubled with each step up to max; then anything between half of it and all. */
int64_t transport_backoff(struct transport *t, int64_t base, unsigned step, int64_t max);

/* transport_options.c. ret_error says what is wrong with which option. */
errint_t transport_options_read(struct transport *t, const struct transport_config *config, char ret_error[TRANSPORT_ERROR_SIZE]);

/* transport_mirror.c; the lock is held, save for add. */
errint_t transport_mirror_add(struct transport *t, const char *url);
void transport_mirrors_done(struct transport *t);
/* avoid: not this one where there is a choice; -1: none. */
struct transport_route transport_route(struct transport *t, const struct transport_request *r, int avoid_mirror, int avoid_proxy);
/* When the first mirror may be asked that did not ask to be left alone; 0: now. */
int64_t transport_mirrors_open_at(const struct transport *t);
void transport_mirror_worked(struct transport *t, const struct transport_slot *s);
void transport_mirror_failed(struct transport *t, unsigned mirror, int64_t retry_after, const char *error);
/* It lost a race against another one: so slow it is at least. */
void transport_mirror_lost(struct transport *t, const struct transport_slot *s, int64_t now);
/* How long one waits for a byte of this mirror before something is wrong, ns. */
int64_t transport_mirror_patience(const struct transport *t, const struct transport_route *route);
/* How long a body of this size takes from the mirror that is preferred, ns. */
int64_t transport_mirror_estimate(const struct transport *t, uint64_t size);

/* transport_hedge.c; the lock is held. Starts second attempts; returns when to look again (clock_now). */
int64_t transport_hedge_late(struct transport *t);
void transport_hedge_earn(struct transport *t);

/* transport_curl.c. Reads files, makes the handles. */
errint_t transport_curl_init(struct transport *t);
void transport_curl_done(struct transport *t);
/* Starts an attempt. */
errint_t transport_curl_start(struct transport *t, struct transport_slot *s, struct transport_request *r, const struct transport_route *route);
/* The attempt has ended: fills the slot's results, and frees the slot but for them and the data. False: a redirect, and it goes on. */
bool transport_curl_end(struct transport *t, struct transport_slot *s, CURLcode code);
/* Ends an attempt that is not needed any more. */
void transport_curl_cancel(struct transport *t, struct transport_slot *s);
/* The body was taken over, or goes. */
void transport_slot_drop(struct transport *t, struct transport_slot *s);

#endif
