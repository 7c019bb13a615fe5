/* SPDX-License-Identifier: MIT */
/* The verbs of a mount; see control.h. docs/man/fetchfs.1 says what they print. */
#include "fetchfs/client/control.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/sandbox.h"

#ifndef SPORE_VERSION
#define SPORE_VERSION "unknown"
#endif

char *control_public_url(const char *url)
{
	const char *start = strstr(url, "://");
	size_t authority = start ? strcspn(start + 3, "/?#") : 0;
	const char *end = NULL;

	for (size_t i = 0; i < authority; i++)
		if (start[3 + i] == '@')
			end = start + 3 + i + 1;
	return end ? io_format("%.*s%s", (int)(start + 3 - url), url, end) : strdup(url);
}

/* A URL, or a text that begins with one. */
static void put_url(json_t *object, const char *key, const char *url)
{
	_cleanup_free_ char *public = control_public_url(url);

	if (public)
		ctl_text(object, key, public);
}

static int info(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const struct control *c = context;
	json_t *o = reply->root;
	char digest[DIGEST_TEXT_SIZE];
	time_t now = time(NULL);
	struct digest root;
	uint64_t revision;

	(void)request;
	snapshot_identity(c->snapshot, &root, &revision);
	digest_to_text(&root, digest);
	ctl_text(o, "name", c->snapshot->name);
	ctl_number(o, "revision", revision);
	ctl_text(o, "hash", digest);
	put_url(o, "url", transport_url(c->transport, 0));
	ctl_text(o, "mountpoint", c->mountpoint);
	ctl_text(o, "cache", c->cache_path);
	ctl_number(o, "pid", (uint64_t)c->pid);
	ctl_number(o, "worker_pid", (uint64_t)getpid());
	ctl_number(o, "worker_restarts", c->restarts);
	ctl_number(o, "worker_uid", (uint64_t)getuid());
	ctl_text(o, "worker_sandbox", sandbox_name());
	ctl_text(o, "version", SPORE_VERSION);
	ctl_flag(o, "passthrough", c->passthrough(c->passthrough_context));
	ctl_flag(o, "offline", c->offline);
	ctl_number(o, "mounted_time", (uint64_t)c->since);
	/* The clock may have been set since. */
	ctl_number(o, "mounted_seconds", now > c->since ? (uint64_t)(now - c->since) : 0);
	return 0;
}

static int stats(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const struct control *c = context;
	struct stats_counter counters[STATS_COUNT];

	(void)request;
	stats_read(c->stats, counters);
	for (size_t i = 0; i < STATS_COUNT; i++)
		ctl_number(reply->root, counters[i].name, counters[i].value);
	ctl_number(reply->root, "memory_bound_bytes", c->memory->bound);
	ctl_number(reply->root, "memory_used_bytes", memory_used(c->memory));
	ctl_number(reply->root, "memory_resident_bytes", memory_resident());
	return 0;
}

static void put_mirrors(const struct control *c, json_t *o);

/* All that changes, without looking far: for who asks every second. */
static int status(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const struct control *c = context;
	json_t *o = reply->root;
	uint64_t pinned, incomplete, revision;
	struct digest root;

	snapshot_identity(c->snapshot, &root, &revision);
	ctl_text(o, "name", c->snapshot->name);
	ctl_number(o, "revision", revision);
	stats(context, request, reply);
	pins_sum(c->pins, &pinned, &incomplete);
	ctl_number(o, "cache_usage_bytes", cache_usage(c->cache));
	ctl_number(o, "cache_quota_bytes", cache_quota(c->cache));
	ctl_number(o, "pinned_bytes", pinned);
	ctl_number(o, "pins_incomplete", incomplete);
	put_mirrors(c, o);
	return 0;
}

static void put_survey(json_t *o, const struct cache_survey *s)
{
	ctl_number(o, "files", s->files);
	ctl_number(o, "pinned_files", s->kept);
	ctl_number(o, "pinned_bytes", s->kept_bytes);
	ctl_number(o, "catalogs", s->catalogs);
	ctl_number(o, "catalogs_bytes", s->catalog_bytes);
	ctl_number(o, "partial_files", s->parts);
	ctl_number(o, "partial_bytes", s->part_bytes);
	ctl_number(o, "unverified_files", s->suspects);
	ctl_number(o, "unverified_bytes", s->suspect_bytes);
}

static int cache_state(const struct control *c, struct ctl_reply *reply)
{
	struct cache_survey survey;
	uint64_t quota = cache_quota(c->cache);
	json_t *o = reply->root;

	cache_take_survey(c->cache, &survey);
	ctl_text(o, "directory", c->cache_path);
	ctl_number(o, "usage_bytes", survey.bytes);
	ctl_number(o, "quota_bytes", quota);
	ctl_number(o, "fill_percent", quota ? (uint64_t)((double)survey.bytes * 100 / (double)quota) : 0);
	ctl_number(o, "free_bytes", cache_free_space(c->cache));
	put_survey(o, &survey);
	ctl_number(o, "evicted_files", stats_get(c->stats, evicted));
	ctl_number(o, "evicted_bytes", stats_get(c->stats, evicted_bytes));
	return 0;
}

static int cache(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const struct control *c = context;
	uint64_t size;

	if (request->count == 0)
		return cache_state(c, reply);
	if (strcmp(request->arguments[0], "evict") != 0 || request->count != 2)
		return ctl_fail(reply, EXIT_USAGE, "cache: expected nothing, or 'evict SIZE'");
	if (parse_size(request->arguments[1], &size) < 0)
		return ctl_fail(reply, EXIT_USAGE, "cache evict: expected a size as 500M or 20G, not '%s'", request->arguments[1]);
	ctl_number(reply->root, "freed_bytes", cache_evict(c->cache, size));
	ctl_number(reply->root, "usage_bytes", cache_usage(c->cache));
	return 0;
}

