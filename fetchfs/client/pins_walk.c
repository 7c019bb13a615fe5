/* SPDX-License-Identifier: MIT */
/* What a pinned path is made of: catalogs are entered and files fetched one after the other, waiting for each in the thread of the pins. */
#include "fetchfs/client/pins_private.h"
#include "fetchfs/client/wait.h"

#include <sys/stat.h>

static errint_t keep_catalog(struct pin_walk *w, const struct tree *t)
{
	if (w->keep)
		return cache_keep(w->pins->cache, w->pins->folder, &t->digest, true);
	cache_keep_not(w->pins->folder, &t->digest, true);
	return 0;
}

/* One byte brings its whole extent, and the next ones ahead. */
static errint_t read_extents(struct files *f, const struct place *place, bool background, struct file *file)
{
	uint64_t at = 0;
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < place->inode.count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&place->tree->c, &place->inode, i, &e) < 0)
			return -EIO;
		r = wait_read(f, file, at, 1, background, NULL);
		at += e.length;
	}
	return r;
}

static errint_t fetch_once(struct pins *p, const struct place *place, const struct digest *key, bool background)
{
	struct file *file;
	errint_t r = wait_open(p->files, place, background, &file);

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
	case -EDQUOT:
		return "the tree's own list may keep half of the quota: pin it with ctl pin";
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
	if (w->pins->counted)
		w->pins->counted(w->pins->counted_context, w->pin->files, w->pin->bytes);
}

/* The tree's list is not the word of who owns the disk. */
static bool is_beyond_share(struct pin_walk *w, uint64_t size)
{
	uint64_t kept = 0;
	bool beyond;

	pthread_mutex_lock(&w->pins->lock);
	for (const struct pin *i = w->pins->list; i; i = i->next)
		kept += i->sources == PIN_BY_TREE ? i->bytes : 0;
	beyond = w->pin->sources == PIN_BY_TREE && kept + size > cache_quota(w->pins->cache) / PINS_TREE_SHARE;
	pthread_mutex_unlock(&w->pins->lock);
	return beyond;
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
	if (is_beyond_share(w, place->inode.size)) {
		count(w, place->inode.size, -EDQUOT);
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
	errint_t r = wait_enter(w->pins->snapshot, &l.dir, w->keep);

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
errint_t pins_find(struct pin_walk *w, const char *path, struct place *ret)
{
	const char *p = path;
	errint_t r = root_of(w, ret);

	while (r == 0 && *p && *p != '/') {
		size_t n = strcspn(p, "/");
		struct place dir = *ret;
		if (S_ISLNK(dir.inode.mode))
			return -ELOOP;
		r = wait_enter(w->pins->snapshot, &dir, w->keep);
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
	errint_t r = pins_find(w, path, &p);

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
