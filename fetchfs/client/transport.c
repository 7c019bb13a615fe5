/* SPDX-License-Identifier: MIT */
/*
 * Queues, retries, mirrors and the thread that drives curl; see transport.h. A request is in one place at a time: a queue, the list of
 * delayed ones, a slot, or (answered) with who asked for it.
 */
#include "fetchfs/client/transport_private.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"

#include <limits.h>

#define DEFAULT_PARALLEL 10
#define BACKOFF_FIRST (200 * NS_PER_MS)
#define BACKOFF_MAX (8 * NS_PER_SECOND)
#define MIRROR_BACKOFF_MAX (60 * NS_PER_SECOND)
#define REPORT_FIRST (5 * NS_PER_SECOND)
#define REPORT_MAX (600 * NS_PER_SECOND)
#define POLL_MS 1000

static void queue_push(struct transport_queue *q, struct transport_request *r)
{
	r->next = NULL;
	if (q->last)
		q->last->next = r;
	else
		q->first = r;
	q->last = r;
	r->state = REQUEST_QUEUED;
}

static struct transport_request *queue_pop(struct transport_queue *q)
{
	struct transport_request *r = q->first;

	if (!r)
		return NULL;
	q->first = r->next;
	if (!q->first)
		q->last = NULL;
	r->next = NULL;
	return r;
}

static bool queue_remove(struct transport_queue *q, struct transport_request *r)
{
	struct transport_request *before = NULL;

	for (struct transport_request *i = q->first; i; before = i, i = i->next) {
		if (i != r)
			continue;
		if (before)
			before->next = r->next;
		else
			q->first = r->next;
		if (q->last == r)
			q->last = before;
		return true;
	}
	return false;
}

