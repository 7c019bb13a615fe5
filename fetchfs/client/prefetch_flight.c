/* SPDX-License-Identifier: MIT */
/*
 * Having objects fetched, in the background, side by side; see prefetch_private.h. As many as half a second brings, by what came so far, so that
 * whoever waits for something else has little before it: two at least, and one while somebody does. Nothing is known at the start: then it is six, since over a
 * distance the first bytes take longest.
 */
#include "fetchfs/client/prefetch_private.h"
#include "fetchfs/client/clock.h"

#define MIN_FLIGHTS 2
#define FIRST_FLIGHTS 6
#define MAX_ATTEMPTS 3
#define MAX_FAILURES 3
#define RETRY_FIRST (2 * NS_PER_SECOND)
#define BUSY_PAUSE (100 * NS_PER_MS)	/* the background is full */
#define YIELD_PAUSE (50 * NS_PER_MS)

/* lock held. One more object in flight is not too much. */
static bool has_room(struct prefetch *p, bool demanded)
{
	int64_t elapsed = clock_now() - p->begun;

	if (p->under_way < (p->bytes_done ? MIN_FLIGHTS : FIRST_FLIGHTS))
		return p->under_way == 0 || !demanded;
	if (demanded || p->under_way == PREFETCH_MAX_FLIGHTS || elapsed <= 0)
		return false;
	return (double)p->bytes_under_way * (double)elapsed < (double)p->bytes_done * (double)(NS_PER_SECOND / 2);
}

static struct prefetch_flight *find_flight(struct prefetch *p, int state)
{
	for (unsigned i = 0; i < PREFETCH_MAX_FLIGHTS; i++)
		if ((int)p->flights[i].state == state)
			return &p->flights[i];
	return NULL;
}

/* lock held. The flight is over, well or not. */
static void land(struct prefetch *p, struct prefetch_flight *f)
{
	p->under_way--;
	p->bytes_under_way -= f->object.stored_size;
	f->state = FLIGHT_FREE;
	pthread_cond_signal(&p->changed);
}

static void keep_catalog(struct prefetch *p, const struct store_object *o, const void *data, size_t size)
{
	if (!cache_has_catalog(p->config.cache, &o->digest))
		(void)cache_put_catalog(p->config.cache, &o->digest, data, size, NULL);
}

/* Packs go into the cache without us. */
static void keep(struct prefetch *p, struct prefetch_flight *f, const void *data, size_t size)
{
	if (f->kind == PROFILE_LIST_CATALOG)
		keep_catalog(p, &f->object, data, size);
	else if (f->file)
		files_take_ahead(p->config.files, f->file, f->extent, data, size);
	else if (f->kind == CATALOG_OBJECT_CHUNK)
		(void)cache_put(p->config.cache, &f->object.digest, data, size, NULL);
}

