/* SPDX-License-Identifier: MIT */
/*
 * See snapshot_state.h. A head, the choice, then a record for each catalog (parents before what is nested in them) with the runs of numbers that it has
 * inherited. A catalog that is entered later is appended.
 */
#include "fetchfs/client/snapshot_state.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/snapshot_private.h"
#include "fetchfs/client/state.h"

#include <sys/stat.h>

#define NO_PARENT UINT32_MAX
#define ASSUMED_KNOWN (1u << 30)	/* more than is ever let go of */

struct state_head {
	uint64_t revision, next_base, choice_size;
	uint32_t changes, unused;
};

struct state_tree {
	struct digest digest;
	uint32_t size, stored_size;
	uint64_t base, mount_ino;
	uint32_t parent;	/* number of its record */
	uint32_t nested;	/* which one of its parent's */
	uint32_t mount_inode, stamp;
	uint32_t retired, runs;
};

struct state_run {
	uint64_t ino;
	uint32_t index, length;
};

/* A text under way. */
struct writer {
	FILE *f;
	uint32_t count;		/* records so far */
};

static void write_tree(struct writer *w, struct tree *t, uint32_t nested)
{
	struct state_tree r = {
		.digest = t->digest, .size = (uint32_t)t->c.size, .stored_size = t->stored_size, .base = t->base, .mount_ino = t->mount_ino,
		.parent = t->parent && !t->retired ? t->parent->record : NO_PARENT, .nested = nested, .mount_inode = t->mount_inode, .stamp = t->stamp,
		.retired = t->retired, .runs = (uint32_t)t->inherited.count,
	};

	t->record = w->count++;
	fwrite(&r, sizeof(r), 1, w->f);
	for (size_t i = 0; i < t->inherited.count; i++) {
		const struct id_run *run = &t->inherited.runs[i];
		fwrite(&(struct state_run){ .ino = run->ino, .index = run->index, .length = run->length }, sizeof(struct state_run), 1, w->f);
	}
}

static void write_below(struct writer *w, struct tree *t, uint32_t nested)
{
	write_tree(w, t, nested);
	for (uint32_t i = 0; i < t->c.nested; i++) {
		struct tree *below = atomic_load(&t->nested[i]);
		if (below)
			write_below(w, below, i);
	}
}

static void write_all(struct writer *w, struct snapshot *s)
{
	struct state_head h = { .revision = s->revision, .next_base = s->next_base, .choice_size = s->choice_size, .changes = s->changes };

	fwrite(&h, sizeof(h), 1, w->f);
	fwrite(s->choice, 1, s->choice_size, w->f);
	write_below(w, s->root, 0);
	/* The list begins with those that went last. */
	for (struct tree *t = s->retired; t; t = t->next_retired)
		write_tree(w, t, 0);
}

errint_t snapshot_state_write(struct snapshot *s)
{
	char *text = NULL;
	size_t size = 0;
	struct writer w = { .f = s->state >= 0 ? open_memstream(&text, &size) : NULL };
	errint_t r;

	if (s->state < 0)
		return 0;
	s->unwritten = true;
	if (!w.f)
		return -ENOMEM;
	write_all(&w, s);
	r = fclose(w.f) == 0 ? state_replace(s->state, text, size, s->untold) : -ENOMEM;
	if (r == 0) {
		s->records = w.count;
		s->unwritten = false;
	}
	free(text);
	return r;
}

errint_t snapshot_state_add(struct snapshot *s, struct tree *t, uint32_t nested)
{
	errint_t r = s->unwritten ? snapshot_state_write(s) : 0;
	struct writer w = { .count = s->records };
	char *text = NULL;
	size_t size = 0;

	if (r < 0 || s->state < 0)
		return r;
	w.f = open_memstream(&text, &size);
	if (!w.f)
		return -ENOMEM;
	write_tree(&w, t, nested);
	r = fclose(w.f) == 0 ? state_append(s->state, text, size) : -ENOMEM;
	if (r == 0)
		s->records = w.count;
	free(text);
	return r;
}

errint_t snapshot_state_keep(struct snapshot *s, int state, const void *choice, size_t choice_size)
{
	s->choice = malloc(choice_size + 1);
	if (!s->choice)
		return -ENOMEM;
	memcpy(s->choice, choice, choice_size);
	s->choice_size = choice_size;
	s->state = state;
	return snapshot_state_write(s);
}

void snapshot_state_settle(struct snapshot *s)
{
	s->untold = false;
	if (s->state >= 0)
		(void)state_settle(s->state);
}

