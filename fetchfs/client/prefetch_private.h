/* SPDX-License-Identifier: MIT */
/* What the two halves of fetching ahead share: prefetch.c (which objects, and are they here already) and prefetch_flight.c (having them fetched). */
#ifndef SPORE_FETCHFS_CLIENT_PREFETCH_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_PREFETCH_PRIVATE_H

#include "fetchfs/client/prefetch.h"
#include "fetchfs/format/profile_list.h"

#include <pthread.h>

#define PREFETCH_MAX_FLIGHTS 8

/* An object under way. */
struct prefetch_flight {
	struct store_waiter waiter;
	struct prefetch *prefetch;
	enum { FLIGHT_FREE, FLIGHT_UNDER_WAY, FLIGHT_FAILED, FLIGHT_DELAYED } state;
	struct store_object object;
	uint32_t kind;			/* as in the list */
	struct file *file;		/* held: whose chunk it is; NULL: it is no chunk, or a file's only one */
	uint32_t extent;
	unsigned attempts;
	errint_t result;		/* of the last attempt */
	int64_t due;			/* of the next one, where it is delayed */
};

struct prefetch {
	struct prefetch_config config;
	char *profiles;			/* the default, or what was asked for */
	struct manifest offered;		/* the manifest's profiles, nothing else of it */
	pthread_t thread;
	bool started;
	uint64_t budget_left;
	struct file *large;		/* the one whose chunks are being looked at; NULL: none */
	uint64_t *listed;		/* what the list names, by the first bytes of its digests; sorted */
	size_t listed_count;

	pthread_mutex_t lock;		/* for all below */
	pthread_cond_t changed;
	bool stop;
	struct prefetch_flight flights[PREFETCH_MAX_FLIGHTS];
	unsigned under_way, failures;	/* failures: objects given up one after the other */
	uint64_t bytes_under_way, bytes_done;
	int64_t begun;			/* when the first was asked for; 0: not yet */
	int64_t next_start;		/* what the rate allows */
};

/* Before a list is gone through. -ENOMEM. */
errint_t prefetch_expect(struct prefetch *p, const struct profile_list *l);
/* Waits until one more of so many bytes may be asked for. -ECANCELED: the end; -EIO: too much has failed. */
errint_t prefetch_wait_turn(struct prefetch *p, uint64_t bytes);
/* After it. file (may be NULL) is held from now on. */
void prefetch_launch(struct prefetch *p, const struct store_object *o, uint32_t kind, struct file *file, uint32_t extent);
/* Waits until nothing is under way. */
errint_t prefetch_wait_all(struct prefetch *p);
/* An object, waited for. A copy (free). */
errint_t prefetch_get(struct prefetch *p, const struct store_object *o, void **ret);

#endif