/* In a thread of the store. */
static void arrived(struct store_waiter *w, errint_t r, const void *data, size_t size)
{
	struct prefetch_flight *f = (struct prefetch_flight *)(void *)w;
	struct prefetch *p = f->prefetch;

	if (r == 0)
		keep(p, f, data, size);
	if (r == 0 || r == -ECANCELED) {
		if (f->file)
			files_release(p->config.files, f->file);
		f->file = NULL;
	}
	pthread_mutex_lock(&p->lock);
	if (r == 0) {
		p->bytes_done += f->object.stored_size;
		p->failures = 0;
		stats_add(p->config.stats, profile_objects, 1);
		stats_add(p->config.stats, profile_bytes, f->object.stored_size);
	}
	if (r == 0 || r == -ECANCELED) {
		land(p, f);
	} else {
		f->result = r;
		f->state = FLIGHT_FAILED;
		pthread_cond_signal(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
}

/* lock held, and released in between: ready may be called at once. */
static void launch(struct prefetch *p, struct prefetch_flight *f)
{
	bool present = false;

	f->state = FLIGHT_UNDER_WAY;
	f->waiter = (struct store_waiter){ .ready = arrived, .background = true };

	pthread_mutex_unlock(&p->lock);
	/* Somebody else may have had it fetched since it was looked for. */
	if (store_fetch(p->config.store, &f->object, &f->waiter) == -EALREADY)
		present = true;
	pthread_mutex_lock(&p->lock);
	if (present)
		land(p, f);
}

/* lock held, and released in between. Failed ones are tried again after a while, or given up. */
static void settle(struct prefetch *p, struct prefetch_flight *f)
{
	struct file *file;

	if (f->result == -EBUSY || ++f->attempts < MAX_ATTEMPTS) {
		f->due = clock_now() + (f->result == -EBUSY ? BUSY_PAUSE : RETRY_FIRST << (2 * (f->attempts - 1)));
		f->state = FLIGHT_DELAYED;
		return;
	}
	file = f->file;
	f->file = NULL;
	p->failures++;
	land(p, f);
	pthread_mutex_unlock(&p->lock);
	if (file)
		files_release(p->config.files, file);
	pthread_mutex_lock(&p->lock);
}

/* lock held, and released in between. When the next delayed one is due, INT64_MAX: none. */
static int64_t tend(struct prefetch *p)
{
	int64_t next = INT64_MAX;
	struct prefetch_flight *f;

	while ((f = find_flight(p, FLIGHT_FAILED)))
		settle(p, f);
	for (unsigned i = 0; i < PREFETCH_MAX_FLIGHTS; i++) {
		f = &p->flights[i];
		if (f->state == FLIGHT_DELAYED && f->due <= clock_now() && !p->stop)
			launch(p, f);
		if (f->state == FLIGHT_DELAYED)
			next = MIN(next, f->due);
	}
	return next;
}

/* lock held, and released in between */
static void wait_until(struct prefetch *p, int64_t then)
{
	if (then == INT64_MAX)
		pthread_cond_wait(&p->changed, &p->lock);
	else
		clock_cond_wait_until(&p->changed, &p->lock, then);
}

static int compare_listed(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

errint_t prefetch_expect(struct prefetch *p, const struct profile_list *l)
{
	struct profile_list_object o;

	free(p->listed);
	p->listed = calloc((size_t)l->count + 1, sizeof(*p->listed));
	p->listed_count = p->listed ? l->count : 0;
	for (uint32_t i = 0; i < p->listed_count && profile_list_get(l, i, &o); i++)
		p->listed[i] = le64_get(o.digest.bytes);
	if (p->listed)
		qsort(p->listed, p->listed_count, sizeof(*p->listed), compare_listed);
	return p->listed ? 0 : -ENOMEM;
}

/* Who reads faster than we fetch wants what we would fetch next: no reason to hold back. */
static bool is_listed(void *context, const struct digest *d)
{
	const struct prefetch *p = context;
	uint64_t key = le64_get(d->bytes);

	return bsearch(&key, p->listed, p->listed_count, sizeof(*p->listed), compare_listed);
}

errint_t prefetch_wait_turn(struct prefetch *p, uint64_t bytes)
{
	errint_t r = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		int64_t next = tend(p), now = clock_now();
		bool demanded = store_is_demanded(p->config.store, is_listed, p);
		if (p->stop || p->failures >= MAX_FAILURES) {
			r = p->stop ? -ECANCELED : -EIO;
			break;
		}
		if (now >= p->next_start && has_room(p, demanded))
			break;
		if (demanded)
			next = MIN(next, now + YIELD_PAUSE);
		else if (now < p->next_start)
			next = MIN(next, p->next_start);
		if (find_flight(p, FLIGHT_FAILED))
			continue;
		wait_until(p, next);
	}
	if (r == 0 && p->begun == 0)
		p->begun = clock_now();
	if (r == 0 && p->config.rate)
		p->next_start = MAX(p->next_start, clock_now()) + (int64_t)((double)bytes / (double)p->config.rate * (double)NS_PER_SECOND);
	pthread_mutex_unlock(&p->lock);
	return r;
}

void prefetch_launch(struct prefetch *p, const struct store_object *o, uint32_t kind, struct file *file, uint32_t extent)
{
	struct prefetch_flight *f;

	pthread_mutex_lock(&p->lock);
	f = find_flight(p, FLIGHT_FREE);
	*f = (struct prefetch_flight){ .prefetch = p, .object = *o, .kind = kind, .file = file, .extent = extent };
	p->under_way++;
	p->bytes_under_way += o->stored_size;
	launch(p, f);
	pthread_mutex_unlock(&p->lock);
}

errint_t prefetch_wait_all(struct prefetch *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->under_way > 0 && !p->stop) {
		int64_t next = tend(p);
		if (p->under_way > 0 && !p->stop && !find_flight(p, FLIGHT_FAILED))
			wait_until(p, next);
	}
	errint_t r = p->stop ? -ECANCELED : 0;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* One that is waited for in the background queue, so that a fault ends it. */
struct single {
	struct store_waiter waiter;
	struct prefetch *prefetch;
	bool done, abandoned;
	errint_t r;
	void *data;
};

static void single_arrived(struct store_waiter *w, errint_t r, const void *data, size_t size)
{
	struct single *s = (struct single *)(void *)w;
	struct prefetch *p = s->prefetch;
	bool abandoned;

	s->r = r;
	if (r == 0) {
		s->data = malloc(size ? size : 1);
		if (s->data)
			memcpy(s->data, data, size);
		else
			s->r = -ENOMEM;
	}
	pthread_mutex_lock(&p->lock);
	s->done = true;
	abandoned = s->abandoned;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (!abandoned)
		return;
	free(s->data);
	free(s);
}

static errint_t get_once(struct prefetch *p, const struct store_object *o, void **ret)
{
	struct single *s = calloc(1, sizeof(*s));
	bool abandoned;
	errint_t r;

	if (!s)
		return -ENOMEM;
	s->prefetch = p;
	s->waiter = (struct store_waiter){ .ready = single_arrived, .background = true };
	(void)store_fetch(p->config.store, o, &s->waiter);
	pthread_mutex_lock(&p->lock);
	while (!s->done && !p->stop)
		pthread_cond_wait(&p->changed, &p->lock);
	/* Whoever comes later frees it. */
	abandoned = s->abandoned = !s->done;
	pthread_mutex_unlock(&p->lock);
	if (abandoned)
		return -ECANCELED;
	r = s->r;
	*ret = s->data;
	free(s);
	return r;
}

errint_t prefetch_get(struct prefetch *p, const struct store_object *o, void **ret)
{
	errint_t r = 0;

	for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		int64_t due = clock_now() + (RETRY_FIRST << (2 * attempt));
		r = get_once(p, o, ret);
		if (r == 0 || r == -ECANCELED || attempt + 1 == MAX_ATTEMPTS)
			break;
		pthread_mutex_lock(&p->lock);
		while (!p->stop && clock_now() < due)
			clock_cond_wait_until(&p->changed, &p->lock, due);
		pthread_mutex_unlock(&p->lock);
	}
	return r;
}
