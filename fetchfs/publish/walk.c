/* SPDX-License-Identifier: MIT */
/* A walk over a published tree; see walk.h. */
#include "fetchfs/publish/walk.h"

#include <sys/stat.h>

struct walk_level {
	struct view_place dir;
	uint32_t next;		/* position of the entry to visit */
	size_t path_length;	/* of the directory */
	size_t name_length;
};

struct walker {
	struct view *view;
	const struct walk_visitor *visitor;
	void *context;
	struct walk_level *levels;
	size_t depth, room;
	char *path;
	size_t path_room;
};

static errint_t push(struct walker *w, const struct view_place *dir, size_t path_length, size_t name_length)
{
	bool new_catalog = w->depth == 0 || w->levels[w->depth - 1].dir.catalog != dir->catalog;

	if (w->depth == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct walk_level *larger = realloc(w->levels, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		w->levels = larger;
		w->room = room;
	}
	w->levels[w->depth++] = (struct walk_level){ .dir = *dir, .path_length = path_length, .name_length = name_length };
	return new_catalog && w->visitor->catalog ? w->visitor->catalog(w->context, dir->catalog) : 0;
}

static struct walk_entry entry_of(const struct walker *w, const struct view_place *place, size_t path_length, size_t name_length)
{
	w->path[path_length] = '\0';
	return (struct walk_entry){ .path = w->path, .path_length = path_length, .name = w->path + path_length - name_length,
		.name_length = name_length, .place = place };
}

static errint_t pop(struct walker *w)
{
	struct walk_level *l = &w->levels[--w->depth];
	errint_t r = 0;

	if (w->visitor->leave) {
		struct walk_entry e = entry_of(w, &l->dir, l->path_length, l->name_length);
		r = w->visitor->leave(w->context, &e);
	}
	if (w->depth > 0 && w->levels[w->depth - 1].dir.catalog != l->dir.catalog)
		view_drop(l->dir.catalog);
	return r;
}

/* Appends a name to a directory's path. */
static errint_t set_path(struct walker *w, size_t at, const char *name, size_t length, size_t *ret_length)
{
	size_t wanted = at + 1 + length + 1;

	if (wanted > w->path_room) {
		char *larger = realloc(w->path, wanted * 2);
		if (!larger)
			return -ENOMEM;
		w->path = larger;
		w->path_room = wanted * 2;
	}
	if (at > 0)
		w->path[at++] = '/';
	memcpy(w->path + at, name, length);
	*ret_length = at + length;
	return 0;
}

static errint_t step(struct walker *w)
{
	struct walk_level *l = &w->levels[w->depth - 1];
	struct catalog_dirent d;
	struct view_place place;
	size_t length = 0;
	errint_t r;

	if (l->next == l->dir.inode.count)
		return pop(w);
	r = view_entry(w->view, &l->dir, l->next++, &d, &place);
	if (r == 0)
		r = set_path(w, l->path_length, d.name, d.name_length, &length);
	if (r == 0) {
		struct walk_entry e = entry_of(w, &place, length, d.name_length);
		r = w->visitor->visit(w->context, &e);
	}
	if (r < 0 || !S_ISDIR(place.inode.mode) || w->visitor->shallow)
		return r;
	return push(w, &place, length, d.name_length);
}

errint_t walk(struct view *v, const struct view_place *start, const struct walk_visitor *visitor, void *context)
{
	struct walker w = { .view = v, .visitor = visitor, .context = context };
	size_t length;
	errint_t r = set_path(&w, 0, "", 0, &length);

	if (r == 0) {
		struct walk_entry e = entry_of(&w, start, 0, 0);
		r = visitor->visit(context, &e);
	}
	if (r == 0 && S_ISDIR(start->inode.mode))
		r = push(&w, start, 0, 0);
	while (r == 0 && w.depth > 0)
		r = step(&w);
	free(w.levels);
	free(w.path);
	return r;
}
