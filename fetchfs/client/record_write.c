/* SPDX-License-Identifier: MIT */
/*
 * From notes to a profile. Catalogs lead from names to inodes and not back, so the loaded part of the tree is gone through once, and each inode that was noted
 * gets the first path that leads to it.
 */
#include "fetchfs/client/record_private.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/format/profile.h"

#include <sys/stat.h>

/* An inode, and where its path begins in the text of paths; NO_PATH: none was found. */
struct named {
	uint64_t ino;
	size_t path, length;
};
#define NO_PATH SIZE_MAX

struct namer {
	struct snapshot *snapshot;
	struct named *list;		/* sorted by ino */
	size_t count, found;
	char *paths;
	size_t used, room;
	/* the directory that is being gone through, and those above it */
	struct level {
		struct place dir;
		uint32_t position;
		size_t length;		/* of its path */
	} *levels;
	size_t depth, level_room;
	char path[PROFILE_PATH_MAX + 1];
};

static int by_ino(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static struct named *find_named(const struct namer *n, uint64_t ino)
{
	return n->count ? bsearch(&(struct named){ .ino = ino }, n->list, n->count, sizeof(*n->list), by_ino) : NULL;
}

static errint_t list_inodes(struct namer *n, const struct record_event *events, size_t count)
{
	size_t kept = 0;

	n->list = calloc(count + 1, sizeof(*n->list));
	if (!n->list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		n->list[i] = (struct named){ .ino = events[i].ino, .path = NO_PATH };
	qsort(n->list, count, sizeof(*n->list), by_ino);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || n->list[kept - 1].ino != n->list[i].ino)
			n->list[kept++] = n->list[i];
	n->count = kept;
	return 0;
}

static errint_t give_name(struct namer *n, uint64_t ino, size_t length)
{
	struct named *found = find_named(n, ino);

	if (!found || found->path != NO_PATH)
		return 0;
	if (n->used + length > n->room) {
		size_t room = MAX(2 * n->room, n->used + length + 4096);
		char *larger = realloc(n->paths, room);
		if (!larger)
			return -ENOMEM;
		n->paths = larger;
		n->room = room;
	}
	if (length)
		memcpy(n->paths + n->used, n->path, length);
	found->path = n->used;
	found->length = length;
	n->used += length;
	n->found++;
	return 0;
}

/* The directory itself, or its nested catalog's root where that is loaded; false where it is not. */
static bool enter(struct place *dir)
{
	struct tree *t;

	if (dir->inode.nested == CATALOG_NONE)
		return true;
	if (dir->inode.nested >= dir->tree->c.nested)
		return false;
	t = atomic_load_explicit(&dir->tree->nested[dir->inode.nested], memory_order_acquire);
	if (!t)
		return false;
	dir->tree = t;
	dir->index = 0;
	return catalog_inode(&t->c, 0, &dir->inode) == 0;
}

static errint_t push(struct namer *n, const struct place *dir, size_t length)
{
	struct place entered = *dir;

	if (!enter(&entered))
		return 0;
	if (n->depth == n->level_room) {
		size_t room = n->level_room ? 2 * n->level_room : 32;
		void *larger = realloc(n->levels, room * sizeof(*n->levels));
		if (!larger)
			return -ENOMEM;
		n->levels = larger;
		n->level_room = room;
	}
	n->levels[n->depth++] = (struct level){ .dir = entered, .length = length };
	return 0;
}

/* The next entry of the directory at hand. */
static errint_t step(struct namer *n)
{
	struct level *l = &n->levels[n->depth - 1];
	struct catalog_dirent e;
	struct place p;
	size_t length;
	errint_t r;

	if (l->position == l->dir.inode.count) {
		n->depth--;
		return 0;
	}
	r = snapshot_entry(n->snapshot, &l->dir, l->position++, &e, &p);
	length = l->length + 1 + e.name_length;
	/* What is malformed or too long for a profile has no name in it. */
	if (r < 0 || length > PROFILE_PATH_MAX)
		return 0;
	n->path[l->length] = '/';
	memcpy(n->path + l->length + 1, e.name, e.name_length);
	r = give_name(n, p.ino, length);
	if (r == 0 && S_ISDIR(p.inode.mode))
		r = push(n, &p, length);
	return r;
}

static errint_t find_names(struct namer *n)
{
	struct place root;
	errint_t r = snapshot_place(n->snapshot, 1, &root);

	if (r == 0)
		r = give_name(n, 1, 0);
	if (r == 0)
		r = push(n, &root, 0);
	while (r == 0 && n->depth > 0 && n->found < n->count)
		r = step(n);
	return r;
}

/* Parts of one file that follow each other become one extent. Returns the number of events that the line stands for. */
static size_t print_line(FILE *f, const struct namer *n, const struct record_event *e, size_t left)
{
	const struct named *name = find_named(n, e->ino);
	size_t parts = 1;

	if (e->part < RECORD_DIRECTORY)
		while (parts < left && e[parts].ino == e->ino && e[parts].part == e->part + parts)
			parts++;
	if (!name || name->path == NO_PATH)
		return parts;
	profile_print_path(f, n->paths + name->path, name->length);
	if (e->part == RECORD_DIRECTORY)
		fputc('/', f);
	else if (e->part != RECORD_WHOLE)
		fprintf(f, "\t%llu+%llu", (unsigned long long)(e->part * CHUNK_SIZE), (unsigned long long)(parts * CHUNK_SIZE));
	fputc('\n', f);
	return parts;
}

static errint_t print_all(const struct namer *n, const struct record_event *events, size_t count, char **ret_text, size_t *ret_size)
{
	FILE *f = open_memstream(ret_text, ret_size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "# what was read of %s, revision %llu, in order\n", n->snapshot->name, (unsigned long long)n->snapshot->revision);
	for (size_t i = 0; i < count;)
		i += print_line(f, n, &events[i], count - i);
	if (fclose(f) == 0)
		return 0;
	free(steal_ptr(*ret_text));
	return -ENOMEM;
}

errint_t record_format(struct snapshot *s, const struct record_event *events, size_t count, char **ret_text, size_t *ret_size)
{
	struct namer *n = calloc(1, sizeof(*n));
	errint_t r = n ? 0 : -ENOMEM;

	if (!n)
		return r;
	n->snapshot = s;
	SNAPSHOT_INSIDE(s);
	r = list_inodes(n, events, count);
	if (r == 0)
		r = find_names(n);
	if (r == 0)
		r = print_all(n, events, count, ret_text, ret_size);
	free(n->list);
	free(n->paths);
	free(n->levels);
	free(n);
	return r;
}
