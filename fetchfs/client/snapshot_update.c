/* SPDX-License-Identifier: MIT */
/*
 * Preparing another revision while the present one is in use, putting it in its place in one step, and clearing up; see snapshot_update.h.
 */
#include "fetchfs/client/snapshot_private.h"
#include "fetchfs/client/clock.h"

/* A listing that was begun before a change may go on for so long. */
#define KEEP_RETIRED_NS (60 * NS_PER_SECOND)

static errint_t load_catalog(struct snapshot *s, const struct digest *d, uint32_t stored_size, uint32_t size, unsigned limit, struct tree **ret,
			     char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct store_object o = { .digest = *d, .stored_size = stored_size, .size = size };
	_cleanup_free_ void *fetched = NULL;
	struct cache_catalog image;
	errint_t r = cache_get_catalog(s->cache, d, size, &image);

	if (r < 0) {
		r = store_fetch_now(s->store, &o, limit, &fetched, ret_error);
		if (r == 0)
			r = cache_put_catalog(s->cache, d, fetched, size, &image);
	}
	if (r == 0)
		r = snapshot_new_tree(s, &image, d, 0, ret);
	if (r < 0)
		return r;
	(*ret)->stamp = s->changes + 1;
	(*ret)->stored_size = stored_size;
	cache_pin(s->cache, d);
	stats_add(s->stats, catalogs, 1);
	return 0;
}

static errint_t add_fresh(struct snapshot_update *u, struct tree *t)
{
	struct tree **place = UPDATE_APPEND(u->fresh, u->fresh_count);

	if (!place) {
		cache_unpin(u->snapshot->cache, &t->digest);
		snapshot_free_tree(t);
		return -ENOMEM;
	}
	*place = t;
	return 0;
}

static errint_t load_missing(struct snapshot_update *u, unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE])
{
	for (size_t i = 0; i < u->missing_count; i++) {
		struct tree *parent = u->missing[i].parent, *t;
		struct catalog_nested n;
		errint_t r = catalog_nested(&parent->c, u->missing[i].nested, &n);
		if (r == 0)
			r = load_catalog(u->snapshot, &n.digest, n.stored_size, n.size, limit, &t, ret_error);
		if (r == 0)
			r = add_fresh(u, t);
		if (r < 0)
			return r;
		t->parent = parent;
		t->mount_inode = n.inode;
		atomic_store(&parent->nested[u->missing[i].nested], t);
		if (t->c.subtree_inodes != n.subtree_inodes)
			return -EBADMSG;
	}
	return 0;
}

/* What the new catalogs have inherited. */
static errint_t note_inherited(struct tree *t)
{
	uint64_t *inos = calloc(t->c.inodes, sizeof(*inos));
	errint_t r;

	if (!inos)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->c.inodes; i++)
		if (t->origins[i].tree)
			inos[i] = t->parent == NULL && i == 0 ? 1 : snapshot_ino(t->origins[i].tree, t->origins[i].index);
	r = id_runs_from(inos, t->c.inodes, t, &t->inherited);
	free(inos);
	return r;
}

static errint_t collect_inherited(struct snapshot_update *u)
{
	struct tree *t = atomic_load(&u->snapshot->first[0]);
	errint_t r = 0;

	for (size_t i = 0; r == 0 && i < u->fresh_count; i++) {
		r = note_inherited(u->fresh[i]);
		if (r == 0)
			r = id_runs_append(&u->inherited, &u->fresh[i]->inherited);
	}
	for (; r == 0 && t; t = atomic_load(&t->next[0]))
		if (t->shared)
			r = id_runs_append(&u->inherited, &t->inherited);
	id_runs_order_by_ino(&u->inherited);
	return r;
}

errint_t snapshot_prepare(struct snapshot *s, const struct manifest *m, unsigned limit, struct snapshot_update **ret,
			  char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct snapshot_update *u = calloc(1, sizeof(*u));
	errint_t r = 0;

	if (!u)
		return -ENOMEM;
	u->snapshot = s;
	u->revision = m->revision;
	u->root_record = m->root;
	u->inodes = m->inodes;
	u->bytes = m->bytes;
	if (digest_equal(&m->root.digest, &s->root->digest)) {
		u->root = s->root;
	} else {
		r = load_catalog(s, &m->root.digest, m->root.stored_size, m->root.size, limit, &u->root, ret_error);
		if (r == 0)
			r = add_fresh(u, u->root);
	}
	while (r == 0) {
		r = snapshot_compare(u);
		if (r < 0 || u->missing_count == 0)
			break;
		r = load_missing(u, limit, ret_error);
		snapshot_compare_undo(u);
	}
	if (r == 0)
		r = collect_inherited(u);
	if (r < 0)
		snapshot_update_free(u);
	else
		*ret = u;
	return r;
}

/* Only what the kernel has can be stale there. The root it has always. */
static void drop_unknown(struct snapshot_change *changes, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		const struct snapshot_change *c = &changes[i];
		if (c->ino == 1 || atomic_load(&c->tree->known[c->index]) > 0)
			changes[kept++] = *c;
	}
	*count = kept;
}

