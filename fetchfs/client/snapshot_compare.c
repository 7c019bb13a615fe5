/* SPDX-License-Identifier: MIT */
/*
 * Two trees side by side, directory by directory. Subtrees whose catalogs have the same digest are passed over, save for names in them of hard links that
 * live above. What was never loaded the kernel does not know: nothing is said about it.
 */
#include "fetchfs/client/snapshot_private.h"
#include "fetchfs/format/catalog-disk.h"

#include <sys/stat.h>

/* A directory in both trees, or (new NULL) in the old one alone: its own inodes, not yet entered. */
struct pair {
	struct tree *old, *new;
	uint32_t old_index, new_index;
};

struct compare {
	struct snapshot_update *u;
	struct pair *pairs;	/* still to be looked into */
	size_t pair_count;
	bool no_memory;
};

/* An entry of the old or the new tree: where its inode is. */
struct target {
	struct tree *tree;
	uint32_t index;
	struct catalog_inode inode;
};

void *update_append(void *array, size_t *count, size_t size)
{
	/* Powers of two: appending stays cheap. */
	if ((*count & (*count - 1)) == 0) {
		array = realloc(array, (*count ? 2 * *count : 1) * size);
		if (!array)
			return NULL;
	}
	memset((char *)array + *count * size, 0, size);
	++*count;
	return array;
}

static bool same_content(const struct target *a, const struct target *b)
{
	const struct catalog_inode *x = &a->inode, *y = &b->inode;
	const char *s, *t;
	size_t n, m;

	if ((x->mode & S_IFMT) != (y->mode & S_IFMT) || x->size != y->size)
		return false;
	if (S_ISREG(x->mode)) {
		if (x->count != y->count)
			return false;
		for (uint32_t i = 0; i < x->count; i++) {
			struct catalog_extent e, f;
			if (catalog_extent(&a->tree->c, x, i, &e) < 0 || catalog_extent(&b->tree->c, y, i, &f) < 0 || e.length != f.length ||
			    (e.object == CATALOG_NONE) != (f.object == CATALOG_NONE) || !digest_equal(&e.digest, &f.digest))
				return false;
		}
		return true;
	}
	if (S_ISLNK(x->mode))
		return catalog_symlink(&a->tree->c, x, &s, &n) == 0 && catalog_symlink(&b->tree->c, y, &t, &m) == 0 && n == m && memcmp(s, t, n) == 0;
	return !(S_ISCHR(x->mode) || S_ISBLK(x->mode)) || (x->first == y->first && x->count == y->count);
}

static bool same_xattrs(const struct target *a, const struct target *b)
{
	uint32_t i = 0, j = 0, size_a, size_b;
	uint16_t length_a, length_b;
	const char *name_a, *name_b;
	const void *value_a, *value_b;

	if (a->inode.xattr_set == CATALOG_NONE || b->inode.xattr_set == CATALOG_NONE)
		return a->inode.xattr_set == b->inode.xattr_set;
	for (;;) {
		errint_t r = catalog_xattr_next(&a->tree->c, a->inode.xattr_set, &i, &name_a, &length_a, &value_a, &size_a);
		errint_t q = catalog_xattr_next(&b->tree->c, b->inode.xattr_set, &j, &name_b, &length_b, &value_b, &size_b);
		if (r < 0 || q < 0)
			return r == -ENODATA && q == -ENODATA;
		if (length_a != length_b || size_a != size_b || memcmp(name_a, name_b, length_a) != 0 || memcmp(value_a, value_b, size_a) != 0)
			return false;
	}
}

static bool same_attributes(const struct target *a, const struct target *b)
{
	const struct catalog_inode *x = &a->inode, *y = &b->inode;

	return x->mode == y->mode && x->uid == y->uid && x->gid == y->gid && x->nlink == y->nlink && x->size == y->size &&
	       x->allocated == y->allocated && x->mtime_sec == y->mtime_sec && x->mtime_nsec == y->mtime_nsec && same_xattrs(a, b);
}

/* False: that inode of the old tree is spoken for. */
static bool take(struct compare *k, struct tree *t, uint32_t index)
{
	if (!t->taken) {
		t->taken = calloc(1, t->c.inodes);
		if (!t->taken) {
			k->no_memory = true;
			return false;
		}
	}
	if (t->taken[index])
		return false;
	t->taken[index] = 1;
	return true;
}

