/* SPDX-License-Identifier: MIT */
/* What the transport's own files share: transport.c (queues and retries) and transport_curl.c (one attempt by curl). */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_PRIVATE_H

#include "fetchfs/client/transport.h"

#include <curl/curl.h>
#include <pthread.h>

struct transport_mirror {
	char *url;		/* without a slash at its end */
	bool is_http;
	unsigned faults;	/* in a row */
	int64_t bad_until;	/* ns; others are preferred until then */
	/* For those who look, by transport's lock: see struct transport_mirror_info. */
	uint64_t good, all_faults, bytes;
	int64_t busy, bad_since;
	char error[TRANSPORT_ERROR_SIZE];
};

/* One attempt's curl handle, used again and again. */
struct transport_slot {
	CURL *curl;
	struct transport_request *request;	/* NULL: free */
	bool too_large;
	char error[CURL_ERROR_SIZE];
};

struct transport_queue {
	struct transport_request *first, *last;
};

struct transport {
	struct transport_mirror mirrors[TRANSPORT_MAX_MIRRORS];
	size_t mirror_count;
	char *proxy, *ca_file;
	char *ca_data;		/* self_contained: the certificates */
	size_t ca_size;
	bool self_contained;
	unsigned parallel;
	void (*report)(void *context, bool trouble, const char *text);
	void *report_context;
	struct stats *stats;

	CURLM *multi;
	struct curl_slist *no_cache;	/* headers */
	struct transport_slot *slots;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;	/* for all below */
	struct transport_queue demand, background;
	struct transport_request *delayed;
	unsigned in_flight;	/* sent, or answered and not yet finished */
	bool stop;

	/* The thread's own. */
	int64_t next_report, report_interval;
	bool in_trouble;
	uint64_t random;
};

enum { REQUEST_QUEUED = 1, REQUEST_DELAYED, REQUEST_SENT, REQUEST_ANSWERED };

/* lock held. What is told about a mirror (transport_mirrors.c). */
void transport_count_fault(struct transport *t, const struct transport_request *r);
void transport_count_success(struct transport *t, const struct transport_request *r);
/* lock held. All that waits for better times is tried at once. */
void transport_wake_delayed(struct transport *t);

/* Makes the handles. -ENOMEM. */
errint_t transport_curl_init(struct transport *t);
void transport_curl_done(struct transport *t);
/* Starts an attempt at the request's used_mirror. */
errint_t transport_curl_start(struct transport *t, struct transport_slot *s, struct transport_request *r);
/* The attempt has ended: fills result and error, and frees the slot. */
void transport_curl_end(struct transport *t, struct transport_slot *s, CURLcode code);

#endif
