/* SPDX-License-Identifier: MIT */
/*
 * The tree of catalogs; see snapshot.h. The index from inode numbers to catalogs is a skip list that only grows: links are
 * published when what they lead to is complete, so that readers need no lock.
 */
#include "fetchfs/client/snapshot_private.h"

#include <sys/stat.h>

void snapshot_link(struct snapshot *s, struct tree *t)
{
	for (unsigned level = 0; level < t->levels; level++) {
		struct tree *_Atomic *link = &s->first[level];
		struct tree *i;
		while ((i = atomic_load_explicit(link, memory_order_acquire)) && i->base < t->base)
			link = &i->next[level];
		atomic_store_explicit(&t->next[level], i, memory_order_relaxed);
		atomic_store_explicit(link, t, memory_order_release);
	}
}

/* The last tree whose base is not above value. */
static struct tree *find_tree(struct snapshot *s, uint64_t value)
{
	struct tree *best = NULL;

	for (unsigned level = SNAPSHOT_LEVELS; level-- > 0;) {
		struct tree *i = atomic_load_explicit(best ? &best->next[level] : &s->first[level], memory_order_acquire);
		while (i && i->base <= value) {
			best = i;
			i = atomic_load_explicit(&i->next[level], memory_order_acquire);
		}
	}
	return best;
}

void snapshot_unlink(struct snapshot *s, struct tree *t)
{
	for (unsigned level = 0; level < t->levels; level++) {
		struct tree *_Atomic *link = &s->first[level];
		struct tree *i;
		while ((i = atomic_load(link)) && i != t)
			link = &i->next[level];
		if (i)
			atomic_store(link, atomic_load(&t->next[level]));
	}
}

/* Each level has a quarter of those below; the digest is as good as a die. */
static unsigned levels_of(const struct digest *d)
{
	uint32_t die = le32_get(d->bytes + 4);
	unsigned levels = 1;

	while (levels < SNAPSHOT_LEVELS && (die & 3) == 0) {
		die >>= 2;
		levels++;
	}
	return levels;
}

void snapshot_free_tree(struct tree *t)
{
	if (!t)
		return;
	cache_free_catalog(&t->image);
	free((void *)t->nested);
	free((void *)t->packs);
	free((void *)t->known);
	id_runs_done(&t->inherited);
	free(t);
}

errint_t snapshot_new_tree(const struct snapshot *s, struct cache_catalog *image, const struct digest *d, uint64_t base, struct tree **ret)
{
	struct tree *t = calloc(1, sizeof(*t));
	errint_t r;

	if (!t) {
		cache_free_catalog(image);
		return -ENOMEM;
	}
	t->image = *image;
	r = catalog_open(image->data, image->size, &t->c);
	if (r == 0 && t->c.nested > 0) {
		t->nested = calloc(t->c.nested, sizeof(*t->nested));
		r = t->nested ? 0 : -ENOMEM;
	}
	if (r == 0 && t->c.objects > 0) {
		t->packs = calloc(t->c.objects, sizeof(*t->packs));
		r = t->packs ? 0 : -ENOMEM;
	}
	if (r == 0 && s->gate.enabled) {
		t->known = calloc(t->c.inodes, sizeof(*t->known));
		r = t->known ? 0 : -ENOMEM;
	}
	if (r < 0) {
		snapshot_free_tree(t);
		return r;
	}
	t->digest = *d;
	t->base = base;
	t->levels = levels_of(d);
	*ret = t;
	return 0;
}

/* lock held. Inode numbers of the new one must be nobody else's. */
static bool is_disjoint(struct snapshot *s, const struct tree *t)
{
	struct tree *before = find_tree(s, t->base);
	struct tree *after;

	if (!before)
		return false;
	after = atomic_load(&before->next[0]);
	return before->base + before->c.inodes <= t->base && (!after || t->base + t->c.inodes <= after->base);
}

uint64_t snapshot_ino(const struct tree *t, uint32_t index)
{
	uint64_t ino = t->inherited.count ? id_runs_ino(&t->inherited, index) : 0;

	return ino ? ino : 1 + t->base + index;
}

/* Catalogs that come after a change take numbers as they come. Before it they have the numbers of their places in the tree, as in every mount of it. */
static uint64_t choose_base(struct snapshot *s, const struct tree *parent, const struct catalog_nested *n, uint32_t inodes)
{
	uint64_t base = parent->base + n->inode_base;

	if (s->changes > 0) {
		base = s->next_base;
		s->next_base += inodes;
	}
	return base;
}