static uint64_t next_random(struct transport *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

/* base doubled with each step up to max; then anything between half of it and all. */
static int64_t backoff(struct transport *t, int64_t base, unsigned step, int64_t max)
{
	int64_t delay = step < 20 ? MIN(base << step, max) : max;

	return delay / 2 + (int64_t)(next_random(t) % (uint64_t)(delay / 2 + 1));
}

/* The first mirror that is well; of those that are not, the one that may be tried soonest. */
static unsigned choose_mirror(struct transport *t, const struct transport_request *r)
{
	int64_t now = clock_now();
	unsigned best = 0;
	int64_t best_wait = INT64_MAX;

	if (r->mirror >= 0)
		return (unsigned)r->mirror % (unsigned)t->mirror_count;
	for (unsigned i = 0; i < t->mirror_count; i++) {
		int64_t wait = MAX(t->mirrors[i].bad_until - now, 0);
		/* Not the one that has just failed, where there is a choice. */
		if (r->attempts > 0 && i == r->used_mirror && t->mirror_count > 1)
			wait += MIRROR_BACKOFF_MAX;
		if (wait < best_wait) {
			best = i;
			best_wait = wait;
		}
	}
	return best;
}

static void note_fault(struct transport *t, struct transport_request *r)
{
	struct transport_mirror *m = &t->mirrors[r->used_mirror];

	stats_add(t->stats, faults, 1);
	transport_count_fault(t, r);
	m->bad_until = clock_now() + backoff(t, NS_PER_SECOND, m->faults, MIRROR_BACKOFF_MAX);
	if (m->faults < 16)
		m->faults++;
}

static void report_trouble(struct transport *t, const struct transport_request *r)
{
	int64_t now = clock_now();
	char text[TRANSPORT_ERROR_SIZE + 64];

	if (!t->report || r->once || r->background || now < t->next_report)
		return;
	snprintf(text, sizeof(text), "cannot fetch %s; trying again", r->error);
	t->report_interval = t->in_trouble ? MIN(2 * t->report_interval, REPORT_MAX) : REPORT_FIRST;
	t->next_report = now + t->report_interval;
	t->in_trouble = true;
	t->report(t->report_context, true, text);
}

void transport_wake_delayed(struct transport *t)
{
	for (struct transport_request *r = t->delayed; r; r = r->next)
		r->due = 0;
}

/* lock held */
static void note_success(struct transport *t, const struct transport_request *r)
{
	struct transport_mirror *m = &t->mirrors[r->used_mirror];

	if (m->faults > 0)
		transport_wake_delayed(t);
	m->faults = 0;
	m->bad_until = 0;
	transport_count_success(t, r);
	if (!t->in_trouble)
		return;
	t->in_trouble = false;
	t->next_report = 0;
	if (t->report)
		t->report(t->report_context, false, "the server answers again");
}

/* lock held */
static void delay(struct transport *t, struct transport_request *r)
{
	unsigned round;

	r->attempts++;
	/* The other mirrors are asked at once; only when all have failed it is time to wait. */
	round = r->mirror >= 0 ? r->attempts : r->attempts / (unsigned)t->mirror_count;
	r->due = r->mirror < 0 && r->attempts % t->mirror_count ? 0 : clock_now() + backoff(t, BACKOFF_FIRST, round - 1, BACKOFF_MAX);
	r->state = REQUEST_DELAYED;
	r->next = t->delayed;
	t->delayed = r;
}

/* lock held, and released while who asked is told */
static void deliver(struct transport *t, struct transport_request *r)
{
	r->state = REQUEST_ANSWERED;
	pthread_mutex_unlock(&t->lock);
	r->done(r);
	pthread_mutex_lock(&t->lock);
}

/* lock held, and released in between. An attempt failed: again, or the end. */
static void failed(struct transport *t, struct transport_request *r)
{
	bool again = true;

	note_fault(t, r);
	report_trouble(t, r);
	if (!r->once && r->wanted && !t->stop) {
		/* Who asked has locks of its own. */
		pthread_mutex_unlock(&t->lock);
		again = r->wanted(r);
		pthread_mutex_lock(&t->lock);
	}
	if (r->once || t->stop || !again) {
		deliver(t, r);
		return;
	}
	t->in_flight--;
	delay(t, r);
}

/* lock held. Moves what is due to the queues; returns when the next one is. */
static int64_t take_due(struct transport *t)
{
	int64_t now = clock_now(), next = INT64_MAX;
	struct transport_request **link = &t->delayed;

	while (*link) {
		struct transport_request *r = *link;
		if (r->due > now) {
			next = MIN(next, r->due);
			link = &r->next;
			continue;
		}
		*link = r->next;
		queue_push(r->background ? &t->background : &t->demand, r);
	}
	return next;
}

static struct transport_slot *free_slot(struct transport *t)
{
	for (unsigned i = 0; i < t->parallel; i++)
		if (!t->slots[i].request)
			return &t->slots[i];
	return NULL;
}

/* Some stay free for requests that somebody waits for, unless there are few. */
static bool has_slot_for_background(const struct transport *t)
{
	unsigned idle = 0;

	for (unsigned i = 0; i < t->parallel; i++)
		idle += !t->slots[i].request;
	return idle > MIN(2, t->parallel - 1);
}

/* lock held. Background requests leave room for those that somebody waits for. */
static void start_requests(struct transport *t)
{
	while (t->in_flight < 2 * t->parallel) {
		struct transport_slot *s = free_slot(t);
		struct transport_request *r;
		if (!s)
			return;
		r = queue_pop(&t->demand);
		if (!r && t->in_flight + 2 < 2 * t->parallel && has_slot_for_background(t))
			r = queue_pop(&t->background);
		if (!r)
			return;
		r->used_mirror = choose_mirror(t, r);
		r->state = REQUEST_SENT;
		t->in_flight++;
		if (transport_curl_start(t, s, r) < 0) {
			r->result = -ENOMEM;
			snprintf(r->error, sizeof(r->error), "%s: out of memory", r->path);
			failed(t, r);
		}
	}
}

static void take_results(struct transport *t)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(t->multi, &left))) {
		struct transport_slot *s;
		struct transport_request *r;
		char *private = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		s = (struct transport_slot *)(void *)private;
		r = s->request;
		transport_curl_end(t, s, code);
		pthread_mutex_lock(&t->lock);
		if (r->result < 0)
			failed(t, r);
		else {
			note_success(t, r);
			deliver(t, r);
		}
		pthread_mutex_unlock(&t->lock);
	}
}

static void *run(void *context)
{
	struct transport *t = context;

	for (;;) {
		int64_t next;
		int timeout = POLL_MS, running = 0;
		pthread_mutex_lock(&t->lock);
		if (t->stop) {
			pthread_mutex_unlock(&t->lock);
			return NULL;
		}
		next = take_due(t);
		start_requests(t);
		pthread_mutex_unlock(&t->lock);
		if (next != INT64_MAX)
			timeout = (int)MIN(MAX((next - clock_now()) / NS_PER_MS + 1, 1), POLL_MS);
		curl_multi_perform(t->multi, &running);
		take_results(t);
		/* Results may have freed slots that others wait for. */
		pthread_mutex_lock(&t->lock);
		bool more = t->demand.first && free_slot(t) && t->in_flight < 2 * t->parallel;
		pthread_mutex_unlock(&t->lock);
		if (!more)
			curl_multi_poll(t->multi, NULL, 0, timeout, NULL);
	}
}

