/* SPDX-License-Identifier: MIT */
/*
 * The tree of catalogs; see snapshot.h. The index from inode numbers to catalogs is a skip list that only grows: links are
 * published when what they lead to is complete, so that readers need no lock.
 */
#include "fetchfs/client/snapshot.h"

#include <sys/stat.h>

static void link_tree(struct snapshot *s, struct tree *t)
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

static void free_tree(struct tree *t)
{
	if (!t)
		return;
	if (t->c.data)
		cache_unmap(t->c.data, t->c.size);
	free((void *)t->nested);
	free(t);
}

/* Takes over data. */
static errint_t new_tree(const void *data, size_t size, const struct digest *d, uint64_t base, struct tree **ret)
{
	struct tree *t = calloc(1, sizeof(*t));
	errint_t r;

	if (!t) {
		cache_unmap(data, size);
		return -ENOMEM;
	}
	r = catalog_open(data, size, &t->c);
	if (r < 0) {
		cache_unmap(data, size);
		t->c.data = NULL;
	}
	if (r == 0 && t->c.nested > 0) {
		t->nested = calloc(t->c.nested, sizeof(*t->nested));
		r = t->nested ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free_tree(t);
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

static bool describe_nested(struct snapshot_waiter *w, struct catalog_nested *ret)
{
	return catalog_nested(&w->parent->c, w->nested, ret) == 0;
}

/* data: mapped; taken over. */
static errint_t install(struct snapshot_waiter *w, const struct catalog_nested *n, const void *data)
{
	struct snapshot *s = w->snapshot;
	struct tree *t;
	errint_t r = new_tree(data, n->size, &n->digest, w->parent->base + n->inode_base, &t);

	if (r < 0)
		return r;
	t->parent = w->parent;
	t->mount_inode = n->inode;
	t->mount_ino = 1 + w->parent->base + n->inode;
	pthread_mutex_lock(&s->lock);
	if (atomic_load(&w->parent->nested[w->nested])) {
		/* Somebody else was faster. */
		free_tree(t);
	} else if (t->c.subtree_inodes != n->subtree_inodes || !is_disjoint(s, t)) {
		free_tree(t);
		r = -EBADMSG;
	} else {
		link_tree(s, t);
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
	struct catalog_nested n;
	const void *mapped;

	if (r == 0 && atomic_load(&w->parent->nested[w->nested])) {
		w->ready(w, 0);
		return;
	}
	if (r == 0 && !describe_nested(w, &n))
		r = -EBADMSG;
	if (r == 0)
		r = cache_put_catalog(w->snapshot->cache, &n.digest, data, size, &mapped);
	if (r == 0)
		r = install(w, &n, mapped);
	w->ready(w, r);
}

/* 0: it is there now. */
static errint_t load_nested(struct snapshot *s, struct tree *parent, uint32_t nested, struct snapshot_waiter *w)
{
	struct snapshot_waiter own;
	struct catalog_nested n;
	const void *data;
	errint_t r;

	if (!w)
		w = &own;
	w->snapshot = s;
	w->parent = parent;
	w->nested = nested;
	if (!describe_nested(w, &n))
		return -EBADMSG;
	r = cache_map_catalog(s->cache, &n.digest, n.size, &data);
	if (r == 0)
		return install(w, &n, data);
	if (w == &own)
		return -EAGAIN;
	w->waiter.ready = nested_ready;
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

errint_t snapshot_place(struct snapshot *s, uint64_t ino, struct place *ret)
{
	struct tree *t = ino > 0 ? find_tree(s, ino - 1) : NULL;

	if (!t || ino - 1 - t->base >= t->c.inodes)
		return -ESTALE;
	ret->tree = t;
	ret->index = (uint32_t)(ino - 1 - t->base);
	ret->ino = ino;
	return catalog_inode(&t->c, ret->index, &ret->inode);
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
	ret->ino = 1 + t->base + f.inode;
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
	if (dir->index != 0)
		/* The root of a nested catalog is shown as the directory where it hangs. */
		return dir->inode.parent == 0 && t->parent ? t->mount_ino : 1 + t->base + dir->inode.parent;
	if (!t->parent)
		return 1;
	if (catalog_inode(&t->parent->c, t->mount_inode, &mount) < 0)
		return 1;
	return mount.parent == 0 && t->parent->parent ? t->parent->mount_ino : 1 + t->parent->base + mount.parent;
}

static errint_t load_root(struct snapshot *s, unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE])
{
	const struct manifest_root *m = &s->root_record;
	struct store_object o = { .digest = m->digest, .stored_size = m->stored_size, .size = m->size };
	_cleanup_free_ void *fetched = NULL;
	const void *data;
	errint_t r = cache_map_catalog(s->cache, &m->digest, m->size, &data);

	if (r < 0) {
		r = store_fetch_now(s->store, &o, limit, &fetched, ret_error);
		if (r == 0)
			r = cache_put_catalog(s->cache, &m->digest, fetched, m->size, &data);
	}
	if (r < 0)
		return r;
	r = new_tree(data, m->size, &m->digest, 0, &s->root);
	if (r < 0)
		return r;
	s->root->mount_ino = 1;
	cache_pin(s->cache, &m->digest);
	stats_add(s->stats, catalogs, 1);
	link_tree(s, s->root);
	return 0;
}

errint_t snapshot_open(struct snapshot *s, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats, unsigned limit,
		       char ret_error[TRANSPORT_ERROR_SIZE])
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->store = store;
	s->cache = cache;
	s->stats = stats;
	snprintf(s->name, sizeof(s->name), "%s", m->name);
	s->revision = m->revision;
	s->root_record = m->root;
	s->inodes = m->inodes;
	s->bytes = m->bytes;
	return load_root(s, limit, ret_error);
}

void snapshot_close(struct snapshot *s)
{
	struct tree *t = atomic_load(&s->first[0]);

	while (t) {
		struct tree *next = atomic_load(&t->next[0]);
		cache_unpin(s->cache, &t->digest);
		free_tree(t);
		t = next;
	}
	pthread_mutex_destroy(&s->lock);
}