errint_t snapshot_state_choice(int state, char **ret_choice, size_t *ret_size)
{
	struct state_head h = { .choice_size = 0 };
	bool ignored;
	void *read;
	char *text;
	size_t size;
	errint_t r = state_read(state, &read, &size, &ignored);

	if (r < 0)
		return r;
	*ret_choice = text = read;
	*ret_size = 0;
	if (size == 0)
		return 0;
	if (size >= sizeof(h))
		memcpy(&h, text, sizeof(h));
	if (size < sizeof(h) || h.choice_size > size - sizeof(h)) {
		free(text);
		return -EBADMSG;
	}
	memmove(text, text + sizeof(h), h.choice_size);
	*ret_size = h.choice_size;
	return 0;
}

/* A text that is being read, and the catalogs made so far (NULL: missing). */
struct reader {
	const char *at;
	size_t left;
	struct tree **trees;
	uint32_t count, room;
	int64_t until;		/* clock_now: for all that has to be fetched */
	bool is_away;		/* that has passed once: only the cache is asked */
	unsigned missing;
	char *error;
};

static bool take(struct reader *r, void *ret, size_t size)
{
	if (r->left < size)
		return false;
	memcpy(ret, r->at, size);
	r->at += size;
	r->left -= size;
	return true;
}

static errint_t fetch(struct snapshot *s, struct reader *r, const struct store_object *o, void **ret)
{
	int64_t left = r->until - clock_now();
	errint_t e;

	if (r->is_away)
		return -ETIMEDOUT;
	e = store_fetch_now(s->store, o, left > NS_PER_SECOND ? (unsigned)(left / NS_PER_SECOND) : 1, ret, r->error);
	r->is_away = e == -ETIMEDOUT;
	return e;
}

static errint_t load(struct snapshot *s, struct reader *r, const struct state_tree *k, struct tree **ret)
{
	struct store_object o = { .digest = k->digest, .stored_size = k->stored_size, .size = k->size };
	_cleanup_free_ void *fetched = NULL;
	struct cache_catalog image;
	errint_t e = cache_get_catalog(s->cache, &k->digest, k->size, &image);

	if (e < 0) {
		e = fetch(s, r, &o, &fetched);
		if (e == 0)
			e = cache_put_catalog(s->cache, &k->digest, fetched, k->size, &image);
	}
	return e < 0 ? e : snapshot_new_tree(s, &image, &k->digest, k->base, ret);
}

static errint_t read_runs(struct reader *r, uint32_t count, struct tree *t)
{
	if (count > r->left / sizeof(struct state_run))
		return -EBADMSG;
	t->inherited.runs = malloc((count ? count : 1) * sizeof(*t->inherited.runs));
	if (!t->inherited.runs)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct state_run run;
		(void)take(r, &run, sizeof(run));
		if (run.index >= t->c.inodes || run.length > t->c.inodes - run.index)
			return -EBADMSG;
		t->inherited.runs[t->inherited.count++] = (struct id_run){ .ino = run.ino, .index = run.index, .length = run.length, .owner = t };
	}
	return 0;
}

static errint_t hang(struct snapshot *s, struct reader *r, const struct state_tree *k, struct tree *t)
{
	struct tree *parent = k->parent < r->count ? r->trees[k->parent] : NULL;

	t->stored_size = k->stored_size;
	t->mount_ino = k->mount_ino;
	t->mount_inode = k->mount_inode;
	t->stamp = k->stamp;
	t->retired = k->retired;
	if (t->retired) {
		struct tree **end = &s->retired;
		while (*end)
			end = &(*end)->next_retired;
		*end = t;
		t->retired_at = 0;
	} else if (k->parent == NO_PARENT) {
		s->root = t;
	} else {
		if (!parent || k->nested >= parent->c.nested)
			return -EBADMSG;
		t->parent = parent;
		atomic_store(&parent->nested[k->nested], t);
	}
	for (uint32_t i = 0; t->known && i < t->c.inodes; i++) {
		atomic_store(&t->known[i], ASSUMED_KNOWN);
		if (t->retired)
			atomic_fetch_add(&t->stale, ASSUMED_KNOWN);
	}
	/* The head tells of those that were there when all was written last, and none of the numbers of a later one may be given again. */
	s->next_base = MAX(s->next_base, t->base + t->c.inodes);
	snapshot_link(s, t);
	cache_pin(s->cache, &t->digest);
	stats_add(s->stats, catalogs, 1);
	/* A number that was handed on leads to who has it now. */
	return t->retired ? 0 : id_runs_append(&s->inherited, &t->inherited);
}

