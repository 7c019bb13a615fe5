/* SPDX-License-Identifier: MIT */
/* What a pinned path is made of: catalogs are entered and files fetched one after the other, waiting for each in the thread of the pins. */
#include "fetchfs/client/pins_private.h"
#include "fetchfs/client/clock.h"

#include <sys/stat.h>

/* Something that another thread ends. */
struct event {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool over;
	errint_t result;
};

static void event_init(struct event *e)
{
	*e = (struct event){ .over = false };
	pthread_mutex_init(&e->lock, NULL);
	clock_cond_init(&e->cond);
}

static void event_end(struct event *e, errint_t result)
{
	pthread_mutex_lock(&e->lock);
	e->over = true;
	e->result = result;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

static errint_t event_wait(struct event *e)
{
	errint_t r;

	pthread_mutex_lock(&e->lock);
	while (!e->over)
		pthread_cond_wait(&e->cond, &e->lock);
	r = e->result;
	pthread_mutex_unlock(&e->lock);
	pthread_cond_destroy(&e->cond);
	pthread_mutex_destroy(&e->lock);
	return r;
}

struct enter_wait {
	struct snapshot_waiter waiter;
	struct event event;
};

static void entered(struct snapshot_waiter *w, errint_t r)
{
	event_end(&((struct enter_wait *)(void *)w)->event, r);
}

static errint_t keep_catalog(struct pin_walk *w, const struct tree *t)
{
	if (w->keep)
		return cache_keep(w->pins->cache, w->pins->folder, &t->digest, true);
	cache_keep_not(w->pins->folder, &t->digest, true);
	return 0;
}

/*
 * The snapshot may change while the walk waits. Trees that it is in are held, so that they stay as they were; one that was just found stays for a minute
 * in any case.
 */
static errint_t enter_inside(struct pin_walk *w, struct place *dir, struct snapshot_waiter *waiter)
{
	SNAPSHOT_INSIDE(w->pins->snapshot);
	return snapshot_enter(w->pins->snapshot, dir, waiter);
}

/* A directory's entries, with its catalog fetched where that is needed (not when nothing is to be kept: -EAGAIN). */
static errint_t enter(struct pin_walk *w, struct place *dir)
{
	struct enter_wait wait = { .waiter.ready = entered };
	errint_t r = enter_inside(w, dir, NULL);

	if (r == -EAGAIN && w->keep) {
		event_init(&wait.event);
		r = enter_inside(w, dir, &wait.waiter);
		if (r != -EAGAIN)
			event_end(&wait.event, r);
		r = event_wait(&wait.event);
		if (r == 0)
			r = enter_inside(w, dir, NULL);
	}
	return r;
}

struct open_wait {
	struct file_open open;
	struct event event;
	struct file *file;
};

static void opened(struct file_open *o, errint_t r, struct file *file)
{
	struct open_wait *w = (struct open_wait *)(void *)o;

	w->file = file;
	event_end(&w->event, r);
}

static errint_t open_file(struct files *f, const struct place *place, bool background, struct file **ret)
{
	struct open_wait w = { .open = { .opened = opened, .waiter.background = background } };
	errint_t r;

	event_init(&w.event);
	r = files_open(f, place, &w.open, &w.file);
	if (r != -EINPROGRESS)
		event_end(&w.event, r);
	r = event_wait(&w.event);
	*ret = w.file;
	return r;
}

struct read_wait {
	struct file_read read;
	struct event event;
};

static void was_read(struct file_read *r, errint_t result)
{
	event_end(&((struct read_wait *)(void *)r)->event, result);
}

/* One byte brings its whole extent, and the next ones ahead. */
static errint_t read_extents(struct files *f, const struct place *place, bool background, struct file *file)
{
	uint64_t at = 0;
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < place->inode.count; i++) {
		struct read_wait w = { .read = { .done = was_read, .file = file, .offset = at, .size = 1, .waiter.background = background } };
		struct catalog_extent e;
		if (catalog_extent(&place->tree->c, &place->inode, i, &e) < 0)
			return -EIO;
		event_init(&w.event);
		r = files_read(f, &w.read);
		if (r != -EINPROGRESS)
			event_end(&w.event, r);
		r = event_wait(&w.event);
		files_read_free(f, &w.read);
		at += e.length;
	}
	return r;
}

static errint_t fetch_once(struct pins *p, const struct place *place, const struct digest *key, bool background)
{
	struct file *file;
	errint_t r = open_file(p->files, place, background, &file);

	if (r < 0)
		return r;
	r = read_extents(p->files, place, background, file);
	/* While it is open it is not evicted. */
	if (r == 0)
		r = cache_keep(p->cache, p->folder, key, false);
	files_release(p->files, file);
	return r == -ENOENT ? -ENOSPC : r;
}

/* What others wait for goes first; only where that fails at the first attempt it is waited for as a reader would. */
static errint_t fetch(struct pins *p, const struct place *place, const struct digest *key)
{
	errint_t r = fetch_once(p, place, key, true);

	return r == 0 || r == -ENOSPC || r == -ECANCELED ? r : fetch_once(p, place, key, false);
}

static const char *reason(errint_t r)
{
	switch (r) {
	case -ENOSPC:
		return "the cache did not take it: its quota or disk is full";
	case -ETIMEDOUT:
		return "the servers did not answer in time";
	case -EPERM:
	case -EMLINK:
	case -EOPNOTSUPP:
		return "the cache's file system has no hard links";
	case -ECANCELED:
		return "the mount ends";
	default:
		return "it could not be fetched";
	}
}

