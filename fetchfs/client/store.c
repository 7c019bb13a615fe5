/* SPDX-License-Identifier: MIT */
/*
 * Objects under way, the workers that unpack them, and the watch that ends waiting; see store.h. The life of an object here: asked for
 * (in the table, its request with the transport), arrived (in the workers' queue), unpacked (waiters are served, a pack goes to the cache), gone.
 * Whoever asks while it is in the table joins.
 */
#include "fetchfs/client/store.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/sandbox.h"
#include "fetchfs/client/thread.h"
#include "fetchfs/format/object.h"

#include <fcntl.h>

#define BUCKETS 256
#define MAX_WORKERS 8
#define MAX_PREFETCH 16
#define MEMORY_PAUSE_US 200000
#define WATCH_NS (NS_PER_SECOND / 2)
#define MAX_LAPSES 16
#define LAPSE_NS (NS_PER_SECOND / 4)
#define ANSWER_NS (NS_PER_SECOND / 10)

struct wanted {
	struct wanted *next;		/* in the bucket */
	struct wanted *next_job;	/* in the workers' queue */
	struct store *store;
	struct store_object object;
	struct transport_request request;
	struct store_waiter *waiters;
	unsigned demands;		/* waiters that are not in the background */
	bool prefetch;			/* there was none so far */
	bool demanded;			/* there was one from the beginning */
};

/* A wait that the time limit ended. */
struct lapse {
	struct digest digest;
	int process;
	int64_t when;
};

struct store {
	struct transport *transport;
	struct cache *cache;
	struct stats *stats;
	struct memory *memory;
	int64_t timeout;

	pthread_mutex_t lock;
	pthread_cond_t jobs_changed, watch_changed;
	struct wanted *buckets[BUCKETS];
	struct wanted *first_job, *last_job;
	unsigned waiting, prefetching, demanded;
	struct lapse lapses[MAX_LAPSES];
	unsigned lapse_count;
	bool stop;

	pthread_t workers[MAX_WORKERS], watch;
	unsigned worker_count;
	bool watching;
};

static struct wanted **bucket_of(struct store *s, const struct digest *d)
{
	return &s->buckets[d->bytes[0] % BUCKETS];
}

static struct wanted *find_wanted(struct store *s, const struct digest *d)
{
	struct wanted *w = *bucket_of(s, d);

	while (w && !digest_equal(&w->object.digest, d))
		w = w->next;
	return w;
}

static void forget_wanted(struct store *s, struct wanted *w)
{
	struct wanted **link = bucket_of(s, &w->object.digest);

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	if (w->prefetch)
		s->prefetching--;
	if (w->demanded)
		s->demanded--;
}

/* lock held. Takes all waiters off, oldest first. */
static struct store_waiter *take_waiters(struct store *s, struct wanted *w)
{
	struct store_waiter *list = w->waiters, *turned = NULL;

	w->waiters = NULL;
	w->demands = 0;
	while (list) {
		struct store_waiter *next = list->next;
		list->next = turned;
		turned = list;
		list = next;
		s->waiting--;
	}
	return turned;
}

static void serve(struct store_waiter *list, errint_t r, const void *data, size_t size)
{
	while (list) {
		struct store_waiter *next = list->next;
		list->ready(list, r, data, size);
		list = next;
	}
}

/* Serves those who wait, also those who come while it does. True: nobody does, and the object has left the table. */
static void serve_all(struct store *s, struct wanted *w, errint_t r, const void *data, size_t size, bool last)
{
	for (;;) {
		struct store_waiter *list;
		pthread_mutex_lock(&s->lock);
		list = take_waiters(s, w);
		if (!list && last)
			forget_wanted(s, w);
		pthread_mutex_unlock(&s->lock);
		if (!list)
			return;
		serve(list, r, data, size);
	}
}

static void dispose_wanted(struct wanted *w)
{
	transport_finish(w->store->transport, &w->request);
	free(w);
}

/* Memory may be short for a moment; an error would go to a program that cannot know. */
static errint_t unpack(struct store *s, struct wanted *w, void **ret_data)
{
	for (;;) {
		errint_t r = object_unpack(&w->object.digest, w->request.data, w->request.size, w->object.size, ret_data);
		bool stop;
		pthread_mutex_lock(&s->lock);
		stop = s->stop;
		pthread_mutex_unlock(&s->lock);
		if (r != -ENOMEM || stop)
			return r;
		usleep(MEMORY_PAUSE_US);
	}
}

