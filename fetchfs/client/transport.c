/* SPDX-License-Identifier: MIT */
/*
 * Queues, retries and the thread that drives curl; see transport.h. A request is in one place at a time: a queue, the list of delayed ones,
 * a slot (or two, while they race), or (answered) with who asked for it.
 */
#include "fetchfs/client/transport_private.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"

#include <sodium.h>

#define DEFAULT_PARALLEL 10
#define BACKOFF_FIRST (200 * NS_PER_MS)
#define BACKOFF_MAX (8 * NS_PER_SECOND)
#define REPORT_FIRST (5 * NS_PER_SECOND)
#define REPORT_MAX (600 * NS_PER_SECOND)
#define POLL_MS 1000
/* Of the memory for transfers, percent: the rest is for those that somebody waits for, and for rivals. */
#define MEMORY_DEMAND 80
#define MEMORY_BACKGROUND 60

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

int64_t transport_backoff(struct transport *t, int64_t base, unsigned step, int64_t max)
{
	int64_t delay = step < 20 ? MIN(base << step, max) : max;

	return delay / 2 + (int64_t)(next_random(t) % (uint64_t)(delay / 2 + 1));
}

void transport_note_fault(struct transport *t, const struct transport_route *route, bool by_proxy, int64_t retry_after, const char *error)
{
	stats_add(t->stats, faults, 1);
	if (by_proxy)
		stats_add(t->stats, proxy_faults, 1);
	else
		transport_mirror_failed(t, route->mirror, retry_after, error);
	proxy_failed(&t->proxies, route->proxy, by_proxy, clock_now());
}

/* Mirrors and proxies that a request can be tried at without waiting. */
static unsigned ways_of(const struct transport *t, const struct transport_request *r)
{
	return (unsigned)MAX(r->mirror < 0 ? t->mirror_count : 1, t->proxies.count);
}