/* The pin goes or the mount ends. */
static bool is_over(struct pin_walk *w)
{
	bool over;

	pthread_mutex_lock(&w->pins->lock);
	over = w->pins->stop || (w->keep && w->pin->state == PIN_LEAVING);
	pthread_mutex_unlock(&w->pins->lock);
	return over;
}

static void count(struct pin_walk *w, uint64_t bytes, errint_t r)
{
	pthread_mutex_lock(&w->pins->lock);
	w->pin->files++;
	w->pin->bytes += r == 0 ? bytes : 0;
	if (r < 0) {
		w->pin->missing++;
		w->pin->error = reason(r);
	}
	pthread_mutex_unlock(&w->pins->lock);
}

static errint_t do_file(struct pin_walk *w, const struct place *place)
{
	struct pins *p = w->pins;
	struct digest key;
	errint_t r = 0;

	if (is_over(w))
		return -ECANCELED;
	if (files_cache_key(place, &key) < 0)
		return 0;
	if (!w->keep) {
		cache_keep_not(p->folder, &key, false);
		return 0;
	}
	if (files_cached(p->files, place) < place->inode.size || (r = cache_keep(p->cache, p->folder, &key, false)) == -ENOENT)
		r = fetch(p, place, &key);
	count(w, place->inode.size, r);
	return r == -ECANCELED ? r : 0;
}

/* A directory under way. */
struct level {
	struct place dir;
	uint32_t next;
};

struct stack {
	struct level *levels;
	size_t depth, room;
};

static errint_t push(struct pin_walk *w, struct stack *s, const struct place *dir)
{
	struct level l = { .dir = *dir };
	errint_t r = enter(w, &l.dir);

	if (r == -EAGAIN)
		return 0;
	if (r == 0 && (s->depth == 0 || s->levels[s->depth - 1].dir.tree != l.dir.tree))
		r = keep_catalog(w, l.dir.tree);
	/* Without its catalog's second name the directory can be read all the same. */
	if (r < 0 && r != -ENOENT)
		return r;
	if (s->depth == s->room) {
		size_t room = s->room ? 2 * s->room : 32;
		struct level *larger = realloc(s->levels, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		s->levels = larger;
		s->room = room;
	}
	snapshot_hold(l.dir.tree);
	s->levels[s->depth++] = l;
	return 0;
}

static void pop(struct stack *s)
{
	snapshot_release(s->levels[--s->depth].dir.tree);
}

static errint_t next_entry(struct pin_walk *w, struct level *l, struct place *ret)
{
	struct catalog_dirent name;

	SNAPSHOT_INSIDE(w->pins->snapshot);
	return snapshot_entry(w->pins->snapshot, &l->dir, l->next++, &name, ret);
}

/* Hard links are met more than once, and count so. */
static errint_t do_tree(struct pin_walk *w, const struct place *top)
{
	struct stack s = { .depth = 0 };
	errint_t r = push(w, &s, top);

	while (r == 0 && s.depth > 0) {
		struct level *l = &s.levels[s.depth - 1];
		struct place p;
		if (l->next == l->dir.inode.count) {
			pop(&s);
			continue;
		}
		r = next_entry(w, l, &p);
		if (r == 0 && S_ISDIR(p.inode.mode))
			r = push(w, &s, &p);
		else if (r == 0 && S_ISREG(p.inode.mode))
			r = do_file(w, &p);
	}
	while (s.depth > 0)
		pop(&s);
	free(s.levels);
	return r;
}

static errint_t root_of(struct pin_walk *w, struct place *ret)
{
	SNAPSHOT_INSIDE(w->pins->snapshot);
	return snapshot_place(w->pins->snapshot, 1, ret);
}

static errint_t lookup(struct pin_walk *w, const struct place *dir, const char *name, size_t length, struct place *ret)
{
	SNAPSHOT_INSIDE(w->pins->snapshot);
	return snapshot_lookup(w->pins->snapshot, dir, name, length, ret);
}

/* Keeps the catalogs on the way too: without them the path cannot be entered when the server is away. */
static errint_t find(struct pin_walk *w, const char *path, struct place *ret)
{
	const char *p = path;
	errint_t r = root_of(w, ret);

	while (r == 0 && *p && *p != '/') {
		size_t n = strcspn(p, "/");
		struct place dir = *ret;
		if (S_ISLNK(dir.inode.mode))
			return -ELOOP;
		r = enter(w, &dir);
		if (r == 0 && w->keep)
			(void)keep_catalog(w, dir.tree);
		if (r == 0)
			r = lookup(w, &dir, p, n, ret);
		p += n;
		p += *p == '/' && p[1] != '\0';
	}
	return r;
}

errint_t pins_walk(struct pin_walk *w)
{
	const char *path = w->pin->path;
	bool all = path[strlen(path) - 1] == '/';
	struct place p;
	errint_t r = find(w, path, &p);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	if (S_ISLNK(p.inode.mode))
		return -ELOOP;
	if (S_ISDIR(p.inode.mode))
		return all ? do_tree(w, &p) : -EISDIR;
	if (all)
		return -ENOTDIR;
	return S_ISREG(p.inode.mode) ? do_file(w, &p) : 0;
}
