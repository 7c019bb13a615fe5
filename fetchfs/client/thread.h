/* SPDX-License-Identifier: MIT */
/* Starting threads the way this program wants them: small stacks, and no signals (they are the main thread's affair). And an order that only the kernel knows. */
#ifndef SPORE_FETCHFS_CLIENT_THREAD_H
#define SPORE_FETCHFS_CLIENT_THREAD_H

#include "common/base.h"

#include <pthread.h>
#include <signal.h>

/*
 * An answer to the kernel comes before the request that it makes possible, which another thread may take: a release comes when all reads have been answered. Builds with
 * ThreadSanitizer are told so, since it cannot see it; what: the same object before the answer and at the request.
 */
#if defined(__SANITIZE_THREAD__)
void __tsan_release(void *what);
void __tsan_acquire(void *what);
#define order_answer(what) __tsan_release(what)
#define order_request(what) __tsan_acquire(what)
#else
#define order_answer(what) ((void)(what))
#define order_request(what) ((void)(what))
#endif

#define THREAD_STACK_SIZE ((size_t)(512 * KIB))

static inline errint_t thread_start(pthread_t *ret, void *(*run)(void *), void *context)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(ret, &attributes, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

#endif
