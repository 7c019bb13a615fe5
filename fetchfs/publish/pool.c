/* SPDX-License-Identifier: MIT */
/* Worker threads; see pool.h. */
#include "fetchfs/publish/pool.h"

#include <pthread.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct pool_job *first, **last;
	bool ending;
	unsigned count;
	pthread_t threads[];
};

static void *worker(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_job *job = p->first;
		if (!job && p->ending)
			break;
		if (!job) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->first = job->next;
		if (!p->first)
			p->last = &p->first;
		pthread_mutex_unlock(&p->lock);
		job->run(job);
		pthread_mutex_lock(&p->lock);
		job->done = true;
		pthread_cond_broadcast(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

errint_t pool_new(unsigned threads, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p) + threads * sizeof(pthread_t));

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	p->last = &p->first;
	for (; p->count < threads; p->count++) {
		int r = pthread_create(&p->threads[p->count], NULL, worker, p);
		if (r != 0) {
			pool_free(p);
			return -r;
		}
	}
	*ret = p;
	return 0;
}

void pool_submit(struct pool *p, struct pool_job *job)
{
	job->next = NULL;
	job->done = false;
	if (p->count == 0) {
		job->run(job);
		job->done = true;
		return;
	}
	pthread_mutex_lock(&p->lock);
	*p->last = job;
	p->last = &job->next;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void pool_wait(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	while (!job->done)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

bool pool_is_done(struct pool *p, struct pool_job *job)
{
	bool done;

	pthread_mutex_lock(&p->lock);
	done = job->done;
	pthread_mutex_unlock(&p->lock);
	return done;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
