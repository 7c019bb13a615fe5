/* SPDX-License-Identifier: MIT */
/* Going through the lists of profiles; see prefetch.h. */
#include "fetchfs/client/prefetch.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/prefetch_private.h"
#include "fetchfs/client/thread.h"

#include <stdarg.h>
#include <sys/stat.h>

#define BUDGET_SHARE 8		/* of the quota: contents take about three times what is fetched */
#define REPORT_SIZE 512

static void report(struct prefetch *p, bool trouble, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void report(struct prefetch *p, bool trouble, const char *format, ...)
{
	char text[REPORT_SIZE];
	va_list args;

	if (!p->config.report)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->config.report(p->config.context, trouble, text);
}

static void forget_large(struct prefetch *p)
{
	if (p->large)
		files_release(p->config.files, p->large);
	p->large = NULL;
}

/* The large file that is looked at; chunks of one file follow each other. */
static errint_t open_large(struct prefetch *p, const struct place *place)
{
	if (p->large && p->large->ino == place->ino)
		return 0;
	forget_large(p);
	return files_open_ahead(p->config.files, place, &p->large);
}

/* The file that a chunk belongs to, as the catalogs have it. -EAGAIN: its catalog is not here; -EBADMSG: they have it otherwise. */
static errint_t find_file(struct prefetch *p, const struct profile_list_object *o, struct place *ret)
{
	struct catalog_extent e;
	struct catalog_object co;
	errint_t r;

	SNAPSHOT_INSIDE(p->config.snapshot);
	r = snapshot_find(p->config.snapshot, o->inode, ret);

	if (r < 0)
		return r == -EAGAIN ? r : -EBADMSG;
	if (!S_ISREG(ret->inode.mode) || catalog_extent(&ret->tree->c, &ret->inode, o->extent, &e) < 0 || e.object == CATALOG_NONE ||
	    catalog_object(&ret->tree->c, e.object, &co) < 0 || !digest_equal(&co.digest, &o->digest))
		return -EBADMSG;
	return 0;
}

/* 0: it is here; -ENOENT: it is not, and the large file is open (a file of one chunk has no parts); others: it is to be passed over. */
static errint_t look_at_chunk(struct prefetch *p, const struct profile_list_object *o)
{
	struct place place;
	errint_t r = find_file(p, o, &place);

	if (r == -EAGAIN) {
		/* Its catalog stands before it in the list, and may be under way. */
		r = prefetch_wait_all(p);
		if (r == 0)
			r = find_file(p, o, &place);
	}
	if (r < 0)
		return r;
	if (place.inode.count == 1) {
		forget_large(p);
		return cache_may_have(p->config.cache, &o->digest) ? 0 : -ENOENT;
	}
	r = open_large(p, &place);
	if (r < 0)
		return r;
	return files_has_extent(p->large, o->extent) ? 0 : -ENOENT;
}

static errint_t look_at(struct prefetch *p, const struct profile_list_object *o)
{
	switch (o->kind) {
	case CATALOG_OBJECT_PACK:
		return cache_may_have(p->config.cache, &o->digest) ? 0 : -ENOENT;
	case CATALOG_OBJECT_CHUNK:
		return look_at_chunk(p, o);
	default:
		return cache_has_catalog(p->config.cache, &o->digest) ? 0 : -ENOENT;
	}
}

struct tally {
	uint32_t fetched, present, passed_over;
	uint64_t bytes;
	bool out_of_budget;
};

static errint_t note_present(struct prefetch *p, struct tally *tally)
{
	tally->present++;
	stats_add(p->config.stats, profile_present, 1);
	return 0;
}

static errint_t take_object(struct prefetch *p, const struct profile_list_object *o, struct tally *tally)
{
	struct store_object wanted = { .digest = o->digest, .stored_size = o->stored_size, .size = o->size,
				       .is_pack = o->kind == CATALOG_OBJECT_PACK };
	struct file *file = NULL;
	errint_t r = look_at(p, o);

	if (r != -ENOENT) {
		if (r == 0)
			return note_present(p, tally);
		tally->passed_over += r != -ECANCELED;
		return r == -ECANCELED ? r : 0;
	}
	if (o->stored_size > p->budget_left) {
		tally->out_of_budget = true;
		return -ENOSPC;
	}
	r = prefetch_wait_turn(p, o->stored_size);
	/* Whoever reads may have been faster. */
	if (r == 0)
		r = look_at(p, o) == -ENOENT ? 0 : -EALREADY;
	if (r < 0)
		return r == -EALREADY ? note_present(p, tally) : r;
	p->budget_left -= o->stored_size;
	tally->fetched++;
	tally->bytes += o->stored_size;
	if (o->kind == CATALOG_OBJECT_CHUNK && p->large) {
		file = p->large;
		files_hold(p->config.files, file);
	}
	prefetch_launch(p, &wanted, o->kind, file, o->extent);
	return 0;
}

/* From the cache, or fetched and put there. */
static errint_t get_list(struct prefetch *p, const struct manifest_root *m, void **ret)
{
	struct store_object o = { .digest = m->digest, .stored_size = m->stored_size, .size = m->size };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ void *data = NULL;
	struct digest found;
	errint_t r;

	if (m->size > PROFILE_LIST_MAX_SIZE)
		return -EBADMSG;
	if (cache_find(p->config.cache, &m->digest, m->size, &fd) == 0) {
		data = malloc(m->size);
		if (data && io_pread_full(fd, data, m->size, 0) == (ssize_t)m->size) {
			digest_of(data, m->size, &found);
			if (digest_equal(&found, &m->digest)) {
				*ret = steal_ptr(data);
				return 0;
			}
		}
	}
	r = prefetch_get(p, &o, ret);
	if (r == 0)
		(void)cache_put(p->config.cache, &m->digest, *ret, m->size, NULL);
	return r;
}

static void tell(struct prefetch *p, const char *name, errint_t r, const struct tally *t)
{
	char size[16];

	if (r == -ECANCELED)
		return;
	if (r == -EIO)
		report(p, true, "profile %s: given up, since fetching ahead fails; what is needed is fetched when it is read", name);
	else if (t->passed_over)
		report(p, true, "profile %s: %lu of its objects are not those of this revision; publish again", name, (unsigned long)t->passed_over);
	/* A warm cache is nothing to talk about. */
	if (t->fetched == 0 && !t->out_of_budget)
		return;
	report(p, false, "profile %s: %lu objects fetched (%s), %lu were in the cache%s", name, (unsigned long)t->fetched, format_size(t->bytes, size),
	       (unsigned long)t->present, t->out_of_budget ? "; it does not fit the budget (option prefetch=)" : "");
}

static errint_t stream_list(struct prefetch *p, const struct profile_list *l, struct tally *tally)
{
	struct profile_list_object o;
	errint_t r = prefetch_expect(p, l);

	for (uint32_t i = 0; r == 0 && profile_list_get(l, i, &o); i++)
		r = take_object(p, &o, tally);
	forget_large(p);
	if (r == 0 || r == -ENOSPC)
		r = prefetch_wait_all(p);
	return r;
}

static errint_t stream(struct prefetch *p, const struct manifest_profile *m)
{
	struct tally tally = { .fetched = 0 };
	_cleanup_free_ void *data = NULL;
	struct profile_list l;
	errint_t r = get_list(p, &m->list, &data);

	if (r == -ECANCELED)
		return r;
	if (r < 0) {
		report(p, true, "profile %s: its list cannot be fetched (%s); nothing is fetched ahead", m->name, strerror(-r));
		return 0;
	}
	r = profile_list_open(data, m->list.size, &l);
	if (r < 0) {
		report(p, true, "profile %s: its list %s; nothing is fetched ahead", m->name,
		       r == -EPROTONOSUPPORT ? "is of a newer version" : "is malformed though it is signed");
		return 0;
	}
	r = stream_list(p, &l, &tally);
	tell(p, m->name, r, &tally);
	return r;
}

static void *run(void *context)
{
	struct prefetch *p = context;
	char *next = p->profiles;
	errint_t r = 0;

	while (r == 0 && next) {
		const char *name = strsep(&next, ":");
		const struct manifest_profile *m = manifest_find_profile(&p->offered, name);
		if (m)
			r = stream(p, m);
		else if (p->config.profiles)
			report(p, true, "the repository has no profile '%s'; fetchfs stat lists its profiles", name);
		if (r != -ECANCELED)
			stats_add(p->config.stats, profiles_done, 1);
	}
	return NULL;
}

errint_t prefetch_start(const struct prefetch_config *config, struct prefetch **ret)
{
	const char *names = config->profiles ? config->profiles : PREFETCH_DEFAULT_PROFILE;
	struct prefetch *p;
	errint_t r;

	if (strcmp(names, "none") == 0 || (config->has_budget && config->budget == 0))
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->profiles = strdup(names);
	p->offered.profile_count = config->manifest->profile_count;
	p->offered.profiles = calloc(p->offered.profile_count + 1, sizeof(*p->offered.profiles));
	if (p->offered.profiles && p->offered.profile_count)
		memcpy(p->offered.profiles, config->manifest->profiles, p->offered.profile_count * sizeof(*p->offered.profiles));
	p->budget_left = config->has_budget ? config->budget : cache_quota(config->cache) / BUDGET_SHARE;
	pthread_mutex_init(&p->lock, NULL);
	clock_cond_init(&p->changed);
	r = p->profiles && p->offered.profiles ? thread_start(&p->thread, run, p) : -ENOMEM;
	p->started = r == 0;
	if (r < 0)
		prefetch_free(p);
	else
		*ret = p;
	return r;
}

void prefetch_wait(struct prefetch *p)
{
	if (!p || !p->started)
		return;
	pthread_join(p->thread, NULL);
	p->started = false;
}

void prefetch_cancel(struct prefetch *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void prefetch_stop(struct prefetch *p)
{
	if (!p || !p->started)
		return;
	prefetch_cancel(p);
	pthread_join(p->thread, NULL);
	p->started = false;
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	forget_large(p);
	/* Those that waited for another attempt. */
	for (unsigned i = 0; i < PREFETCH_MAX_FLIGHTS; i++)
		if (p->flights[i].file)
			files_release(p->config.files, p->flights[i].file);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p->profiles);
	free(p->offered.profiles);
	free(p->listed);
	free(p);
}
