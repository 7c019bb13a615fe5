/* SPDX-License-Identifier: MIT */
/* From a profile to a list; see profile_plan.h. Objects are collected in the order in which they are first wanted. */
#include "fetchfs/publish/profile_plan.h"
#include "fetchfs/format/profile_list.h"

#include <sys/stat.h>

struct wanted_object {
	struct profile_list_object o;
	uint64_t bytes;			/* wanted of it */
};

/* A piece of a file that has been counted. */
struct piece {
	uint64_t inode;
	uint32_t extent;
};

struct maker {
	struct view *view;
	struct arena arena;		/* what the tables point to */
	struct table object_table, piece_table;
	struct wanted_object **objects;
	size_t count;
	struct profile_plan_summary *summary;
};

static bool object_equal(const void *value, const void *key)
{
	return digest_equal(&((const struct wanted_object *)value)->o.digest, key);
}

static bool piece_equal(const void *value, const void *key)
{
	const struct piece *a = value, *b = key;

	return a->inode == b->inode && a->extent == b->extent;
}

static errint_t get_object(struct maker *m, const struct profile_list_object *o, struct wanted_object **ret)
{
	uint64_t hash = le64_get(o->digest.bytes);
	struct wanted_object *w = table_find(&m->object_table, hash, &o->digest, object_equal);
	void *list;

	if (!w) {
		w = arena_alloc(&m->arena, sizeof(*w));
		list = w ? arena_grow(&m->arena, m->objects, m->count, sizeof(w)) : NULL;
		if (!list || table_add(&m->object_table, hash, w) < 0)
			return -ENOMEM;
		m->objects = list;
		w->o = *o;
		m->objects[m->count++] = w;
	}
	*ret = w;
	return 0;
}

/* The catalogs from below the root's down to this one. */
static errint_t want_catalogs(struct maker *m, const struct view_catalog *c)
{
	struct catalog_nested n;
	struct wanted_object *w;
	errint_t r;

	if (!c->parent)
		return 0;
	r = want_catalogs(m, c->parent);
	if (r == 0)
		r = catalog_nested(&c->parent->c, c->slot, &n);
	if (r < 0)
		return r;
	return get_object(m, &(struct profile_list_object){ .digest = n.digest, .stored_size = n.stored_size, .size = n.size,
							     .kind = PROFILE_LIST_CATALOG }, &w);
}

/* Notes the piece; *ret_new: it was not there. A file may have several names, and a profile a line twice. */
static errint_t note_piece(struct maker *m, const struct piece *p, bool *ret_new)
{
	uint64_t hash = table_hash(&p->inode, sizeof(p->inode), p->extent);
	struct piece *kept;

	*ret_new = !table_find(&m->piece_table, hash, p, piece_equal);
	if (!*ret_new)
		return 0;
	kept = arena_alloc(&m->arena, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	*kept = *p;
	return table_add(&m->piece_table, hash, kept);
}

static errint_t want_piece(struct maker *m, const struct view_place *file, uint32_t extent, const struct catalog_extent *e)
{
	struct piece piece = { .inode = file->number, .extent = extent };
	struct profile_list_object listed;
	struct catalog_object o;
	struct wanted_object *w;
	bool is_new;
	errint_t r = note_piece(m, &piece, &is_new);

	if (r < 0 || !is_new)
		return r;
	r = catalog_object(&file->catalog->c, e->object, &o);
	if (r < 0)
		return r;
	listed = (struct profile_list_object){ .digest = o.digest, .stored_size = o.stored_size, .size = o.size, .kind = o.kind };
	/* A chunk that is the same in several files is fetched for the first of them. */
	if (o.kind == CATALOG_OBJECT_CHUNK) {
		listed.inode = piece.inode;
		listed.extent = extent;
	}
	r = get_object(m, &listed, &w);
	if (r == 0)
		w->bytes += e->length;
	return r;
}

static errint_t want_file(struct maker *m, const struct view_place *file, const struct profile_entry *e)
{
	struct catalog_extent x;
	uint64_t at = 0;
	errint_t r;

	for (uint32_t i = 0; (r = catalog_extent(&file->catalog->c, &file->inode, i, &x)) == 0; i++) {
		bool wanted = e->length == 0 || (e->offset < at + x.length && at < e->offset + e->length);
		if (wanted && x.object != CATALOG_NONE)
			r = want_piece(m, file, i, &x);
		if (r < 0)
			return r;
		at += x.length;
	}
	return r == -ENOENT ? 0 : r;
}

/* The directory that holds the entry, and the entry. */
static errint_t resolve(struct maker *m, const char *path, struct view_place *ret_directory, struct view_place *ret)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *directory = strndup(path, (size_t)(name - path));
	errint_t r = directory ? view_resolve(m->view, directory, ret_directory) : -ENOMEM;

	*ret = *ret_directory;
	if (r < 0 || *name == '\0')
		return r;
	if (!S_ISDIR(ret_directory->inode.mode))
		return -ENOTDIR;
	return view_lookup(m->view, ret_directory, name, strlen(name), ret);
}

static errint_t want_line(struct maker *m, const struct profile_entry *e)
{
	struct view_place directory, place;
	errint_t r = resolve(m, e->path, &directory, &place);

	m->summary->lines++;
	if (r == -ENOENT || r == -ENOTDIR) {
		m->summary->missing++;
		return 0;
	}
	/* A mount point's place is in its nested catalog; a hard link's may be in one above the directory's. */
	if (r == 0)
		r = want_catalogs(m, directory.catalog);
	if (r == 0)
		r = want_catalogs(m, place.catalog);
	if (r == 0 && S_ISREG(place.inode.mode))
		r = want_file(m, &place, e);
	return r;
}

static bool is_worth_it(const struct wanted_object *w)
{
	return w->o.kind != CATALOG_OBJECT_PACK || w->bytes >= w->o.size / PROFILE_PLAN_LEAST_SHARE;
}

static errint_t write_list(struct maker *m, void **ret, size_t *ret_size)
{
	_cleanup_free_ struct profile_list_object *objects = calloc(m->count + 1, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < m->count; i++) {
		const struct wanted_object *w = m->objects[i];
		if (!is_worth_it(w)) {
			m->summary->left_out++;
			continue;
		}
		objects[m->summary->objects++] = w->o;
		m->summary->stored_bytes += w->o.stored_size;
	}
	return profile_list_make(objects, m->summary->objects, ret, ret_size);
}

errint_t profile_plan_make(struct view *v, const struct profile *p, void **ret, size_t *ret_size, struct profile_plan_summary *ret_summary)
{
	struct maker m = { .view = v, .arena.max = SIZE_MAX, .summary = ret_summary };
	errint_t r = 0;

	*ret_summary = (struct profile_plan_summary){ .lines = 0 };
	for (uint32_t i = 0; r == 0 && i < p->count; i++)
		r = want_line(&m, &p->entries[i]);
	if (r == 0)
		r = write_list(&m, ret, ret_size);
	if (r == -EFBIG)
		trouble_set(v->trouble, r, EXIT_DATA, "profile '%s' names more than a list can hold (%d objects)", p->name,
			    PROFILE_LIST_MAX_OBJECTS);
	table_done(&m.object_table);
	table_done(&m.piece_table);
	arena_done(&m.arena);
	return r;
}