static bool describe_nested(struct snapshot_waiter *w, struct catalog_nested *ret)
{
	return catalog_nested(&w->parent->c, w->nested, ret) == 0;
}

/* image: taken over. */
static errint_t install(struct snapshot_waiter *w, const struct catalog_nested *n, struct cache_catalog *image)
{
	struct snapshot *s = w->snapshot;
	struct tree *t;
	errint_t r = snapshot_new_tree(s, image, &n->digest, 0, &t);

	if (r < 0)
		return r;
	t->parent = w->parent;
	t->mount_inode = n->inode;
	t->mount_ino = snapshot_ino(w->parent, n->inode);
	t->stamp = s->changes;
	t->stored_size = n->stored_size;
	pthread_mutex_lock(&s->lock);
	t->base = choose_base(s, w->parent, n, t->c.inodes);
	if (w->parent->retired) {
		snapshot_free_tree(t);
		r = -EAGAIN;
	} else if (atomic_load(&w->parent->nested[w->nested])) {
		/* Somebody else was faster. */
		snapshot_free_tree(t);
	} else if (t->c.subtree_inodes != n->subtree_inodes || !is_disjoint(s, t)) {
		snapshot_free_tree(t);
		r = -EBADMSG;
	} else if ((r = snapshot_state_add(s, t, w->nested)) < 0) {
		/* Numbers that a successor would not know are not given away. */
		snapshot_free_tree(t);
	} else {
		snapshot_link(s, t);
		s->loads++;
		atomic_store_explicit(&w->parent->nested[w->nested], t, memory_order_release);
		cache_pin(s->cache, &n->digest);
		stats_add(s->stats, catalogs, 1);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void nested_ready(struct store_waiter *waiter, errint_t r, const void *data, size_t size)
{
	struct snapshot_waiter *w = (struct snapshot_waiter *)(void *)waiter;
	struct tree *parent = w->parent;
	struct cache_catalog image = { .data = NULL };
	struct catalog_nested n;

	if (r == 0 && !atomic_load(&parent->nested[w->nested])) {
		r = describe_nested(w, &n) ? 0 : -EBADMSG;
		if (r == 0)
			r = cache_put_catalog(w->snapshot->cache, &n.digest, data, size, &image);
	}
	SNAPSHOT_INSIDE(w->snapshot);
	if (image.data)
		r = install(w, &n, &image);
	w->ready(w, r);
	snapshot_release(parent);
}

/* 0: it is there now. */
static errint_t load_nested(struct snapshot *s, struct tree *parent, uint32_t nested, struct snapshot_waiter *w)
{
	struct snapshot_waiter own;
	struct catalog_nested n;
	struct cache_catalog image;
	errint_t r;

	if (!w)
		w = &own;
	w->snapshot = s;
	w->parent = parent;
	w->nested = nested;
	if (!describe_nested(w, &n))
		return -EBADMSG;
	r = cache_get_catalog(s->cache, &n.digest, n.size, &image);
	if (r == 0)
		return install(w, &n, &image);
	if (w == &own)
		return -EAGAIN;
	w->waiter.ready = nested_ready;
	snapshot_hold(parent);
	(void)store_fetch(s->store, &(struct store_object){ .digest = n.digest, .stored_size = n.stored_size, .size = n.size }, &w->waiter);
	return -EAGAIN;
}

errint_t snapshot_enter(struct snapshot *s, struct place *dir, struct snapshot_waiter *w)
{
	uint32_t nested = dir->inode.nested;
	struct tree *t;
	errint_t r;

	if (!S_ISDIR(dir->inode.mode))
		return -ENOTDIR;
	if (dir->tree->retired) {
		/* Gone from the tree: as empty as a directory that was removed. */
		dir->inode.count = 0;
		return 0;
	}
	/* Index 0 of a nested catalog is where one gets to by entering. */
	if (nested == CATALOG_NONE)
		return 0;
	if (nested >= dir->tree->c.nested)
		return -EBADMSG;
	t = atomic_load_explicit(&dir->tree->nested[nested], memory_order_acquire);
	if (!t) {
		r = load_nested(s, dir->tree, nested, w);
		if (r < 0)
			return r;
		t = atomic_load_explicit(&dir->tree->nested[nested], memory_order_acquire);
	}
	dir->tree = t;
	dir->index = 0;
	return catalog_inode(&t->c, 0, &dir->inode);
}

/* A number that is gone from the tree: the catalog that had it last. The list begins with those that went last. */
static struct tree *find_retired(struct snapshot *s, uint64_t ino, uint32_t *ret_index)
{
	for (struct tree *t = s->retired; t; t = t->next_retired) {
		const struct id_run *run = id_runs_search(&t->inherited, ino);
		if (!run)
			continue;
		*ret_index = run->index + (uint32_t)(ino - run->ino);
		return t;
	}
	return NULL;
}

static struct tree *find_ino(struct snapshot *s, uint64_t ino, uint32_t *ret_index)
{
	const struct id_run *run = s->inherited.count ? id_runs_find(&s->inherited, ino) : NULL;
	struct tree *t, *last;

	if (run) {
		*ret_index = run->index + (uint32_t)(ino - run->ino);
		return run->owner;
	}
	t = ino > 0 ? find_tree(s, ino - 1) : NULL;
	if (t && ino - 1 - t->base >= t->c.inodes)
		t = NULL;
	/* The catalog that the number is from may have handed it on before it went. */
	last = t && !t->retired ? NULL : find_retired(s, ino, ret_index);
	if (last || !t)
		return last;
	*ret_index = (uint32_t)(ino - 1 - t->base);
	return t;
}

errint_t snapshot_place(struct snapshot *s, uint64_t ino, struct place *ret)
{
	ret->tree = find_ino(s, ino, &ret->index);
	if (!ret->tree)
		return -ESTALE;
	ret->ino = ino;
	return catalog_inode(&ret->tree->c, ret->index, &ret->inode);
}

void snapshot_known(struct snapshot *s, const struct place *p, int count)
{
	struct tree *t = p->tree;

	if (!s->gate.enabled)
		return;
	atomic_fetch_add_explicit(&t->known[p->index], (unsigned)count, memory_order_relaxed);
	if (t->retired)
		atomic_fetch_add(&t->stale, (unsigned long long)(long long)count);
}

void snapshot_forget(struct snapshot *s, uint64_t ino, uint64_t count)
{
	struct tree *t;
	uint32_t index;

	if (!s->gate.enabled)
		return;
	SNAPSHOT_INSIDE(s);
	t = find_ino(s, ino, &index);
	/* The root is never told, and never let go of. */
	if (!t || ino == 1)
		return;
	atomic_fetch_sub_explicit(&t->known[index], (unsigned)count, memory_order_relaxed);
	if (t->retired)
		atomic_fetch_sub(&t->stale, (unsigned long long)count);
}

void snapshot_hold(struct tree *t)
{
	atomic_fetch_add(&t->users, 1);
}

void snapshot_release(struct tree *t)
{
	atomic_fetch_sub(&t->users, 1);
}

/* Which of a catalog's nested ones has this number (counted as bases are). */
static errint_t nested_with(const struct tree *t, uint64_t value, uint32_t *ret)
{
	struct catalog_nested n;

	for (uint32_t i = 0; catalog_nested(&t->c, i, &n) == 0; i++) {
		if (value < t->base + n.inode_base || value - t->base - n.inode_base >= n.subtree_inodes)
			continue;
		*ret = i;
		return 0;
	}
	return -ESTALE;
}

errint_t snapshot_find(struct snapshot *s, uint64_t ino, struct place *ret)
{
	errint_t r;

	/* Each round loads a catalog of a narrower range. */
	while ((r = snapshot_place(s, ino, ret)) == -ESTALE && ino > 0) {
		struct tree *t = find_tree(s, ino - 1);
		uint32_t nested;
		/* The number may be behind those of a catalog that is nested beside: then it is in one above. */
		while (t && nested_with(t, ino - 1, &nested) < 0)
			t = t->parent;
		if (!t || atomic_load_explicit(&t->nested[nested], memory_order_acquire))
			return -ESTALE;
		r = load_nested(s, t, nested, NULL);
		if (r < 0)
			return r;
	}
	return r;
}

/* An entry's inode: of this catalog, or (hard links) of one above. */
static errint_t follow(struct tree *t, const struct catalog_dirent *e, struct place *ret)
{
	struct catalog_foreign f = { .levels_up = 0, .inode = e->inode };

	if (e->is_foreign && catalog_foreign(&t->c, e->inode, &f) < 0)
		return -EBADMSG;
	while (f.levels_up-- > 0) {
		t = t->parent;
		if (!t)
			return -EBADMSG;
	}
	ret->tree = t;
	ret->index = f.inode;
	ret->ino = snapshot_ino(t, f.inode);
	return catalog_inode(&t->c, f.inode, &ret->inode);
}

errint_t snapshot_lookup(struct snapshot *s, const struct place *dir, const char *name, size_t length, struct place *ret)
{
	struct catalog_dirent e;
	errint_t r = catalog_lookup(&dir->tree->c, &dir->inode, name, length, &e);

	(void)s;
	return r < 0 ? r : follow(dir->tree, &e, ret);
}

errint_t snapshot_entry(struct snapshot *s, const struct place *dir, uint32_t position, struct catalog_dirent *ret_name, struct place *ret)
{
	errint_t r = catalog_dirent(&dir->tree->c, &dir->inode, position, ret_name);

	(void)s;
	return r < 0 ? r : follow(dir->tree, ret_name, ret);
}

uint64_t snapshot_parent(struct snapshot *s, const struct place *dir)
{
	struct tree *t = dir->tree;
	struct catalog_inode mount;

	(void)s;
	/* Catalogs above may be gone. */
	if (t->retired)
		return dir->ino;
	if (dir->index != 0)
		/* The root of a nested catalog is shown as the directory where it hangs. */
		return dir->inode.parent == 0 && t->parent ? t->mount_ino : snapshot_ino(t, dir->inode.parent);
	if (!t->parent)
		return 1;
	if (catalog_inode(&t->parent->c, t->mount_inode, &mount) < 0)
		return 1;
	return mount.parent == 0 && t->parent->parent ? t->parent->mount_ino : snapshot_ino(t->parent, mount.parent);
}

static errint_t load_root(struct snapshot *s, unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE])
{
	const struct manifest_root *m = &s->root_record;
	struct store_object o = { .digest = m->digest, .stored_size = m->stored_size, .size = m->size };
	_cleanup_free_ void *fetched = NULL;
	struct cache_catalog image;
	errint_t r = cache_get_catalog(s->cache, &m->digest, m->size, &image);

	if (r < 0) {
		r = store_fetch_now(s->store, &o, limit, &fetched, ret_error);
		if (r == 0)
			r = cache_put_catalog(s->cache, &m->digest, fetched, m->size, &image);
	}
	if (r < 0)
		return r;
	r = snapshot_new_tree(s, &image, &m->digest, 0, &s->root);
	if (r < 0)
		return r;
	s->root->mount_ino = 1;
	s->root->stored_size = m->stored_size;
	s->next_base = s->root->c.subtree_inodes;
	cache_pin(s->cache, &m->digest);
	stats_add(s->stats, catalogs, 1);
	snapshot_link(s, s->root);
	return 0;
}

void snapshot_init(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, bool can_change)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	gate_init(&s->gate, can_change);
	s->store = store;
	s->cache = cache;
	s->stats = stats;
	snprintf(s->name, sizeof(s->name), "%s", m->name);
	s->revision = m->revision;
	s->root_record = m->root;
	s->inodes = m->inodes;
	s->bytes = m->bytes;
	s->state = -1;
}

errint_t snapshot_open(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, bool can_change,
		       unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE])
{
	snapshot_init(s, m, store, cache, stats, can_change);
	return load_root(s, limit, ret_error);
}

void snapshot_identity(struct snapshot *s, struct digest *ret_root, uint64_t *ret_revision)
{
	SNAPSHOT_INSIDE(s);
	*ret_root = s->root_record.digest;
	*ret_revision = s->revision;
}

void snapshot_close(struct snapshot *s)
{
	struct tree *t = atomic_load(&s->first[0]);

	while (t) {
		struct tree *next = atomic_load(&t->next[0]);
		cache_unpin(s->cache, &t->digest);
		snapshot_free_tree(t);
		t = next;
	}
	id_runs_done(&s->inherited);
	free(s->choice);
	gate_done(&s->gate);
	pthread_mutex_destroy(&s->lock);
}
