/* SPDX-License-Identifier: MIT */
/*
 * Mirrors: what is measured of each, and which one is asked. The fastest one that is well; now and then a request goes to another one, which costs little
 * since it is raced when it takes too long. See transport_private.h.
 */
#include "fetchfs/client/transport_private.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"

#define BACKOFF_MAX (60 * NS_PER_SECOND)
#define RETRY_AFTER_MAX (60 * NS_PER_SECOND)
#define AVOIDED (INT64_MAX / 4)
#define UNKNOWN_COST (INT64_MAX / 8)
#define TYPICAL_SIZE ((uint64_t)MIB)
#define DEFAULT_THROUGHPUT (10 * MIB)
#define MEASURED_SIZE (64 * KIB)	/* what is smaller says nothing of throughput */
#define EXPLORE_INTERVAL (30 * NS_PER_SECOND)
#define EXPLORE_REQUESTS 16
#define EXPLORE_REQUESTS_UNKNOWN 4
#define PATIENCE_MIN (300 * NS_PER_MS)
#define PATIENCE_UNKNOWN (2 * NS_PER_SECOND)
#define PATIENCE_MAX (5 * NS_PER_SECOND)

/* A path as a URL: the characters that mean something there are escaped. */
static errint_t url_of_path(const char *name, char **ret)
{
	_cleanup_free_ char *path = realpath(name, NULL), *escaped = NULL;
	char *to;

	if (!path)
		return -errno;
	to = escaped = malloc(3 * strlen(path) + 1);
	if (!escaped)
		return -ENOMEM;
	for (const char *p = path; *p; p++) {
		if (strchr("%?# ", *p) || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			to += sprintf(to, "%%%02X", (unsigned)(unsigned char)*p);
		else
			*to++ = *p;
	}
	*to = '\0';
	*ret = io_format("file://%s", escaped);
	return *ret ? 0 : -ENOMEM;
}

errint_t transport_mirror_add(struct transport *t, const char *url)
{
	struct transport_mirror *m = &t->mirrors[t->mirror_count];
	char *user = NULL;
	errint_t r;

	if (t->mirror_count == TRANSPORT_MAX_MIRRORS)
		return -E2BIG;
	m->is_http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
	if (m->is_http)
		r = secret_split_url(url, &m->url, &user);
	else if (strncmp(url, "file://", 7) == 0)
		r = (m->url = strdup(url)) ? 0 : -ENOMEM;
	else
		r = strstr(url, "://") ? -EINVAL : url_of_path(url, &m->url);
	if (r == 0 && user)
		r = secret_from_url(user, &m->authorization);
	secret_free(user);
	if (r < 0)
		return r;
	for (size_t n = strlen(m->url); n > 8 && m->url[n - 1] == '/'; n--)
		m->url[n - 1] = '\0';
	t->mirror_count++;
	return 0;
}

void transport_mirrors_done(struct transport *t)
{
	for (size_t i = 0; i < TRANSPORT_MAX_MIRRORS; i++) {
		free(t->mirrors[i].url);
		secret_free(t->mirrors[i].authorization);
		curl_slist_free_all(t->mirrors[i].headers[0]);
		curl_slist_free_all(t->mirrors[i].headers[1]);
	}
}

static int64_t estimate(const struct transport_mirror *m, uint64_t size)
{
	uint64_t throughput = m->throughput ? m->throughput : DEFAULT_THROUGHPUT;

	return m->latency + (int64_t)MIN(size * (uint64_t)(NS_PER_SECOND / 1000) / MAX(throughput / 1000, 1), (uint64_t)UNKNOWN_COST / 2);
}

/* Another one must be clearly faster than the preferred one. */
static int64_t cost(const struct transport *t, unsigned i)
{
	const struct transport_mirror *m = &t->mirrors[i];

	if (!m->latency)
		return UNKNOWN_COST;
	return i == t->preferred ? estimate(m, TYPICAL_SIZE) / 5 * 4 : estimate(m, TYPICAL_SIZE);
}

static int64_t wait_for(const struct transport_mirror *m, int64_t now)
{
	return MAX(MAX(m->bad_until, m->closed_until) - now, 0);
}

/* One that has not been asked for a while; -1: it is not the time. */
static int find_unexplored(const struct transport *t, int64_t now)
{
	int oldest = -1;

	if (t->since_exploring < EXPLORE_REQUESTS_UNKNOWN)
		return -1;
	for (unsigned i = 0; i < t->mirror_count; i++) {
		const struct transport_mirror *m = &t->mirrors[i];
		if (i == t->preferred || wait_for(m, now) > 0 || m->faults > 0)
			continue;
		if (m->latency && (now - m->tried_at < EXPLORE_INTERVAL || t->since_exploring < EXPLORE_REQUESTS))
			continue;
		if (oldest < 0 || m->tried_at < t->mirrors[oldest].tried_at)
			oldest = (int)i;
	}
	return oldest;
}

static unsigned choose(struct transport *t, int avoid, int64_t now)
{
	unsigned best = 0;
	int64_t best_wait = INT64_MAX, best_cost = INT64_MAX;

	for (unsigned i = 0; i < t->mirror_count; i++) {
		int64_t wait = wait_for(&t->mirrors[i], now) + ((int)i == avoid ? AVOIDED : 0), price = cost(t, i);
		if (wait < best_wait || (wait == best_wait && price < best_cost)) {
			best = i;
			best_wait = wait;
			best_cost = price;
		}
	}
	/* One request finds out whether it is well again; the others go on elsewhere meanwhile. */
	if (t->mirrors[best].faults > 0 && best_wait == 0)
		t->mirrors[best].bad_until = now + NS_PER_SECOND;
	if (avoid < 0 && best_wait == 0)
		t->preferred = best;
	return best;
}

struct transport_route transport_route(struct transport *t, const struct transport_request *r, int avoid_mirror, int avoid_proxy)
{
	int64_t now = clock_now();
	struct transport_route route = { .proxy = proxy_choose(&t->proxies, avoid_proxy, now) };
	int unexplored = r->mirror < 0 && avoid_mirror < 0 ? find_unexplored(t, now) : -1;

	if (r->mirror >= 0) {
		route.mirror = (unsigned)r->mirror % (unsigned)t->mirror_count;
	} else if (unexplored >= 0) {
		route.mirror = (unsigned)unexplored;
		route.exploring = true;
		t->since_exploring = 0;
	} else {
		route.mirror = choose(t, t->mirror_count > 1 ? avoid_mirror : -1, now);
		t->since_exploring++;
	}
	t->mirrors[route.mirror].tried_at = now;
	t->mirrors[route.mirror].requests++;
	return route;
}

int64_t transport_mirrors_open_at(const struct transport *t)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < t->mirror_count; i++)
		first = MIN(first, t->mirrors[i].closed_until);
	return first;
}