/* The last one who waited had left when the request was given up, and another one came. */
static bool asked_again(struct store *s, struct wanted *w)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = w->demands && !s->stop;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static void process(struct store *s, struct wanted *w)
{
	void *data = NULL;
	errint_t r = w->request.result;

	if (r < 0 && r != -ECANCELED && asked_again(s, w)) {
		transport_finish(s->transport, &w->request);
		w->request.background = false;
		transport_submit(s->transport, &w->request);
		return;
	}
	if (r == 0) {
		r = unpack(s, w, &data);
		if (r == -EBADMSG) {
			transport_again(s->transport, &w->request, "altered or damaged (wrong digest)");
			return;
		}
	}
	if (r == 0) {
		stats_add(s->stats, objects, 1);
		if (w->prefetch)
			stats_add(s->stats, prefetched, 1);
		/* Those who wait need not wait for the disk too. Where the cache does not take it they have it from memory. */
		serve_all(s, w, 0, data, w->object.size, false);
		if (w->object.is_pack && !cache_has(s->cache, &w->object.digest))
			(void)cache_put(s->cache, &w->object.digest, data, w->object.size, NULL);
	}
	serve_all(s, w, r, data, data ? w->object.size : 0, true);
	free(data);
	dispose_wanted(w);
}

/* lock held. What the next job takes of the memory for unpacked objects; a failed one nothing. */
static uint64_t memory_need(const struct wanted *w)
{
	return w->request.result == 0 ? w->object.size : 0;
}

static void *work(void *context)
{
	struct store *s = context;
	uint64_t need;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct wanted *w = s->first_job;
		/* Whoever has the memory gives it back, and says so. */
		if (!w || !memory_take(s->memory, MEMORY_UNPACKED, need = memory_need(w), 100)) {
			if (!w && s->stop)
				break;
			pthread_cond_wait(&s->jobs_changed, &s->lock);
			continue;
		}
		s->first_job = w->next_job;
		if (!s->first_job)
			s->last_job = NULL;
		pthread_mutex_unlock(&s->lock);
		process(s, w);
		memory_give(s->memory, MEMORY_UNPACKED, need);
		pthread_mutex_lock(&s->lock);
		pthread_cond_broadcast(&s->jobs_changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* In the transport's thread: only passes it on. */
static void arrived(struct transport_request *r)
{
	struct wanted *w = r->context;
	struct store *s = w->store;

	pthread_mutex_lock(&s->lock);
	w->next_job = NULL;
	if (s->last_job)
		s->last_job->next_job = w;
	else
		s->first_job = w;
	s->last_job = w;
	pthread_cond_signal(&s->jobs_changed);
	pthread_mutex_unlock(&s->lock);
}

/* Downloads go on failing only for those who wait. */
static bool still_wanted(struct transport_request *r)
{
	struct wanted *w = r->context;
	bool yes;

	pthread_mutex_lock(&w->store->lock);
	yes = w->demands && !w->store->stop;
	pthread_mutex_unlock(&w->store->lock);
	return yes;
}

static struct wanted *new_wanted(struct store *s, const struct store_object *o)
{
	struct wanted *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->store = s;
	w->object = *o;
	object_path(&o->digest, w->request.path);
	w->request.min_size = w->request.max_size = o->stored_size;
	w->request.mirror = -1;
	w->request.done = arrived;
	w->request.wanted = still_wanted;
	w->request.context = w;
	return w;
}

/* lock held */
static void add_waiter(struct store *s, struct wanted *w, struct store_waiter *waiter)
{
	if (!waiter->since)
		waiter->since = clock_now();
	waiter->next = w->waiters;
	w->waiters = waiter;
	if (s->waiting++ == 0)
		pthread_cond_signal(&s->watch_changed);
	if (waiter->background)
		return;
	w->demands++;
	if (w->prefetch) {
		w->prefetch = false;
		s->prefetching--;
	}
}

/* lock held. NULL: no memory, or too much in the background. */
static struct wanted *add_wanted(struct store *s, const struct store_object *o, bool background)
{
	struct wanted **bucket = bucket_of(s, &o->digest), *w;

	if (background && s->prefetching >= MAX_PREFETCH)
		return NULL;
	w = new_wanted(s, o);
	if (!w)
		return NULL;
	w->prefetch = w->request.background = background;
	w->demanded = !background;
	if (background)
		s->prefetching++;
	else
		s->demanded++;
	w->next = *bucket;
	*bucket = w;
	return w;
}

/* lock held. When a read of several pages fails, the kernel asks for the first page alone again, and the reader's time is over already. */
static bool has_lapsed(const struct store *s, const struct digest *d, const struct store_waiter *waiter)
{
	for (unsigned i = 0; i < MIN(s->lapse_count, MAX_LAPSES); i++) {
		const struct lapse *l = &s->lapses[i];
		if (l->process && l->process == waiter->process && digest_equal(&l->digest, d) && clock_now() - l->when < LAPSE_NS)
			return true;
	}
	return false;
}

errint_t store_fetch(struct store *s, const struct store_object *o, struct store_waiter *waiter)
{
	struct wanted *w, *fresh = NULL;
	errint_t r = 0;

	if (!waiter->background)
		stats_add(s->stats, waits, 1);
	pthread_mutex_lock(&s->lock);
	w = find_wanted(s, &o->digest);
	if (s->stop)
		r = -ECANCELED;
	else if (has_lapsed(s, &o->digest, waiter))
		r = -ETIMEDOUT;
	else if (!w && waiter->is_there && waiter->is_there(waiter, o))
		r = -EALREADY;
	else if (!w && !(w = fresh = add_wanted(s, o, waiter->background)))
		r = waiter->background ? -EBUSY : -ENOMEM;
	if (r == 0) {
		/* With the lock held, so that the request cannot end in between. */
		if (w->demands == 0 && !waiter->background && !fresh)
			transport_promote(s->transport, &w->request);
		add_waiter(s, w, waiter);
	}
	pthread_mutex_unlock(&s->lock);
	if (r == -EALREADY)
		return r;
	if (r < 0)
		waiter->ready(waiter, r, NULL, 0);
	else if (fresh)
		transport_submit(s->transport, &fresh->request);
	return 0;
}

bool store_is_demanded(struct store *s, bool (*is_ours)(void *context, const struct digest *d), void *context)
{
	bool yes = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < BUCKETS && !yes && s->demanded > 0; i++)
		for (const struct wanted *w = s->buckets[i]; w && !yes; w = w->next)
			yes = w->demanded && !is_ours(context, &w->object.digest);
	pthread_mutex_unlock(&s->lock);
	return yes;
}

bool store_is_under_way(struct store *s, const struct digest *d)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = find_wanted(s, d);
	pthread_mutex_unlock(&s->lock);
	return yes;
}

