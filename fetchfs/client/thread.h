/* SPDX-License-Identifier: MIT */
/* Starting threads the way this program wants them: small stacks, and no signals (they are the main thread's affair). */
#ifndef SPORE_FETCHFS_CLIENT_THREAD_H
#define SPORE_FETCHFS_CLIENT_THREAD_H

#include "common/base.h"

#include <pthread.h>
#include <signal.h>

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