/* As TCP measures its round trips (RFC 6298). */
static void add_latency(struct transport_mirror *m, int64_t sample)
{
	sample = MAX(sample, 1);
	if (!m->latency) {
		m->latency = sample;
		m->deviation = sample / 2;
		return;
	}
	m->deviation += (llabs(sample - m->latency) - m->deviation) / 4;
	m->latency = MAX(m->latency + (sample - m->latency) / 8, 1);
}

static void add_throughput(struct transport_mirror *m, uint64_t size, int64_t took)
{
	uint64_t sample = size * 1000 / (uint64_t)MAX(took / (NS_PER_SECOND / 1000), 1);

	m->throughput = m->throughput ? (3 * m->throughput + MAX(sample, 1)) / 4 : MAX(sample, 1);
}

void transport_mirror_worked(struct transport *t, const struct transport_slot *s)
{
	struct transport_mirror *m = &t->mirrors[s->route.mirror];

	m->faults = 0;
	m->bad_until = m->closed_until = m->bad_since = 0;
	m->good++;
	m->bytes += s->size;
	m->busy += s->took;
	if (s->latency > 0)
		add_latency(m, s->latency);
	if (s->size >= MEASURED_SIZE && s->first_byte)
		add_throughput(m, s->size, s->last_byte - s->first_byte);
}

