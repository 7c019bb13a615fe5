/* SPDX-License-Identifier: MIT */
/* Lists of files that are read together; see profile.h. */
#include "fetchfs/publish/profile.h"
#include "common/io.h"
#include "common/message.h"

#define PROFILE_MAX_SIZE ((size_t)(64 * MIB))
#define PATH_LENGTH_MAX ((size_t)(8 * KIB))	/* of a path that can be in a profile */

struct profile {
	char *text;		/* lines end with NUL */
	struct table paths;
};

static bool path_equal(const void *value, const void *key)
{
	return strcmp(value, key) == 0;
}

static uint64_t path_hash(const char *path)
{
	return table_hash(path, strlen(path), 0);
}

static errint_t add_line(struct profile *p, char *line)
{
	size_t length = strlen(line);

	while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
		line[--length] = '\0';
	if (*line != '/' || length >= PATH_LENGTH_MAX || table_find(&p->paths, path_hash(line), line, path_equal))
		return *line == '/' || *line == '#' || *line == '\0' ? 0 : -EINVAL;
	return table_add(&p->paths, path_hash(line), line);
}

errint_t profile_read(const char *file, struct profile **ret, struct trouble *t)
{
	struct profile *p = calloc(1, sizeof(*p));
	unsigned number = 0;
	size_t size;
	errint_t r = p ? io_read_file(file, PROFILE_MAX_SIZE, &p->text, &size) : -ENOMEM;

	if (r < 0) {
		profile_free(p);
		return trouble_errno(t, r, "cannot read the profile %s", file);
	}
	for (char *next = p->text; r == 0 && next;) {
		char *line = strsep(&next, "\n");
		number++;
		r = add_line(p, line);
	}
	if (r == 0 && p->paths.count == 0)
		r = trouble_set(t, -EINVAL, EXIT_DATA, "the profile %s names no file: it should hold one absolute path a line", file);
	else if (r == -EINVAL)
		r = trouble_set(t, r, EXIT_DATA, "%s:%u: not an absolute path; a profile has one a line, and '#' for comments", file, number);
	if (r < 0) {
		profile_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	table_done(&p->paths);
	free(p->text);
	free(p);
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

bool profile_has(const struct profile *p, const struct tree_node *node)
{
	char buffer[PATH_LENGTH_MAX];
	const char *path = p ? node_path(node, buffer, sizeof(buffer)) : NULL;

	return path && table_find(&p->paths, path_hash(path), path, path_equal);
}
