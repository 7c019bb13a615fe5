/* SPDX-License-Identifier: MIT */
/*
 * Counters of one mount: what its layers did since it began. Any thread adds; readers see each counter exactly, though not all of them at one moment.
 * Must not know who counts.
 */
#ifndef SPORE_FETCHFS_CLIENT_STATS_H
#define SPORE_FETCHFS_CLIENT_STATS_H

#include "common/base.h"

#include <stdatomic.h>

/* name, meaning */
#define STATS_COUNTERS(X)                                                              \
	X(requests)		/* sent to servers, repeated ones included */          \
	X(bytes_fetched)	/* of bodies */                                        \
	X(faults)		/* requests that failed or brought the wrong thing */  \
	X(bad_objects)		/* of them: bodies that did not verify */              \
	X(objects)		/* fetched and verified */                             \
	X(prefetched)		/* of them: before anybody asked */                    \
	X(lookups)                                                                     \
	X(opens)                                                                       \
	X(cache_hits)		/* opens answered from the cache */                    \
	X(cache_misses)                                                                \
	X(passthrough_opens)                                                           \
	X(reads)		/* that came to the program */                         \
	X(read_bytes)                                                                  \
	X(waits)		/* operations that had to wait for the network */      \
	X(wait_errors)		/* of them: ended by a time limit or by a kill */      \
	X(catalogs)		/* loaded */                                           \
	X(cache_writes)		/* files put into the cache */                         \
	X(cache_written_bytes)                                                         \
	X(cache_full)		/* writes to the cache that failed */                  \
	X(cache_bad)		/* cached files that did not verify */                 \
	X(scrubbed)		/* cached files that the scrub has looked at */        \
	X(evicted)		/* files */                                            \
	X(evicted_bytes)

struct stats {
#define STATS_MEMBER(name) atomic_ullong name;
	STATS_COUNTERS(STATS_MEMBER)
#undef STATS_MEMBER
};

#define stats_add(s, name, n) ((void)atomic_fetch_add_explicit(&(s)->name, (unsigned long long)(n), memory_order_relaxed))
#define stats_get(s, name) atomic_load_explicit(&(s)->name, memory_order_relaxed)

/* One JSON object of all counters (free); NULL when memory is out. */
char *stats_to_json(struct stats *s);

#endif