void transport_mirror_failed(struct transport *t, unsigned mirror, int64_t retry_after, const char *error)
{
	struct transport_mirror *m = &t->mirrors[mirror];
	int64_t now = clock_now();

	m->failures++;
	if (!m->bad_since)
		m->bad_since = now;
	m->bad_until = now + transport_backoff(t, NS_PER_SECOND, m->faults, BACKOFF_MAX);
	if (retry_after > 0)
		m->closed_until = now + MIN(retry_after, RETRY_AFTER_MAX);
	if (m->faults < 16)
		m->faults++;
	snprintf(m->last_error, sizeof(m->last_error), "%s", error);
}

void transport_mirror_lost(struct transport *t, const struct transport_slot *s, int64_t now)
{
	struct transport_mirror *m = &t->mirrors[s->route.mirror];

	if (s->first_byte) {
		add_throughput(m, s->size, now - s->first_byte);
		return;
	}
	/* Not a byte: it may as well be dead. */
	add_latency(m, now - s->started);
	m->bad_until = now + transport_backoff(t, NS_PER_SECOND, m->faults, BACKOFF_MAX);
	if (m->faults < 16)
		m->faults++;
	snprintf(m->last_error, sizeof(m->last_error), "%.160s: no byte within %lld ms, another was faster", m->url,
		 (long long)((now - s->started) / NS_PER_MS));
}

int64_t transport_mirror_patience(const struct transport *t, const struct transport_route *route)
{
	const struct transport_mirror *m = &t->mirrors[route->exploring ? t->preferred : route->mirror];

	if (!m->latency)
		return PATIENCE_UNKNOWN;
	/* A new connection with TLS takes three round trips more. */
	return MIN(MAX(5 * m->latency + 4 * m->deviation, PATIENCE_MIN), PATIENCE_MAX);
}

int64_t transport_mirror_estimate(const struct transport *t, uint64_t size)
{
	return estimate(&t->mirrors[t->preferred], size);
}

void transport_mirror_info(struct transport *t, size_t mirror, struct transport_mirror_info *ret)
{
	const struct transport_mirror *m = &t->mirrors[mirror];
	int64_t now = clock_now();

	pthread_mutex_lock(&t->lock);
	*ret = (struct transport_mirror_info){ .url = m->url, .preferred = mirror == t->preferred, .requests = m->requests, .good = m->good,
					       .faults = m->failures, .bytes = m->bytes, .busy = m->busy, .latency = m->latency,
					       .throughput = m->throughput, .faults_in_row = m->faults,
					       .bad_for = m->bad_since ? MAX(now - m->bad_since, 1) : 0, .retry_in = wait_for(m, now) };
	memcpy(ret->error, m->last_error, sizeof(ret->error));
	pthread_mutex_unlock(&t->lock);
}

void transport_reset_mirrors(struct transport *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->mirror_count; i++) {
		t->mirrors[i].faults = 0;
		t->mirrors[i].bad_until = t->mirrors[i].closed_until = t->mirrors[i].bad_since = 0;
	}
	for (int i = 0; i < (int)t->proxies.count; i++)
		proxy_worked(&t->proxies, i);
	transport_wake_delayed(t);
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

errint_t transport_proxy_state(struct transport *t, size_t proxy, struct transport_proxy_state *ret)
{
	const struct proxy *p = &t->proxies.proxies[proxy];
	int64_t now = clock_now();

	if (proxy >= t->proxies.count)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&t->lock);
	snprintf(ret->url, sizeof(ret->url), "%s", *p->url ? p->url : "DIRECT");
	ret->group = p->group;
	ret->good = p->good;
	ret->faults = p->failures;
	ret->bytes = p->bytes;
	ret->faults_in_row = p->faults;
	ret->retry_in = MAX(p->bad_until - now, 0);
	ret->preferred = ret->retry_in == 0;
	for (size_t i = 0; i < proxy; i++)
		ret->preferred &= t->proxies.proxies[i].bad_until > now;
	pthread_mutex_unlock(&t->lock);
	return 0;
}
