/* SPDX-License-Identifier: MIT */
/*
 * How much room there is: the quota, and what is to stay free on the file system, which others fill too. The accounts are kept by folder: each is exact when
 * it was last listed, and then kept up with what this program puts in and takes out; what others do is noticed when the folder is listed again, which happens
 * as this program writes. A thread evicts before the limits are reached, so that a write seldom has to.
 */
#include "fetchfs/client/cache_private.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"

#include <sys/statvfs.h>

#define DEFAULT_PERCENT 50
#define DEFAULT_FREE_PERCENT 5
#define DEFAULT_FREE_MAX (1 * GIB)
#define HIGH_PERCENT 90		/* of the quota: the thread begins to evict */
#define KEEP_PERCENT 80		/* and goes on down to here */
#define FREE_MARGIN 4		/* it also begins when less than a quarter above the limit is free */
#define STEP_BYTES (1 * MIB)	/* that the thread frees at a time, so that those who wait for room get in between */
#define STEP_PAUSE_US 1000
#define PAUSE_SECONDS 5
#define ROOM_BYTES (8 * MIB)
#define RECOUNT_WRITES 64	/* after so many one folder is listed again */
#define LOOK_SECONDS 10		/* how often the free space is looked at while nothing is written */

unsigned cache_room_folder(const char *folder, const struct digest *key)
{
	if (strcmp(folder, CACHE_CATALOGS) == 0)
		return CACHE_ROOM_CATALOGS;
	return (strcmp(folder, CACHE_SUSPECT) == 0 ? CACHE_ROOM_SUSPECT : CACHE_ROOM_FILES) + key->bytes[0];
}

static void account(struct cache *c, unsigned folder, int64_t bytes)
{
	atomic_fetch_add(&c->room.folders[folder], bytes);
	atomic_fetch_add(&c->room.usage, bytes);
}

/* What is missing for so many bytes more. margin: also above what shall stay free. */
static uint64_t missing(struct cache *c, uint64_t bytes, uint64_t quota, uint64_t free_bytes)
{
	uint64_t usage = (uint64_t)MAX(atomic_load(&c->room.usage), 0), available, short_of = 0;
	struct statvfs s;

	if (usage + bytes > quota)
		short_of = usage + bytes - quota;
	if (c->room.free && fstatvfs(c->fd, &s) == 0) {
		available = (uint64_t)s.f_bavail * s.f_frsize;
		if (available < free_bytes + bytes)
			short_of = MAX(short_of, free_bytes + bytes - available);
	}
	return short_of;
}

static uint64_t missing_now(struct cache *c, uint64_t bytes)
{
	return missing(c, bytes, c->room.quota, c->room.free);
}

static bool is_near_the_end(struct cache *c)
{
	return missing(c, 0, c->room.quota / 100 * HIGH_PERCENT, c->room.free + c->room.free / FREE_MARGIN) > 0;
}

static void call_keeper(struct cache *c)
{
	if (atomic_exchange(&c->room.wanted, true))
		return;
	pthread_mutex_lock(&c->room.lock);
	pthread_cond_signal(&c->room.changed);
	pthread_mutex_unlock(&c->room.lock);
}

/* evict_lock held. Where all is in use, eviction is not tried again and again: only after a while, or when a file is closed (cache_unpin). */
static bool may_evict(struct cache *c)
{
	return clock_now() >= atomic_load(&c->room.no_evict_before);
}

static void pause_evicting(struct cache *c)
{
	atomic_store(&c->room.no_evict_before, clock_now() + PAUSE_SECONDS * NS_PER_SECOND);
}

/* What is missing after eviction. Another thread may have done it while this one waited. */
static uint64_t make_room_for(struct cache *c, uint64_t bytes)
{
	uint64_t short_of;

	atomic_fetch_add(&c->room.waiting, 1);
	pthread_mutex_lock(&c->evict_lock);
	atomic_fetch_sub(&c->room.waiting, 1);
	short_of = missing_now(c, bytes);
	/* Listing may show that there is more than was thought. */
	while (short_of > 0 && may_evict(c)) {
		if (cache_evict_locked(c, short_of) == 0)
			pause_evicting(c);
		short_of = missing_now(c, bytes);
	}
	pthread_mutex_unlock(&c->evict_lock);
	return short_of;
}

errint_t cache_reserve(struct cache *c, unsigned folder, uint64_t size)
{
	uint64_t bytes = align_up(size, CACHE_BLOCK);
	errint_t r = cache_mark_in_use(c);

	if (r < 0)
		return r;
	if (missing_now(c, bytes) > 0 && make_room_for(c, bytes) > 0)
		return -ENOSPC;
	atomic_fetch_add(&c->room.writing[folder], 1);
	account(c, folder, (int64_t)bytes);
	if (atomic_fetch_add(&c->room.writes, 1) + 1 >= RECOUNT_WRITES || is_near_the_end(c))
		call_keeper(c);
	return 0;
}

void cache_settle(struct cache *c, unsigned folder, uint64_t size, bool is_written)
{
	if (!is_written)
		cache_release(c, folder, size);
	atomic_fetch_sub(&c->room.writing[folder], 1);
}