void store_prefetch(struct store *s, const struct store_object *o)
{
	struct wanted *w = NULL;

	pthread_mutex_lock(&s->lock);
	if (!s->stop && !find_wanted(s, &o->digest) && !cache_has(s->cache, &o->digest))
		w = add_wanted(s, o, true);
	pthread_mutex_unlock(&s->lock);
	if (w)
		transport_submit(s->transport, &w->request);
}

/* "SigPnd:" of a thread has SIGKILL: it is being killed, and waits for us only. */
static bool is_being_killed(int process)
{
	char path[48], text[4096], *line;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/status", process);
	fd = sandbox_open_proc(path);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	line = strstr(text, "\nSigPnd:");
	return line && strtoull(line + 8, NULL, 16) & (UINT64_C(1) << (SIGKILL - 1));
}

/* lock held */
static void note_lapse(struct store *s, const struct wanted *w, const struct store_waiter *i)
{
	s->lapses[s->lapse_count++ % MAX_LAPSES] = (struct lapse){ .digest = w->object.digest, .process = i->process, .when = clock_now() };
}

/* lock held. Those whose time is over or who are being killed leave; *list collects them. *next: when the time of the first of the others is over. */
static void collect_ended(struct store *s, struct wanted *w, struct store_waiter **list, int64_t *next)
{
	struct store_waiter **link = &w->waiters, *i;
	int64_t now = clock_now();

	while ((i = *link)) {
		errint_t r = 0;
		if (s->timeout && now - i->since >= s->timeout)
			r = -ETIMEDOUT;
		else if (i->process && now - i->since > WATCH_NS && is_being_killed(i->process))
			r = -EINTR;
		if (r == 0) {
			if (s->timeout)
				*next = MIN(*next, i->since + s->timeout);
			link = &i->next;
			continue;
		}
		*link = i->next;
		s->waiting--;
		w->demands -= !i->background;
		i->reason = r;
		if (r == -ETIMEDOUT)
			note_lapse(s, w, i);
		i->next = *list;
		*list = i;
	}
}

