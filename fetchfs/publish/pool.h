/* SPDX-License-Identifier: MIT */
/*
 * Worker threads that run jobs in the order in which they were submitted, and one lock with one condition for whoever waits for a job.
 * Knows nothing of what a job does; how many may wait is the submitter's affair.
 */
#ifndef SPORE_FETCHFS_PUBLISH_POOL_H
#define SPORE_FETCHFS_PUBLISH_POOL_H

#include "common/base.h"

struct pool;

struct pool_job {
	struct pool_job *next;		/* the pool's */
	void (*run)(struct pool_job *job);
	bool done;			/* read it by pool_wait or pool_is_done */
};

/* Without threads (0) jobs run within pool_submit. */
errint_t pool_new(unsigned threads, struct pool **ret);
void pool_submit(struct pool *p, struct pool_job *job);
/* Until this job has run. */
void pool_wait(struct pool *p, struct pool_job *job);
bool pool_is_done(struct pool *p, struct pool_job *job);
/* Runs what is queued, then ends the threads. NULL is fine. */
void pool_free(struct pool *p);

#endif