/* Whether both are one file: the new one then has the old one's number. Each inode on either side is in one pair at most. */
static bool pair_up(struct compare *k, const struct target *old, const struct target *new)
{
	struct origin *o = new->tree->origins ? &new->tree->origins[new->index] : NULL;

	/* In a catalog that stays: it is the same one. */
	if (!o)
		return old->tree == new->tree && old->index == new->index;
	if (o->tree)
		return o->tree == old->tree && o->index == old->index;
	if (!take(k, old->tree, old->index))
		return false;
	*o = (struct origin){ .tree = old->tree, .index = old->index };
	return true;
}

static void add_change(struct compare *k, enum snapshot_change_kind kind, uint64_t ino, const struct tree *tree, uint32_t index,
		       const struct catalog_dirent *name)
{
	struct snapshot_update *u = k->u;
	struct snapshot_change *c = kind == CHANGE_ATTRIBUTES ? UPDATE_APPEND(u->attributes, u->attribute_count)
							      : UPDATE_APPEND(u->changes, u->change_count);

	if (!c) {
		k->no_memory = true;
		return;
	}
	*c = (struct snapshot_change){ .kind = kind, .ino = ino, .tree = (struct tree *)(uintptr_t)tree, .index = index,
				       .name = name ? name->name : NULL, .name_length = name ? name->name_length : 0 };
}

/* Where an entry's inode is: in its catalog or one above. */
static bool find_target(struct tree *t, const struct catalog_dirent *e, struct tree *stay, struct tree *above_stay, struct target *ret)
{
	struct catalog_foreign f = { .levels_up = 0, .inode = e->inode };

	if (e->is_foreign && catalog_foreign(&t->c, e->inode, &f) < 0)
		return false;
	while (t && f.levels_up-- > 0)
		t = t == stay ? above_stay : t->parent;
	ret->tree = t;
	ret->index = f.inode;
	return t && catalog_inode(&t->c, f.inode, &ret->inode) == 0;
}

/* A directory being compared: how the kernel knows it, and what of its own is to be told. */
struct listing {
	uint64_t ino;
	struct tree *known_in;
	uint32_t known_index;
	bool names, attributes;
};

static void name_changed(struct compare *k, struct listing *l, const struct catalog_dirent *e)
{
	add_change(k, CHANGE_NAME, l->ino, l->known_in, l->known_index, e);
	l->names = true;
}

static void push(struct compare *k, const struct target *old, const struct target *new)
{
	struct pair *p = UPDATE_APPEND(k->pairs, k->pair_count);

	if (p)
		*p = (struct pair){ .old = old->tree, .old_index = old->index, .new = new ? new->tree : NULL, .new_index = new ? new->index : 0 };
	else
		k->no_memory = true;
}

static void compare_entry(struct compare *k, struct listing *l, const struct catalog_dirent *e, const struct target *old, const struct target *new)
{
	bool is_directory = S_ISDIR(old->inode.mode) && S_ISDIR(new->inode.mode);
	/* A directory has one name; where a malformed catalog gives it more, it is looked into once, so that this comes to an end. */
	bool is_first = new->tree->origins && !new->tree->origins[new->index].tree;

	if ((!is_directory && !same_content(old, new)) || !pair_up(k, old, new)) {
		name_changed(k, l, e);
		if (S_ISDIR(old->inode.mode))
			push(k, old, NULL);
		return;
	}
	if (!same_attributes(old, new)) {
		struct origin *o = &new->tree->origins[new->index];
		if (!o->told)
			add_change(k, CHANGE_ATTRIBUTES, snapshot_ino(old->tree, old->index), old->tree, old->index, NULL);
		o->told = true;
		l->attributes = true;
	}
	if (is_directory && is_first)
		push(k, old, new);
}

static void end_listing(struct compare *k, const struct listing *l)
{
	if (l->names)
		add_change(k, CHANGE_LISTING, l->ino, l->known_in, l->known_index, NULL);
	else if (l->attributes)
		add_change(k, CHANGE_BARRIER, l->ino, l->known_in, l->known_index, NULL);
}

