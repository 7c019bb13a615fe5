/* SPDX-License-Identifier: MIT */
/* What the cache's files share: cache.c (the directory), cache_files.c (contents, catalogs, texts), cache_part.c, cache_evict.c. */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_CACHE_PRIVATE_H

#include "fetchfs/client/cache.h"

#include <pthread.h>

#define CACHE_FILES "files"
#define CACHE_SUSPECT "suspect"
#define CACHE_CATALOGS "catalogs"
#define CACHE_REPOSITORIES "repositories"
#define CACHE_NAME_SIZE 96	/* "files/ab/b2-<64>.part" */
#define CACHE_PART ".part"
#define CACHE_MAP ".map"
#define CACHE_BLOCK 4096	/* what a file takes at least, for the accounts */
#define CACHE_PIN_BUCKETS 1024

struct cache_pinned;

struct cache {
	char *path;
	int fd, lock_fd, finish_fd;
	bool has_suspects;
	uint64_t quota;
	struct stats *stats;
	atomic_ullong usage;		/* bytes, about: counted in the background, then kept up */
	atomic_uint serial;		/* of temporary names */
	atomic_bool stop;		/* the count need not go on */
	pthread_t counter;
	bool counting;
	pthread_mutex_t evict_lock;
	_Atomic int64_t no_evict_before;	/* the last eviction did not help */
	pthread_mutex_t finish_lock;	/* with flock on finish_fd: parts get their final names one by one */
	pthread_mutex_t pin_lock;
	struct cache_pinned *pins[CACHE_PIN_BUCKETS];
};

/* "files/ab/b2-ab...suffix" for a folder. */
void cache_name(const char *folder, const struct digest *key, const char *suffix, char ret[CACHE_NAME_SIZE]);
bool cache_is_pinned(struct cache *c, const struct digest *key);
/* openat (mode 0600) of a file whose reading does not note the access time. */
int cache_open_file(struct cache *c, const char *name, int flags);
/* Counts size bytes in; evicts where they are too many. -ENOSPC: all that is there is in use. */
errint_t cache_reserve(struct cache *c, uint64_t size);
/* The disk is full: makes room for size bytes and then some. -ENOSPC where nothing could be freed. */
errint_t cache_make_room(struct cache *c, uint64_t size);
/* Sums up what is there. */
uint64_t cache_count(struct cache *c);
/* Whether an error means that there is no room. */
bool cache_is_full(errint_t r);

#endif
