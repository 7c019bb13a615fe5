/* SPDX-License-Identifier: MIT */
/* The profiles of a publish; see profile.h. */
#include "fetchfs/publish/profile.h"
#include "common/io.h"

static bool path_equal(const void *value, const void *key)
{
	return strcmp(((const struct profile_entry *)value)->path, key) == 0;
}

static uint64_t path_hash(const char *path)
{
	return table_hash(path, strlen(path), 0);
}

static errint_t add_entry(struct profile *p, size_t *room, const char *path, uint64_t offset, uint64_t length)
{
	if (p->count == PROFILE_MAX_LINES)
		return -EFBIG;
	if (p->count == *room) {
		size_t larger = *room ? 2 * *room : 256;
		void *entries = realloc(p->entries, larger * sizeof(*p->entries));
		if (!entries)
			return -ENOMEM;
		p->entries = entries;
		*room = larger;
	}
	p->entries[p->count] = (struct profile_entry){ .path = path, .offset = offset, .length = length, .next = UINT32_MAX, .last = p->count };
	p->count++;
	return 0;
}

static errint_t add_line(struct profile *p, size_t *room, char *text)
{
	struct profile_line line;
	uint64_t offset, length;
	errint_t r = profile_parse_line(text, &line);

	if (r < 0 || !line.path)
		return r;
	if (!line.extents)
		return add_entry(p, room, line.path, 0, 0);
	while (r == 0 && profile_next_extent(&line.extents, &offset, &length))
		r = add_entry(p, room, line.path, offset, length);
	return r;
}

/* Entries of one path are chained from the first of them. Only now, since the array moves while it grows. */
static errint_t index_paths(struct profile *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		struct profile_entry *e = &p->entries[i];
		uint64_t hash = path_hash(e->path);
		struct profile_entry *first = table_find(&p->paths, hash, e->path, path_equal);
		if (first) {
			p->entries[first->last].next = i;
			first->last = i;
		} else if (table_add(&p->paths, hash, e) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static void profile_free(struct profile *p)
{
	if (!p)
		return;
	table_done(&p->paths);
	free(p->entries);
	free(p->text);
	free(p);
}

static errint_t parse(struct profile *p, const char *source, struct trouble *t)
{
	unsigned number = 0;
	size_t room = 0;
	errint_t r = 0;

	for (char *next = p->text; r == 0 && next; number++)
		r = add_line(p, &room, strsep(&next, "\n"));
	if (r == 0 && p->count == 0)
		return trouble_set(t, -EINVAL, EXIT_DATA, "the profile %s names no file: it should hold one absolute path a line", source);
	if (r == -EINVAL)
		return trouble_set(t, r, EXIT_DATA, "%s:%u: not a line of a profile: an absolute path with '\\ooo' for strange bytes and perhaps "
				   "a tab and OFFSET+LENGTH, or '#' and a comment", source, number);
	if (r == -ENAMETOOLONG)
		return trouble_set(t, r, EXIT_DATA, "%s:%u: the path is longer than %d bytes", source, number, PROFILE_PATH_MAX);
	if (r == -EFBIG)
		return trouble_set(t, r, EXIT_DATA, "the profile %s has more than %d lines", source, PROFILE_MAX_LINES);
	return r == 0 ? index_paths(p) : r;
}

errint_t profiles_add(struct profiles *p, const char *name, char *text, const char *source, struct trouble *t)
{
	struct profile *new = calloc(1, sizeof(*new));
	errint_t r;

	if (!new || p->count == ARRAY_SIZE(p->list)) {
		free(new);
		free(text);
		return new ? trouble_set(t, -E2BIG, EXIT_DATA, "more than %d profiles", MANIFEST_MAX_PROFILES) : -ENOMEM;
	}
	snprintf(new->name, sizeof(new->name), "%s", name);
	new->text = text;
	r = parse(new, source, t);
	if (r < 0)
		profile_free(new);
	else
		p->list[p->count++] = new;
	return r;
}

errint_t profiles_read(struct profiles *p, const char *argument, struct trouble *t)
{
	const char *equals = strchr(argument, '='), *slash = strchr(argument, '/');
	bool named = equals && (!slash || equals < slash);
	const char *file = named ? equals + 1 : argument;
	_cleanup_free_ char *name = named ? strndup(argument, (size_t)(equals - argument)) : strdup(PROFILE_DEFAULT_NAME);
	char *text;
	size_t size;
	errint_t r;

	if (!name)
		return -ENOMEM;
	if (!manifest_name_valid(name))
		return trouble_set(t, -EINVAL, EXIT_USAGE, "'%s' cannot be a profile's name: up to %d letters, digits, '.', '_' and '-', the first a "
				   "letter or digit", name, MANIFEST_NAME_MAX);
	if (profiles_find(p, name))
		return trouble_set(t, -EEXIST, EXIT_USAGE, "profile '%s' is given twice; name the second one: --profile NAME=FILE", name);
	r = io_read_file(file, PROFILE_MAX_SIZE, &text, &size);
	return r < 0 ? trouble_errno(t, r, "cannot read the profile %s", file) : profiles_add(p, name, text, file, t);
}

const struct profile *profiles_find(const struct profiles *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->list[i]->name, name) == 0)
			return p->list[i];
	return NULL;
}

void profiles_done(struct profiles *p)
{
	while (p->count > 0)
		profile_free(p->list[--p->count]);
}

/* The path, written from its end to the front; NULL where it is too long for a profile. */
static const char *node_path(const struct tree_node *node, char *buffer, size_t size)
{
	size_t at = size - 1;

	buffer[at] = '\0';
	for (; node->parent; node = node->parent) {
		if (at < (size_t)node->name_length + 1)
			return NULL;
		at -= node->name_length;
		memcpy(buffer + at, node->name, node->name_length);
		buffer[--at] = '/';
	}
	return buffer + at;
}

static bool overlaps(const struct profile_entry *e, uint64_t offset, uint64_t length)
{
	return e->length == 0 || (e->offset < offset + length && offset < e->offset + e->length);
}

static bool find_entry(const struct profile *p, const char *path, uint64_t hash, uint64_t offset, uint64_t length, uint32_t *ret)
{
	const struct profile_entry *e = table_find(&p->paths, hash, path, path_equal);

	while (e && !overlaps(e, offset, length))
		e = e->next == UINT32_MAX ? NULL : &p->entries[e->next];
	if (e)
		*ret = (uint32_t)(e - p->entries);
	return e;
}

bool profiles_rank(const struct profiles *p, const struct tree_node *node, uint64_t offset, uint64_t length, struct profile_rank *ret)
{
	char buffer[PROFILE_PATH_MAX + 1];
	const char *path = p && p->count ? node_path(node, buffer, sizeof(buffer)) : NULL;
	uint64_t hash = path ? path_hash(path) : 0;

	for (uint32_t i = 0; path && i < p->count; i++) {
		if (!find_entry(p->list[i], path, hash, offset, length, &ret->entry))
			continue;
		ret->profile = i;
		return true;
	}
	return false;
}

errint_t profile_format(const struct profile *p, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->count; i++) {
		const struct profile_entry *e = &p->entries[i];
		profile_print_path(f, e->path, strlen(e->path));
		if (e->length)
			fprintf(f, "\t%llu+%llu", (unsigned long long)e->offset, (unsigned long long)e->length);
		fputc('\n', f);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	/* It is read back as any other. */
	if (*ret_size > PROFILE_MAX_SIZE)
		return -EFBIG;
	*ret_text = steal_ptr(text);
	return 0;
}