/* Both lists of names are sorted. */
static errint_t compare_entries(struct compare *k, struct listing *l, const struct target *old, const struct target *new)
{
	uint32_t i = 0, j = 0;

	while (i < old->inode.count || j < new->inode.count) {
		struct catalog_dirent e, f;
		struct target a, b;
		bool has_old = i < old->inode.count, has_new = j < new->inode.count;
		int order;
		if ((has_old && catalog_dirent(&old->tree->c, &old->inode, i, &e) < 0) ||
		    (has_new && catalog_dirent(&new->tree->c, &new->inode, j, &f) < 0))
			return -EBADMSG;
		order = !has_old ? 1 : !has_new ? -1 : catalog_name_compare(e.name, e.name_length, f.name, f.name_length);
		i += order <= 0;
		j += order >= 0;
		if (order <= 0 && !find_target(old->tree, &e, NULL, NULL, &a))
			return -EBADMSG;
		if (order != 0)
			name_changed(k, l, order < 0 ? &e : &f);
		if (order < 0 && S_ISDIR(a.inode.mode))
			push(k, &a, NULL);
		if (order != 0)
			continue;
		if (find_target(new->tree, &f, NULL, NULL, &b))
			compare_entry(k, l, &e, &a, &b);
		else
			return -EBADMSG;
	}
	end_listing(k, l);
	return 0;
}

/* The names in one catalog that stays of inodes above it: those may have changed. */
static errint_t compare_foreign(struct compare *k, struct tree *t, struct tree *stay, struct tree *above)
{
	for (uint32_t d = 0; d < t->c.inodes; d++) {
		struct listing l = { .ino = d ? snapshot_ino(t, d) : t->mount_ino, .known_in = d ? t : t->parent, .known_index = d ? d : t->mount_inode };
		struct catalog_inode dir;
		struct catalog_dirent e;
		if (catalog_inode(&t->c, d, &dir) < 0)
			return -EBADMSG;
		for (uint32_t i = 0; S_ISDIR(dir.mode) && i < dir.count; i++) {
			struct target a, b;
			if (catalog_dirent(&t->c, &dir, i, &e) < 0)
				return -EBADMSG;
			if (!e.is_foreign)
				continue;
			if (!find_target(t, &e, NULL, NULL, &a) || !find_target(t, &e, stay, above, &b))
				return -EBADMSG;
			compare_entry(k, &l, &e, &a, &b);
		}
		end_listing(k, &l);
	}
	return 0;
}

/* A catalog that stays, and all that is loaded below it. */
static errint_t pass_over(struct compare *k, struct tree *t, struct tree *stay, struct tree *above)
{
	errint_t r = t->c.foreign > 0 ? compare_foreign(k, t, stay, above) : 0;

	t->shared = true;
	for (uint32_t i = 0; r == 0 && i < t->c.nested; i++) {
		struct tree *below = atomic_load(&t->nested[i]);
		if (below)
			r = pass_over(k, below, stay, above);
	}
	return r;
}

static errint_t keep_catalog(struct compare *k, struct tree *t, const struct pair *p, uint32_t nested)
{
	struct stay *s = UPDATE_APPEND(k->u->stays, k->u->stay_count);

	if (!s)
		return -ENOMEM;
	*s = (struct stay){ .tree = t, .parent = p->new, .nested = nested, .mount_inode = p->new_index };
	return pass_over(k, t, t, p->new);
}

/* Where the entries of a directory in the old tree are. False: it was never entered. */
static bool enter_old(struct target *t)
{
	if (t->inode.nested == CATALOG_NONE)
		return true;
	t->tree = t->inode.nested < t->tree->c.nested ? atomic_load(&t->tree->nested[t->inode.nested]) : NULL;
	t->index = 0;
	return t->tree && catalog_inode(&t->tree->c, 0, &t->inode) == 0;
}

/* A directory that is gone: whoever is still in it must not find anything there. */
static errint_t remove_entries(struct compare *k, const struct pair *p)
{
	struct target dir = { .tree = p->old, .index = p->old_index }, a;
	uint64_t ino = snapshot_ino(p->old, p->old_index);
	struct catalog_dirent e;

	/* Once, as above. */
	if (!take(k, p->old, p->old_index))
		return k->no_memory ? -ENOMEM : 0;
	if (catalog_inode(&dir.tree->c, dir.index, &dir.inode) < 0)
		return -EBADMSG;
	if (!enter_old(&dir))
		return 0;
	for (uint32_t i = 0; i < dir.inode.count; i++) {
		if (catalog_dirent(&dir.tree->c, &dir.inode, i, &e) < 0 || !find_target(dir.tree, &e, NULL, NULL, &a))
			return -EBADMSG;
		add_change(k, CHANGE_NAME, ino, a.tree, a.index, &e);
		if (S_ISDIR(a.inode.mode))
			push(k, &a, NULL);
	}
	if (dir.inode.count > 0)
		add_change(k, CHANGE_LISTING, ino, p->old, p->old_index, NULL);
	return 0;
}