void cache_release(struct cache *c, unsigned folder, uint64_t size)
{
	account(c, folder, -(int64_t)align_up(size, CACHE_BLOCK));
}

/* Only what is needed goes, and a little more so that the next write does not come here at once. */
errint_t cache_make_room(struct cache *c, uint64_t size)
{
	uint64_t freed;

	pthread_mutex_lock(&c->evict_lock);
	freed = cache_evict_locked(c, size + ROOM_BYTES);
	pthread_mutex_unlock(&c->evict_lock);
	return freed > 0 ? 0 : -ENOSPC;
}

static void recount(struct cache *c, unsigned folder)
{
	pthread_mutex_lock(&c->evict_lock);
	cache_recount(c, folder);
	pthread_mutex_unlock(&c->evict_lock);
}

uint64_t cache_excess(struct cache *c)
{
	return missing(c, 0, c->room.quota / 100 * KEEP_PERCENT, c->room.free + c->room.free / FREE_MARGIN);
}

/* Down to where writes have room for a while. */
static void make_headroom(struct cache *c)
{
	uint64_t goal = is_near_the_end(c) ? cache_excess(c) : 0;

	while (goal > 0 && !atomic_load(&c->stop)) {
		uint64_t freed;
		pthread_mutex_lock(&c->evict_lock);
		freed = may_evict(c) ? cache_evict_locked(c, MIN(goal, STEP_BYTES)) : 0;
		pthread_mutex_unlock(&c->evict_lock);
		if (freed == 0)
			return;
		goal -= MIN(goal, freed);
		/* A mutex is not fair. */
		if (atomic_load(&c->room.waiting) > 0)
			usleep(STEP_PAUSE_US);
	}
}

static void wait_for_work(struct cache *c)
{
	struct cache_room *r = &c->room;

	pthread_mutex_lock(&r->lock);
	if (!atomic_load(&r->wanted) && !atomic_load(&c->stop)) {
		if (r->free)
			clock_cond_wait_until(&r->changed, &r->lock, clock_now() + LOOK_SECONDS * NS_PER_SECOND);
		else
			pthread_cond_wait(&r->changed, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	atomic_store(&r->wanted, false);
}

static void *keep(void *context)
{
	struct cache *c = context;

	for (unsigned i = 0; !atomic_load(&c->room.is_counted) && i < CACHE_ROOM_FOLDERS && !atomic_load(&c->stop); i++)
		recount(c, i);
	if (!atomic_load(&c->stop))
		atomic_store(&c->room.is_counted, true);
	while (!atomic_load(&c->stop)) {
		if (atomic_load(&c->room.writes) >= RECOUNT_WRITES) {
			atomic_store(&c->room.writes, 0);
			recount(c, c->sweep.listed);
			c->sweep.listed = (c->sweep.listed + 1) % CACHE_ROOM_FOLDERS;
		}
		make_headroom(c);
		wait_for_work(c);
	}
	return NULL;
}

static errint_t set_limits(struct cache *c, const struct cache_config *config)
{
	unsigned percent = config->quota_percent ? config->quota_percent : DEFAULT_PERCENT;
	uint64_t size;
	struct statvfs s;

	c->room.quota = config->quota;
	c->room.free = config->free;
	if (fstatvfs(c->fd, &s) < 0)
		return -errno;
	size = (uint64_t)s.f_blocks * s.f_frsize;
	if (!c->room.quota)
		c->room.quota = size / 100 * percent;
	if (!c->room.free)
		c->room.free = config->free_percent ? size / 100 * config->free_percent : MIN(size / 100 * DEFAULT_FREE_PERCENT, DEFAULT_FREE_MAX);
	if (config->no_free)
		c->room.free = 0;
	return 0;
}

errint_t cache_room_start(struct cache *c, const struct cache_config *config)
{
	errint_t r = set_limits(c, config);

	if (r == 0)
		c->room.has_keeper = thread_start(&c->room.keeper, keep, c) == 0;
	return r;
}

void cache_room_stop(struct cache *c)
{
	atomic_store(&c->stop, true);
	call_keeper(c);
	pthread_mutex_lock(&c->room.lock);
	pthread_cond_signal(&c->room.changed);
	pthread_mutex_unlock(&c->room.lock);
	if (c->room.has_keeper)
		pthread_join(c->room.keeper, NULL);
	c->room.has_keeper = false;
}

uint64_t cache_quota(const struct cache *c)
{
	return c->room.quota;
}

uint64_t cache_usage(const struct cache *c)
{
	return (uint64_t)MAX(atomic_load(&c->room.usage), 0);
}

uint64_t cache_free_space(const struct cache *c)
{
	struct statvfs s;

	return fstatvfs(c->fd, &s) < 0 ? 0 : (uint64_t)s.f_bavail * s.f_frsize;
}

uint64_t cache_evict(struct cache *c, uint64_t bytes)
{
	uint64_t freed;

	pthread_mutex_lock(&c->evict_lock);
	freed = cache_evict_locked(c, bytes);
	pthread_mutex_unlock(&c->evict_lock);
	return freed;
}
