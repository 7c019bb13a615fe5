/* SPDX-License-Identifier: MIT */
/*
 * Counters of one mount: what its layers did since it began. Any thread adds; readers see each counter exactly, though not all of them at one moment.
 * Must not know who counts.
 */
#ifndef SPORE_FETCHFS_CLIENT_STATS_H
#define SPORE_FETCHFS_CLIENT_STATS_H

#include "common/base.h"

#include <stdatomic.h>

/*
 * name, meaning. The one place where a counter is described: the metrics' help texts, and what `fetchfs ctl` and the attribute of the mount show, are made
 * from it.
 */
#define STATS_COUNTERS(X)                                                              \
	X(requests, "requests sent to servers, repeated ones included") \
	X(bytes_fetched, "bytes of bodies that servers sent") \
	X(faults, "requests that failed or brought the wrong thing") \
	X(bad_objects, "bodies that did not verify, counted among the faults") \
	X(hedges, "second attempts beside one that took too long") \
	X(hedges_won, "second attempts that came first") \
	X(hedge_bytes, "bytes of attempts that lost against another one") \
	X(proxy_faults, "faults of a proxy itself, counted among the faults") \
	X(objects, "objects fetched and verified") \
	X(prefetched, "objects fetched before anybody asked") \
	X(profile_objects, "objects fetched ahead because a profile lists them") \
	X(profile_bytes, "bytes of objects fetched for profiles, as they were sent") \
	X(profile_present, "objects that a profile lists and the cache had already") \
	X(profiles_done, "profiles that were gone through") \
	X(lookups, "names looked up by the kernel") \
	X(listings, "directories, or parts of them, that the kernel asked for") \
	X(opens, "files opened; where the kernel does not ask for opens, each read of a file") \
	X(cache_hits, "opens answered from the cache") \
	X(cache_misses, "opens that had to fetch something") \
	X(passthrough_opens, "opens handed to the kernel, whose reads do not come to the program") \
	X(reads, "reads that came to the program") \
	X(read_bytes, "bytes of the reads that came to the program") \
	X(waits, "operations that had to wait for the network") \
	X(wait_errors, "waits ended by a time limit or by a kill") \
	X(catalogs, "catalogs loaded") \
	X(snapshot_checks, "questions for a newer snapshot") \
	X(snapshot_changes, "changes to another revision without a new mount") \
	X(invalidations, "names and inodes that the kernel was told to look up anew") \
	X(cache_writes, "files put into the cache") \
	X(cache_written_bytes, "bytes put into the cache") \
	X(cache_full, "writes to the cache that failed") \
	X(cache_bad, "cached files that did not verify") \
	X(scrubbed, "cached files that the scrub has looked at") \
	X(evicted, "files evicted from the cache") \
	X(evicted_bytes, "bytes evicted from the cache")

struct stats {
#define STATS_MEMBER(name, help) atomic_ullong name;
	STATS_COUNTERS(STATS_MEMBER)
#undef STATS_MEMBER
};

#define stats_add(s, name, n) ((void)atomic_fetch_add_explicit(&(s)->name, (unsigned long long)(n), memory_order_relaxed))
#define stats_get(s, name) atomic_load_explicit(&(s)->name, memory_order_relaxed)

/* All counters, in the order of the table. */
#define STATS_COUNTER(name, help) +1
#define STATS_COUNT (0 STATS_COUNTERS(STATS_COUNTER))
struct stats_counter {
	const char *name, *help;
	unsigned long long value;
};
void stats_read(struct stats *s, struct stats_counter ret[STATS_COUNT]);
/* Counters that outlive the process: in a memfd. stats_map begins with zeros where another program had other counters. -errno. */
errint_t stats_make(int *ret_fd);
errint_t stats_map(int fd, struct stats **ret);
/* One JSON object of all counters (free); NULL when memory is out. */
char *stats_to_json(struct stats *s);

#endif