/* Enters both, and compares what is in them. */
static errint_t compare_directories(struct compare *k, const struct pair *p)
{
	struct listing l = { .ino = p->old->parent == NULL && p->old_index == 0 ? 1 : snapshot_ino(p->old, p->old_index), .known_in = p->old,
			     .known_index = p->old_index };
	struct target old = { .tree = p->old, .index = p->old_index }, new = { .tree = p->new, .index = p->new_index };

	if (catalog_inode(&old.tree->c, old.index, &old.inode) < 0 || catalog_inode(&new.tree->c, new.index, &new.inode) < 0)
		return -EBADMSG;
	if (!enter_old(&old))
		return 0;
	if (new.inode.nested != CATALOG_NONE) {
		uint32_t nested = new.inode.nested;
		struct catalog_nested n;
		struct tree *t;
		if (catalog_nested(&new.tree->c, nested, &n) < 0)
			return -EBADMSG;
		if (old.tree != p->old && digest_equal(&n.digest, &old.tree->digest))
			return keep_catalog(k, old.tree, p, nested);
		t = atomic_load(&new.tree->nested[nested]);
		if (!t) {
			struct missing *m = UPDATE_APPEND(k->u->missing, k->u->missing_count);
			if (m)
				*m = (struct missing){ .parent = new.tree, .nested = nested };
			return m ? 0 : -ENOMEM;
		}
		new.tree = t;
		if (catalog_inode(&t->c, 0, &new.inode) < 0)
			return -EBADMSG;
	}
	return compare_entries(k, &l, &old, &new);
}

static errint_t begin(struct compare *k)
{
	struct snapshot_update *u = k->u;
	struct target old = { .tree = u->snapshot->root }, new = { .tree = u->root };
	struct pair *p;

	for (size_t i = 0; i < u->fresh_count; i++) {
		u->fresh[i]->origins = calloc(u->fresh[i]->c.inodes, sizeof(*u->fresh[i]->origins));
		if (!u->fresh[i]->origins)
			return -ENOMEM;
	}
	if (catalog_inode(&old.tree->c, 0, &old.inode) < 0 || catalog_inode(&new.tree->c, 0, &new.inode) < 0)
		return -EBADMSG;
	pair_up(k, &old, &new);
	if (!same_attributes(&old, &new))
		add_change(k, CHANGE_ATTRIBUTES, 1, NULL, 0, NULL);
	p = UPDATE_APPEND(k->pairs, k->pair_count);
	if (!p)
		return -ENOMEM;
	*p = (struct pair){ .old = old.tree, .new = new.tree };
	return 0;
}

errint_t snapshot_compare(struct snapshot_update *u)
{
	struct compare k = { .u = u };
	errint_t r;

	u->loads = u->snapshot->loads;
	/* Nothing but the revision's number. */
	if (u->root == u->snapshot->root)
		return pass_over(&k, u->root, NULL, NULL);
	r = begin(&k);
	while (r == 0 && k.pair_count > 0) {
		struct pair p = k.pairs[--k.pair_count];
		r = p.new ? compare_directories(&k, &p) : remove_entries(&k, &p);
		if (k.no_memory)
			r = -ENOMEM;
	}
	free(k.pairs);
	return r == 0 && k.no_memory ? -ENOMEM : r;
}

void snapshot_compare_clear(struct snapshot_update *u)
{
	struct tree *t = atomic_load(&u->snapshot->first[0]);

	for (; t; t = atomic_load(&t->next[0])) {
		free(steal_ptr(t->taken));
		free(steal_ptr(t->origins));
		t->shared = false;
	}
	for (size_t i = 0; i < u->fresh_count; i++)
		free(steal_ptr(u->fresh[i]->origins));
	free(steal_ptr(u->attributes));
	free(steal_ptr(u->stays));
	free(steal_ptr(u->missing));
	u->attribute_count = u->stay_count = u->missing_count = 0;
}

void snapshot_compare_undo(struct snapshot_update *u)
{
	snapshot_compare_clear(u);
	free(steal_ptr(u->changes));
	u->change_count = 0;
}