/* What another mirror or proxy makes good at once is no news; nor is what comes and goes within seconds told each time. */
static void report_trouble(struct transport *t, const struct transport_request *r)
{
	int64_t now = clock_now();
	char text[TRANSPORT_ERROR_SIZE + 64];

	if (!t->report || r->once || r->background || now < t->next_report || (r->attempts + 1) % ways_of(t, r))
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
static void note_success(struct transport *t, const struct transport_slot *s)
{
	bool was_bad = t->mirrors[s->route.mirror].faults > 0;

	transport_mirror_worked(t, s);
	was_bad |= proxy_worked(&t->proxies, s->route.proxy);
	if (s->route.proxy >= 0) {
		t->proxies.proxies[s->route.proxy].good++;
		t->proxies.proxies[s->route.proxy].bytes += s->size;
	}
	transport_hedge_earn(t);
	if (was_bad)
		transport_wake_delayed(t);
	if (!t->in_trouble)
		return;
	t->in_trouble = false;
	t->next_report = MIN(t->next_report, clock_now() + REPORT_FIRST);
	if (t->report)
		t->report(t->report_context, false, "the server answers again");
}

/* lock held */
static void delay_until(struct transport *t, struct transport_request *r, int64_t due)
{
	r->due = due;
	r->state = REQUEST_DELAYED;
	r->next = t->delayed;
	t->delayed = r;
}

/* lock held */
static void delay(struct transport *t, struct transport_request *r)
{
	unsigned ways = ways_of(t, r);

	/* The other mirrors and proxies are asked at once; only when all have failed it is time to wait. */
	if (++r->attempts % ways)
		delay_until(t, r, 0);
	else
		delay_until(t, r, clock_now() + transport_backoff(t, BACKOFF_FIRST, r->attempts / ways - 1, BACKOFF_MAX));
}

uint64_t transport_memory_need(const struct transport_request *r)
{
	return r->min_size == r->max_size ? r->max_size + TRANSPORT_RECEIVE_BUFFER : 0;
}

/* lock held. It is not in flight any more. */
static void land(struct transport *t, struct transport_request *r)
{
	if (t->in_flight > 0)
		t->in_flight--;
	memory_give(t->memory, MEMORY_TRANSFERS, r->reserved);
	r->reserved = 0;
}

/* lock held, and released while who asked is told */
static void deliver(struct transport *t, struct transport_request *r)
{
	r->state = REQUEST_ANSWERED;
	pthread_mutex_unlock(&t->lock);
	r->done(r);
	pthread_mutex_lock(&t->lock);
}

/* lock held, and released in between. An attempt failed, and no other is under way: again, or the end. */
static void failed(struct transport *t, struct transport_request *r)
{
	bool again = true;

	report_trouble(t, r);
	if (!r->once && r->wanted && !t->stop) {
		/* Who asked has locks of its own. */
		pthread_mutex_unlock(&t->lock);
		again = r->wanted(r);
		pthread_mutex_lock(&t->lock);
	}
	/* What a cache on the way holds damaged is fetched past it once, also where nobody waits yet: the cache is mended by that. */
	if (r->result == -EBADMSG && r->attempts == 0)
		again = true;
	if (t->stop)
		r->result = -ECANCELED;
	if (r->once || t->stop || !again) {
		deliver(t, r);
		return;
	}
	land(t, r);
	delay(t, r);
}

/* lock held. Moves what is due to the queues. */
static void take_due(struct transport *t)
{
	int64_t now = clock_now();
	struct transport_request **link = &t->delayed;

	while (*link) {
		struct transport_request *r = *link;
		if (r->due > now) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		queue_push(r->background ? &t->background : &t->demand, r);
	}
}

/* lock held. When the next one is due. */
static int64_t next_due(const struct transport *t)
{
	int64_t next = INT64_MAX;

	for (const struct transport_request *r = t->delayed; r; r = r->next)
		next = MIN(next, r->due);
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

/* lock held, and released in between */
static void start_request(struct transport *t, struct transport_slot *s, struct transport_request *r)
{
	bool again = r->attempts > 0;
	struct transport_route route = transport_route(t, r, again ? (int)r->used_mirror : -1, again ? r->used_proxy : -1);

	r->renew = false;
	/* The connection may have been what was wrong. */
	route.new_connection = r->result == -ETIMEDOUT;
	r->used_mirror = route.mirror;
	r->used_proxy = route.proxy;
	r->state = REQUEST_SENT;
	/* It fits: next_queue has looked, and nobody else takes of it. */
	r->reserved = memory_take(t->memory, MEMORY_TRANSFERS, transport_memory_need(r), 100) ? transport_memory_need(r) : 0;
	t->in_flight++;
	if (transport_curl_start(t, s, r, &route) == 0)
		return;
	r->result = -ENOMEM;
	snprintf(r->error, sizeof(r->error), "%s: out of memory", r->path);
	failed(t, r);
}

/* lock held. Which queue has the next request that there is room for; NULL: none. Background requests leave room for those that somebody waits for. */
static struct transport_queue *next_queue(struct transport *t)
{
	if (t->in_flight >= 2 * t->parallel || !free_slot(t))
		return NULL;
	if (t->demand.first)
		return memory_fits(t->memory, MEMORY_TRANSFERS, transport_memory_need(t->demand.first), MEMORY_DEMAND) ? &t->demand : NULL;
	if (!t->background.first || t->in_flight + MIN(2, 2 * t->parallel - 1) >= 2 * t->parallel || !has_slot_for_background(t))
		return NULL;
	return memory_fits(t->memory, MEMORY_TRANSFERS, transport_memory_need(t->background.first), MEMORY_BACKGROUND) ? &t->background : NULL;
}

/* lock held, and released in between. */
static void start_requests(struct transport *t)
{
	struct transport_queue *q;

	while ((q = next_queue(t))) {
		struct transport_slot *s = free_slot(t);
		struct transport_request *r = queue_pop(q);
		int64_t open_at;
		open_at = r->mirror < 0 ? transport_mirrors_open_at(t) : 0;
		/* All servers asked for a pause. */
		if (open_at > clock_now())
			delay_until(t, r, open_at);
		else
			start_request(t, s, r);
	}
}

/* lock held. The other attempt is not needed any more. */
static void cancel_rival(struct transport *t, struct transport_slot *winner)
{
	struct transport_slot *loser = winner->rival;

	stats_add(t->stats, hedges_won, winner->is_hedge);
	stats_add(t->stats, hedge_bytes, loser->size);
	if (loser->route.mirror != winner->route.mirror)
		transport_mirror_lost(t, loser, clock_now());
	else if (loser->route.proxy != winner->route.proxy)
		proxy_failed(&t->proxies, loser->route.proxy, false, clock_now());
	transport_curl_cancel(t, loser);
	winner->rival = NULL;
}

/* lock held, and released in between */
static void take_result(struct transport *t, struct transport_slot *s, struct transport_request *r)
{
	r->used_mirror = s->route.mirror;
	r->used_proxy = s->route.proxy;
	r->result = s->result;
	memcpy(r->error, s->error, sizeof(r->error));
	if (s->result < 0) {
		transport_note_fault(t, &s->route, s->by_proxy, s->retry_after, s->error);
		transport_slot_drop(t, s);
		if (!s->rival) {
			failed(t, r);
			return;
		}
		/* The other attempt may still bring it. */
		s->rival->rival = NULL;
		s->rival = NULL;
		return;
	}
	if (s->rival)
		cancel_rival(t, s);
	note_success(t, s);
	r->data = s->data;
	r->size = s->size;
	s->data = NULL;
	transport_slot_drop(t, s);
	deliver(t, r);
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
		if (!transport_curl_end(t, s, code))
			continue;
		pthread_mutex_lock(&t->lock);
		take_result(t, s, r);
		pthread_mutex_unlock(&t->lock);
	}
}

static void *run(void *context)
{
	struct transport *t = context;

	for (;;) {
		int64_t next;
		int timeout = POLL_MS, running = 0;
		bool more;
		pthread_mutex_lock(&t->lock);
		if (t->stop) {
			pthread_mutex_unlock(&t->lock);
			return NULL;
		}
		take_due(t);
		start_requests(t);
		pthread_mutex_unlock(&t->lock);
		curl_multi_perform(t->multi, &running);
		take_results(t);
		pthread_mutex_lock(&t->lock);
		/* After all that has come was looked at: when this thread was late, the servers were not. */
		next = MIN(next_due(t), transport_hedge_late(t));
		/* Results may have freed slots that others wait for. */
		more = next_queue(t) == &t->demand;
		pthread_mutex_unlock(&t->lock);
		if (next != INT64_MAX)
			timeout = (int)MIN(MAX(next - clock_now() + NS_PER_MS - 1, 0) / NS_PER_MS, POLL_MS);
		if (!more && timeout > 0)
			curl_multi_poll(t->multi, NULL, 0, timeout, NULL);
	}
}

static void dispose(struct transport *t)
{
	transport_curl_done(t);
	transport_mirrors_done(t);
	proxy_list_done(&t->proxies);
	secret_headers_done(&t->extra);
	secret_free(t->authorization);
	secret_free(t->key_data);
	free(t->cert_data);
	free(t->ca_data);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

errint_t transport_open(const struct transport_config *config, struct transport **ret, char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct transport *t = calloc(1, sizeof(*t));
	errint_t r = 0;

	ret_error[0] = '\0';
	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->parallel = config->parallel ? config->parallel : DEFAULT_PARALLEL;
	t->limits = config->limits;
	t->self_contained = config->self_contained;
	t->hedge_credit = 2 * HEDGE_COST;
	t->report = config->report;
	t->report_context = config->report_context;
	t->memory = config->memory;
	t->stats = config->stats;
	randombytes_buf(&t->random, sizeof(t->random));
	t->random |= 1;	/* zero would stay zero */
	for (size_t i = 0; r == 0 && i < config->url_count; i++)
		r = transport_mirror_add(t, config->urls[i]);
	if (r == 0 && t->mirror_count == 0)
		r = -EINVAL;
	if (r == 0)
		r = transport_options_read(t, config, ret_error);
	if (r == 0)
		r = transport_curl_init(t);
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

	bool again;

	pthread_mutex_lock(&t->lock);
	again = t->stop;
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	if (again)
		return;
	curl_multi_wakeup(t->multi);
	pthread_join(t->thread, NULL);
	for (unsigned i = 0; i < t->slot_count; i++) {
		struct transport_slot *s = &t->slots[i];
		r = s->request;
		if (!r)
			continue;
		if (s->rival)
			transport_curl_cancel(t, s->rival);
		transport_curl_cancel(t, s);
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
	r->fresh = r->renew = false;
	r->replaced = 0;
	r->reserved = 0;
	r->data = NULL;
	r->size = 0;
	r->result = 0;
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
	land(t, r);
	bool waiting = t->demand.first || t->background.first;
	pthread_mutex_unlock(&t->lock);
	if (waiting)
		curl_multi_wakeup(t->multi);
}

void transport_again(struct transport *t, struct transport_request *r, const char *why)
{
	struct transport_route route = { .mirror = r->used_mirror, .proxy = r->used_proxy };

	free(r->data);
	r->data = NULL;
	r->result = -EBADMSG;
	snprintf(r->error, sizeof(r->error), "%.180s/%.80s: %.50s", t->mirrors[r->used_mirror].url, r->path, why);
	stats_add(t->stats, bad_objects, 1);
	r->fresh = true;
	pthread_mutex_lock(&t->lock);
	transport_note_fault(t, &route, false, 0, r->error);
	failed(t, r);
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

void transport_promote(struct transport *t, struct transport_request *r)
{
	pthread_mutex_lock(&t->lock);
	if (r->background && r->state == REQUEST_QUEUED && queue_remove(&t->background, r))
		queue_push(&t->demand, r);
	if (r->state == REQUEST_DELAYED) {
		r->due = 0;
		r->attempts = 0;
	}
	r->background = false;
	r->renew = true;
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