static void put_measured(json_t *o, const char *key, bool is_known, uint64_t value)
{
	if (is_known)
		ctl_number(o, key, value);
	else
		json_object_set_new(o, key, json_null());
}

static void put_mirror(json_t *list, const struct transport_mirror_info *m)
{
	json_t *o = ctl_item(list);

	put_url(o, "url", m->url);
	ctl_text(o, "state", m->bad_for ? "bad" : m->good ? "good" : "unused");
	ctl_flag(o, "preferred", m->preferred);
	put_measured(o, "latency_microseconds", m->latency > 0, (uint64_t)(m->latency / 1000));
	put_measured(o, "throughput_bytes", m->throughput > 0, m->throughput);
	ctl_number(o, "good", m->good);
	ctl_number(o, "faults", m->faults);
	ctl_number(o, "fetched_bytes", m->bytes);
	put_measured(o, "per_second_bytes", m->busy > 0, m->busy > 0 ? (uint64_t)((double)m->bytes * 1e9 / (double)m->busy) : 0);
	ctl_number(o, "bad_seconds", (uint64_t)(m->bad_for / NS_PER_SECOND));
	ctl_number(o, "retry_seconds", (uint64_t)((m->retry_in + NS_PER_SECOND - 1) / NS_PER_SECOND));
	put_url(o, "last_error", m->error);
}

static void put_mirrors(const struct control *c, json_t *o)
{
	json_t *list = ctl_list(o, "mirrors");

	for (size_t i = 0; i < transport_mirrors(c->transport); i++) {
		struct transport_mirror_info m;
		transport_mirror_info(c->transport, i, &m);
		put_mirror(list, &m);
	}
}

/* In the order in which they are used. Where none were given there is no list: then it is the environment that says. */
static void put_proxies(const struct control *c, json_t *o)
{
	struct transport_proxy_state p;
	json_t *list = NULL;

	for (size_t i = 0; transport_proxy_state(c->transport, i, &p) == 0; i++) {
		json_t *item;
		if (!list)
			list = ctl_list(o, "proxies");
		item = ctl_item(list);
		ctl_text(item, "url", p.url);
		ctl_number(item, "group", p.group);
		ctl_text(item, "state", p.retry_in > 0 ? "bad" : p.good ? "good" : "unused");
		ctl_flag(item, "preferred", p.preferred);
		ctl_number(item, "good", p.good);
		ctl_number(item, "faults", p.faults);
		ctl_number(item, "fetched_bytes", p.bytes);
		ctl_number(item, "retry_seconds", (uint64_t)((p.retry_in + NS_PER_SECOND - 1) / NS_PER_SECOND));
	}
}

static int mirrors(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const struct control *c = context;

	if (request->count == 1) {
		if (strcmp(request->arguments[0], "reset") != 0)
			return ctl_fail(reply, EXIT_USAGE, "mirrors: expected nothing, or 'reset'");
		transport_reset_mirrors(c->transport);
	}
	put_mirrors(c, reply->root);
	put_proxies(c, reply->root);
	return 0;
}

static int set_log(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	int level;

	(void)context;
	if (request->count == 1) {
		if (log_parse_level(request->arguments[0], &level) < 0)
			return ctl_fail(reply, EXIT_USAGE, "log: expected error, warning, notice, info or debug, not '%s'", request->arguments[0]);
		log_set_level(level);
	}
	ctl_text(reply->root, "level", log_level_name(log_level()));
	return 0;
}

static int metrics(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	(void)request;
	reply->text = control_metrics(context);
	return reply->text ? 0 : ctl_fail(reply, EXIT_SOFTWARE, "out of memory");
}

static int version(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	(void)context;
	(void)request;
	ctl_text(reply->root, "version", SPORE_VERSION);
	ctl_number(reply->root, "protocol", CTL_VERSION);
	return 0;
}

/* Not for a worker to do: it may not say which program is to be run. fetchfs ctl asks the supervisor. */
static int upgrade(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	(void)context;
	(void)request;
	return ctl_fail(reply, EXIT_UNAVAILABLE, "upgrade: only the mount's supervisor can do that, at a socket of its own; 'fetchfs ctl' knows it");
}

errint_t control_new(struct control *what, struct ctl **ret)
{
	errint_t r = ctl_new(ret);

	if (r == 0)
		r = ctl_add(*ret, control_verbs, what);
	if (r == 0)
		ctl_set_metrics(*ret, control_metrics, what);
	return r;
}

const struct ctl_verb control_verbs[] = {
	{ "info", "", "what is mounted, from where, and since when", 0, 0, info },
	{ "stats", "", "counters since the mount began, and its memory", 0, 0, stats },
	{ "status", "", "counters, cache and mirrors in one reply, as fetchfs top shows them", 0, 0, status },
	{ "cache", "[evict SIZE]", "what the cache holds; or frees at least SIZE of it, what was not used for longest first", 0, 2, cache },
	{ "mirrors", "[reset]", "how each server and each proxy does; or forgets their faults and tries at once what waits", 0, 1, mirrors },
	{ "log", "[LEVEL]", "how much is logged; or from now on error, warning, notice, info or debug", 0, 1, set_log },
	{ "metrics", "", "all figures in the text format of Prometheus", 0, 0, metrics },
	{ "upgrade", "[PROGRAM]", "goes on with another program: the one that is installed now, or PROGRAM", 0, 1, upgrade },
	{ "version", "", "the mount's program and its control protocol", 0, 0, version },
	{ .name = NULL }
};