/* The number goes on leading to the file, now in the new catalog, and its count with it. */
static void move_known(struct tree *t)
{
	for (uint32_t i = 0; i < t->c.inodes; i++) {
		struct origin *o = &t->origins[i];
		if (o->tree)
			atomic_store(&t->known[i], atomic_exchange(&o->tree->known[o->index], 0));
	}
}

static void retire(struct snapshot *s, struct tree *t)
{
	unsigned long long stale = 0;

	for (uint32_t i = 0; i < t->c.inodes; i++)
		stale += atomic_load(&t->known[i]);
	t->retired = true;
	atomic_store(&t->stale, stale);
	t->retired_at = clock_now();
	t->next_retired = s->retired;
	s->retired = t;
}

static void hang_in(struct snapshot *s, struct snapshot_update *u)
{
	for (size_t i = 0; i < u->fresh_count; i++) {
		struct tree *t = u->fresh[i];
		t->base = s->next_base;
		s->next_base += t->c.inodes;
		t->mount_ino = t->parent ? snapshot_ino(t->parent, t->mount_inode) : 1;
		snapshot_link(s, t);
	}
	for (size_t i = 0; i < u->stay_count; i++) {
		const struct stay *k = &u->stays[i];
		k->tree->parent = k->parent;
		k->tree->mount_inode = k->mount_inode;
		atomic_store(&k->parent->nested[k->nested], k->tree);
	}
}

static void keep_choice(struct snapshot *s, struct snapshot_update *u)
{
	if (!u->choice)
		return;
	free(s->choice);
	s->choice = steal_ptr(u->choice);
	s->choice_size = u->choice_size;
}

errint_t snapshot_update_choice(struct snapshot_update *u, const void *choice, size_t size)
{
	u->choice = malloc(size + 1);
	if (!u->choice)
		return -ENOMEM;
	memcpy(u->choice, choice, size);
	u->choice_size = size;
	return 0;
}

errint_t snapshot_apply(struct snapshot_update *u, const struct snapshot_change **ret_changes, size_t *ret_count)
{
	struct snapshot *s = u->snapshot;
	struct snapshot_change *all = malloc((u->change_count + u->attribute_count + 1) * sizeof(*all));
	size_t count = u->change_count + u->attribute_count;

	if (!all)
		return -ENOMEM;
	if (u->change_count)
		memcpy(all, u->changes, u->change_count * sizeof(*all));
	if (u->attribute_count)
		memcpy(all + u->change_count, u->attributes, u->attribute_count * sizeof(*all));
	gate_close(&s->gate);
	if (atomic_load(&s->loads) != u->loads) {
		gate_open(&s->gate);
		free(all);
		return -EAGAIN;
	}
	drop_unknown(all, &count);
	for (size_t i = 0; i < u->fresh_count; i++)
		move_known(u->fresh[i]);
	for (struct tree *t = atomic_load(&s->first[0]); t; t = atomic_load(&t->next[0]))
		if (!t->shared && !t->retired)
			retire(s, t);
	hang_in(s, u);
	id_runs_done(&s->inherited);
	s->inherited = u->inherited;
	u->inherited = (struct id_runs){ .count = 0 };
	s->root = u->root;
	s->revision = u->revision;
	s->root_record = u->root_record;
	s->inodes = u->inodes;
	s->bytes = u->bytes;
	s->changes++;
	keep_choice(s, u);
	/* Before the kernel can be told a number of the new revision. */
	s->untold = true;
	/* Where that fails, nothing is added to what was written before: the next catalog that is entered writes all again, or is not entered. */
	(void)snapshot_state_write(s);
	gate_open(&s->gate);
	free(u->changes);
	u->changes = all;
	u->change_count = count;
	snapshot_compare_clear(u);
	/* They are the snapshot's now. */
	u->fresh_count = 0;
	*ret_changes = all;
	*ret_count = count;
	return 0;
}

void snapshot_update_free(struct snapshot_update *u)
{
	snapshot_compare_undo(u);
	for (size_t i = 0; i < u->fresh_count; i++) {
		cache_unpin(u->snapshot->cache, &u->fresh[i]->digest);
		snapshot_free_tree(u->fresh[i]);
	}
	id_runs_done(&u->inherited);
	free(u->fresh);
	free(u->choice);
	free(u);
}

unsigned snapshot_sweep(struct snapshot *s)
{
	struct tree **link = &s->retired, *t, *gone = NULL;
	int64_t now = clock_now();
	unsigned left = 0;

	if (!s->retired)
		return 0;
	gate_close(&s->gate);
	while ((t = *link)) {
		if (now - t->retired_at < KEEP_RETIRED_NS || atomic_load(&t->stale) > 0 || atomic_load(&t->users) > 0) {
			link = &t->next_retired;
			left++;
			continue;
		}
		*link = t->next_retired;
		snapshot_unlink(s, t);
		t->next_retired = gone;
		gone = t;
	}
	if (gone)
		(void)snapshot_state_write(s);
	gate_open(&s->gate);
	while ((t = gone)) {
		gone = t->next_retired;
		cache_unpin(s->cache, &t->digest);
		snapshot_free_tree(t);
	}
	return left;
}
