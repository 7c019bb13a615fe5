/* SPDX-License-Identifier: MIT */
/*
 * The budget of a mount's memory: how much of the bound (option memory=) each use may take, and how much it has. The one place where this is divided; who
 * uses memory takes it from here first, and waits or holds requests back where it is used up. Must not know what the memory is for beyond its name. Any thread.
 *
 * A single piece that is larger than the limit of its use is let through alone: nothing ever fails for want of budget.
 */
#ifndef SPORE_FETCHFS_CLIENT_MEMORY_H
#define SPORE_FETCHFS_CLIENT_MEMORY_H

#include "common/base.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * The program itself, resident: code and libraries, stacks, the heap's small pieces, one request of each FUSE thread. musl: a static program whose libraries
 * have only what is needed.
 */
#ifdef __GLIBC__
#define MEMORY_PROGRAM (14 * MIB)
#else
#define MEMORY_PROGRAM (4 * MIB)
#endif
#define MEMORY_DEFAULT (MEMORY_PROGRAM + 26 * MIB)
#define MEMORY_MINIMUM (MEMORY_PROGRAM + 10 * MIB)

enum memory_use {
	MEMORY_TRANSFERS,	/* bodies, from the moment that they are asked for until they are unpacked */
	MEMORY_UNPACKED,	/* objects that are being unpacked, verified, handed to those who wait and written to the cache */
	MEMORY_CATALOGS,	/* catalogs that were entered; beyond the limit they are in files of their own */
	MEMORY_KEPT,		/* objects and extents for the next read, where the cache does not take them or is not trusted */
	MEMORY_READS,		/* answers that are put together in memory, for the same reasons */
	MEMORY_USES
};

struct memory {
	uint64_t bound;		/* bytes */
	uint64_t limits[MEMORY_USES];
	atomic_ullong used[MEMORY_USES];
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* bound: at least MEMORY_MINIMUM; 0: MEMORY_DEFAULT. */
void memory_init(struct memory *m, uint64_t bound);
void memory_done(struct memory *m);

/* m NULL, here and below: there is no bound. */
uint64_t memory_limit(const struct memory *m, enum memory_use use);
/* Of all uses. */
uint64_t memory_used(struct memory *m);
/* Of the whole program, bytes; 0 where /proc is not there. */
uint64_t memory_resident(void);
/* Whether memory_take would. */
bool memory_fits(struct memory *m, enum memory_use use, uint64_t size, unsigned percent);
/* Within percent of the use's limit, or as its only piece. False: not now. */
bool memory_take(struct memory *m, enum memory_use use, uint64_t size, unsigned percent);
/* Waits until it is there. For uses whose memory is never held while something is waited for. */
void memory_take_waiting(struct memory *m, enum memory_use use, uint64_t size);
/* Also beyond the limit: what cannot be refused. */
void memory_add(struct memory *m, enum memory_use use, uint64_t size);
void memory_give(struct memory *m, enum memory_use use, uint64_t size);

#endif
