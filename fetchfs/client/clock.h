/* SPDX-License-Identifier: MIT */
/* Time for waiting: nanoseconds that never go back, and the conditions that wait for them. Knows no calendar. */
#ifndef SPORE_FETCHFS_CLIENT_CLOCK_H
#define SPORE_FETCHFS_CLIENT_CLOCK_H

#include "common/base.h"

#include <pthread.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static inline int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

/* A condition whose timed waits count by clock_now. */
static inline void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* Waits at the longest until then (of clock_now). */
static inline void clock_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t then)
{
	struct timespec t = { .tv_sec = (time_t)(then / NS_PER_SECOND), .tv_nsec = (long)(then % NS_PER_SECOND) };

	pthread_cond_timedwait(cond, lock, &t);
}

#endif