static errint_t add_mirror(struct transport *t, const char *url)
{
	struct transport_mirror *m = &t->mirrors[t->mirror_count];

	if (t->mirror_count == TRANSPORT_MAX_MIRRORS)
		return -E2BIG;
	if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		m->is_http = true;
		m->url = strdup(url);
	} else if (strncmp(url, "file://", 7) == 0) {
		m->url = strdup(url);
	} else if (strstr(url, "://")) {
		return -EINVAL;
	} else {
		_cleanup_free_ char *path = realpath(url, NULL);
		_cleanup_free_ char *escaped = NULL;
		if (!path)
			return -errno;
		/* The characters that mean something in a URL. */
		escaped = malloc(3 * strlen(path) + 1);
		if (!escaped)
			return -ENOMEM;
		char *to = escaped;
		for (const char *p = path; *p; p++) {
			if (strchr("%?# ", *p) || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
				to += sprintf(to, "%%%02X", (unsigned)(unsigned char)*p);
			else
				*to++ = *p;
		}
		*to = '\0';
		m->url = io_format("file://%s", escaped);
	}
	if (!m->url)
		return -ENOMEM;
	for (size_t n = strlen(m->url); n > 8 && m->url[n - 1] == '/'; n--)
		m->url[n - 1] = '\0';
	t->mirror_count++;
	return 0;
}

static void dispose(struct transport *t)
{
	transport_curl_done(t);
	for (size_t i = 0; i < t->mirror_count; i++)
		free(t->mirrors[i].url);
	pthread_mutex_destroy(&t->lock);
	free(t->proxy);
	free(t->ca_file);
	free(t);
}

errint_t transport_open(const struct transport_config *config, struct transport **ret)
{
	struct transport *t = calloc(1, sizeof(*t));
	errint_t r = 0;

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->parallel = config->parallel ? config->parallel : DEFAULT_PARALLEL;
	t->self_contained = config->self_contained;
	t->report = config->report;
	t->report_context = config->report_context;
	t->stats = config->stats;
	t->random = (uint64_t)clock_now() * 2654435761u | 1;
	t->proxy = config->proxy ? strdup(config->proxy) : NULL;
	t->ca_file = config->ca_file ? strdup(config->ca_file) : NULL;
	if ((config->proxy && !t->proxy) || (config->ca_file && !t->ca_file))
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->url_count; i++)
		r = add_mirror(t, config->urls[i]);
	if (r == 0)
		r = t->mirror_count ? transport_curl_init(t) : -EINVAL;
	if (r == 0)
		r = thread_start(&t->thread, run, t);
	if (r < 0) {
		dispose(t);
		return r;
	}
	*ret = t;
	return 0;
}

static void cancel(struct transport *t, struct transport_request *r)
{
	r->result = -ECANCELED;
	snprintf(r->error, sizeof(r->error), "%s: the transport ends", r->path);
	pthread_mutex_lock(&t->lock);
	deliver(t, r);
	pthread_mutex_unlock(&t->lock);
}

void transport_stop(struct transport *t)
{
	struct transport_request *r;

	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
	pthread_join(t->thread, NULL);
	for (unsigned i = 0; i < t->parallel; i++) {
		r = t->slots[i].request;
		if (!r)
			continue;
		curl_multi_remove_handle(t->multi, t->slots[i].curl);
		t->slots[i].request = NULL;
		cancel(t, r);
	}
	for (;;) {
		pthread_mutex_lock(&t->lock);
		r = queue_pop(&t->demand);
		if (!r)
			r = queue_pop(&t->background);
		if (!r && (r = t->delayed))
			t->delayed = r->next;
		pthread_mutex_unlock(&t->lock);
		if (!r)
			break;
		cancel(t, r);
	}
}

void transport_free(struct transport *t)
{
	dispose(t);
}

void transport_submit(struct transport *t, struct transport_request *r)
{
	bool stop;

	r->attempts = 0;
	r->fresh = false;
	r->data = NULL;
	r->room = r->size = 0;
	pthread_mutex_lock(&t->lock);
	stop = t->stop;
	if (!stop)
		queue_push(r->background ? &t->background : &t->demand, r);
	pthread_mutex_unlock(&t->lock);
	if (stop)
		cancel(t, r);
	else
		curl_multi_wakeup(t->multi);
}

void transport_finish(struct transport *t, struct transport_request *r)
{
	free(r->data);
	r->data = NULL;
	pthread_mutex_lock(&t->lock);
	if (t->in_flight > 0)
		t->in_flight--;
	bool waiting = t->demand.first || t->background.first;
	pthread_mutex_unlock(&t->lock);
	if (waiting)
		curl_multi_wakeup(t->multi);
}

void transport_again(struct transport *t, struct transport_request *r, const char *why)
{
	r->result = -EBADMSG;
	snprintf(r->error, sizeof(r->error), "%.180s/%.80s: %.50s", t->mirrors[r->used_mirror].url, r->path, why);
	stats_add(t->stats, bad_objects, 1);
	r->fresh = true;
	pthread_mutex_lock(&t->lock);
	failed(t, r);
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

void transport_promote(struct transport *t, struct transport_request *r)
{
	pthread_mutex_lock(&t->lock);
	if (r->background && r->state == REQUEST_QUEUED && queue_remove(&t->background, r))
		queue_push(&t->demand, r);
	r->background = false;
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

size_t transport_mirrors(const struct transport *t)
{
	return t->mirror_count;
}

const char *transport_url(const struct transport *t, size_t mirror)
{
	return t->mirrors[mirror].url;
}