static errint_t add_place(struct reader *r, struct tree *t)
{
	if (r->count == r->room) {
		uint32_t room = r->room ? 2 * r->room : 64;
		struct tree **larger = realloc(r->trees, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		r->trees = larger;
		r->room = room;
	}
	r->trees[r->count++] = t;
	return 0;
}

static errint_t read_tree(struct snapshot *s, struct reader *r)
{
	struct state_tree k;
	struct tree *t = NULL;
	bool has_place;
	errint_t e;

	if (!take(r, &k, sizeof(k)))
		return -EBADMSG;
	/* What hangs below a missing one is missing too. */
	has_place = k.retired || k.parent == NO_PARENT || (k.parent < r->count && r->trees[k.parent]);
	e = has_place ? load(s, r, &k, &t) : -ENOENT;
	if (e == -ENOMEM || (e < 0 && k.parent == NO_PARENT && !k.retired))
		return e;
	if (e < 0) {
		r->missing++;
		if (k.runs > r->left / sizeof(struct state_run))
			return -EBADMSG;
		r->at += k.runs * sizeof(struct state_run);
		r->left -= k.runs * sizeof(struct state_run);
		return add_place(r, NULL);
	}
	e = read_runs(r, k.runs, t);
	if (e == 0)
		e = add_place(r, t);
	if (e < 0) {
		snapshot_free_tree(t);
		return e;
	}
	return hang(s, r, &k, t);
}

/* While some are being fetched, the others must not go. */
static void pin_all(struct snapshot *s, struct reader r, void (*pin)(struct cache *c, const struct digest *key))
{
	struct state_tree k;

	while (take(&r, &k, sizeof(k)) && k.runs <= r.left / sizeof(struct state_run)) {
		pin(s->cache, &k.digest);
		r.at += k.runs * sizeof(struct state_run);
		r.left -= k.runs * sizeof(struct state_run);
	}
}

static errint_t read_all(struct snapshot *s, struct reader *r)
{
	struct state_head h;
	struct reader all;
	errint_t e = 0;

	if (!take(r, &h, sizeof(h)) || h.choice_size > r->left)
		return -EBADMSG;
	r->at += h.choice_size;
	r->left -= h.choice_size;
	s->next_base = h.next_base;
	s->changes = h.changes;
	all = *r;
	pin_all(s, all, cache_pin);
	while (e == 0 && r->left > 0)
		e = read_tree(s, r);
	pin_all(s, all, cache_unpin);
	if (e == 0 && !s->root)
		e = -EBADMSG;
	id_runs_order_by_ino(&s->inherited);
	return e;
}

errint_t snapshot_state_restore(struct snapshot *s, int state, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats,
				bool can_change, unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE], unsigned *ret_missing)
{
	_cleanup_free_ void *text = NULL;
	struct reader r = { .until = clock_now() + limit * NS_PER_SECOND, .error = ret_error };
	bool is_pending = false;
	errint_t e;

	snapshot_init(s, m, store, cache, stats, can_change);
	e = state_read(state, &text, &r.left, &is_pending);
	r.at = text;
	s->untold = e == 0 && is_pending;
	if (e == 0)
		e = read_all(s, &r);
	free(r.trees);
	*ret_missing = r.missing;
	return e;
}

struct changes {
	struct snapshot_change *list;
	size_t count, room;
};

static errint_t add_change(struct changes *c, struct snapshot_change change)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 256;
		struct snapshot_change *larger = realloc(c->list, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		c->list = larger;
		c->room = room;
	}
	c->list[c->count++] = change;
	return 0;
}

/* Names of a directory, under the number that it has or had. */
static errint_t change_directory(struct changes *c, const struct place *dir)
{
	struct catalog_dirent e;
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < dir->inode.count && catalog_dirent(&dir->tree->c, &dir->inode, i, &e) == 0; i++)
		r = add_change(c, (struct snapshot_change){ .kind = CHANGE_NAME, .ino = dir->ino, .name = e.name, .name_length = e.name_length });
	return r == 0 ? add_change(c, (struct snapshot_change){ .kind = CHANGE_LISTING, .ino = dir->ino }) : r;
}

static errint_t change_tree(struct changes *c, struct tree *t)
{
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < t->c.inodes; i++) {
		/* The root of a nested catalog is shown under the number of the directory where it hangs. */
		struct place p = { .tree = t, .index = i, .ino = i == 0 ? t->mount_ino : snapshot_ino(t, i) };
		if (catalog_inode(&t->c, i, &p.inode) < 0)
			continue;
		if (S_ISDIR(p.inode.mode))
			r = change_directory(c, &p);
		if (r == 0)
			r = add_change(c, (struct snapshot_change){ .kind = CHANGE_ATTRIBUTES, .ino = p.ino });
	}
	return r;
}

errint_t snapshot_state_everything(struct snapshot *s, struct snapshot_change **ret, size_t *ret_count)
{
	struct changes c = { .count = 0 };
	errint_t r = 0;

	SNAPSHOT_INSIDE(s);
	/* Retired ones too: their names are gone. */
	for (struct tree *t = atomic_load(&s->first[0]); r == 0 && t; t = atomic_load(&t->next[0]))
		r = change_tree(&c, t);
	if (r < 0) {
		free(c.list);
		return r;
	}
	*ret = c.list;
	*ret_count = c.count;
	return 0;
}