static void *watch(void *context)
{
	struct store *s = context;
	int64_t next = INT64_MAX;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct store_waiter *ended = NULL;
		if (s->waiting == 0)
			pthread_cond_wait(&s->watch_changed, &s->lock);
		else
			clock_cond_wait_until(&s->watch_changed, &s->lock, MIN(next, clock_now() + WATCH_NS));
		next = INT64_MAX;
		for (unsigned i = 0; i < BUCKETS && s->waiting > 0; i++)
			for (struct wanted *w = s->buckets[i]; w; w = w->next)
				collect_ended(s, w, &ended, &next);
		pthread_mutex_unlock(&s->lock);
		while (ended) {
			struct store_waiter *after = ended->next;
			stats_add(s->stats, wait_errors, 1);
			ended->since = 0;
			ended->ready(ended, ended->reason, NULL, 0);
			ended = after;
		}
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

errint_t store_open(const struct store_config *config, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned workers = config->workers ? config->workers : (unsigned)MAX(processors, 2);
	errint_t r;

	if (!s)
		return -ENOMEM;
	s->transport = config->transport;
	s->cache = config->cache;
	s->stats = config->stats;
	s->memory = config->memory;
	s->timeout = (int64_t)config->timeout * NS_PER_SECOND;
	/* The error shall reach who waits within the time. */
	s->timeout -= MIN(s->timeout / 20, ANSWER_NS);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->jobs_changed, NULL);
	clock_cond_init(&s->watch_changed);
	r = thread_start(&s->watch, watch, s);
	s->watching = r == 0;
	while (r == 0 && s->worker_count < MIN(workers, MAX_WORKERS)) {
		r = thread_start(&s->workers[s->worker_count], work, s);
		if (r == 0)
			s->worker_count++;
	}
	if (r < 0) {
		store_stop(s);
		store_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_stop(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->jobs_changed);
	pthread_cond_broadcast(&s->watch_changed);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->worker_count; i++)
		pthread_join(s->workers[i], NULL);
	s->worker_count = 0;
	if (s->watching)
		pthread_join(s->watch, NULL);
	s->watching = false;
}

void store_free(struct store *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->jobs_changed);
	pthread_cond_destroy(&s->watch_changed);
	free(s);
}

struct now {
	struct store_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	errint_t r;
	void *data;
};

static void now_ready(struct store_waiter *w, errint_t r, const void *data, size_t size)
{
	struct now *n = (struct now *)(void *)w;

	pthread_mutex_lock(&n->lock);
	n->r = r;
	if (r == 0) {
		n->data = malloc(size ? size : 1);
		if (n->data)
			memcpy(n->data, data, size);
		else
			n->r = -ENOMEM;
	}
	n->done = true;
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

/* True where it was taken off in time: ready will not be called. */
static bool withdraw(struct store *s, const struct digest *d, struct store_waiter *waiter, char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct wanted *w;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	w = find_wanted(s, d);
	for (struct store_waiter **link = w ? &w->waiters : NULL; link && *link; link = &(*link)->next) {
		if (*link != waiter)
			continue;
		*link = waiter->next;
		s->waiting--;
		w->demands -= !waiter->background;
		found = true;
		break;
	}
	if (w && ret_error)
		snprintf(ret_error, TRANSPORT_ERROR_SIZE, "%s", w->request.error);
	pthread_mutex_unlock(&s->lock);
	return found;
}

errint_t store_fetch_now(struct store *s, const struct store_object *o, unsigned limit, void **ret, char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct now n = { .waiter = { .ready = now_ready } };
	int64_t until = limit ? clock_now() + limit * NS_PER_SECOND : INT64_MAX;

	pthread_mutex_init(&n.lock, NULL);
	clock_cond_init(&n.changed);
	(void)store_fetch(s, o, &n.waiter);
	pthread_mutex_lock(&n.lock);
	while (!n.done) {
		if (until == INT64_MAX)
			pthread_cond_wait(&n.changed, &n.lock);
		else
			clock_cond_wait_until(&n.changed, &n.lock, until);
		if (n.done || clock_now() < until)
			continue;
		pthread_mutex_unlock(&n.lock);
		if (withdraw(s, &o->digest, &n.waiter, ret_error)) {
			n.r = -ETIMEDOUT;
			n.done = true;
		}
		until = INT64_MAX;
		pthread_mutex_lock(&n.lock);
	}
	pthread_mutex_unlock(&n.lock);
	pthread_mutex_destroy(&n.lock);
	pthread_cond_destroy(&n.changed);
	*ret = n.data;
	return n.r;
}
