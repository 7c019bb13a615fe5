/* SPDX-License-Identifier: MIT */
/*
 * The list of paths that the tree itself wants pinned, /.spore/pinfiles:
 *
 *	file	= *(line LF) [line]
 *	line	= "" | "#" text | path		a path from the root of the tree, with a / at its end for all below a directory; no escapes, no patterns
 */
#include "fetchfs/client/pins_private.h"
#include "fetchfs/client/wait.h"

#include <sys/stat.h>

static bool add_line(struct pins_file *f, const char *line, size_t size)
{
	_cleanup_free_ char *copy = NULL;
	char *path;

	if (size == 0 || *line == '#')
		return true;
	if (f->count == PINS_MAX || size > PINS_PATH_MAX || memchr(line, '\0', size) || !(copy = strndup(line, size)) || pins_normalize(copy, &path) < 0)
		return false;
	f->paths[f->count++] = path;
	return true;
}

void pins_tree_parse(const char *text, size_t size, struct pins_file *ret, unsigned *ret_bad, unsigned *ret_line)
{
	const char *p = text, *end = text + size;

	ret->count = 0;
	*ret_bad = *ret_line = 0;
	for (unsigned number = 1; p < end; number++) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((line_end ? line_end : end) - p);
		if (!add_line(ret, p, n) && (*ret_bad)++ == 0)
			*ret_line = number;
		p += n + !!line_end;
	}
}

/* *ret: to be freed; NULL where there is none. */
static errint_t read_text(struct pins *p, char **ret, size_t *ret_size)
{
	struct pin_walk w = { .pins = p, .keep = true };
	_cleanup_free_ char *text = NULL;
	struct place place;
	struct file *file;
	errint_t r = pins_find(&w, PINS_TREE_PATH, &place);

	*ret = NULL;
	*ret_size = 0;
	if (r == -ENOENT || r == -ENOTDIR || (r == 0 && (!S_ISREG(place.inode.mode) || place.inode.size == 0)))
		return 0;
	if (r < 0)
		return r;
	if (place.inode.size > PINS_TREE_MAX)
		return -EFBIG;
	text = malloc((size_t)place.inode.size);
	r = text ? wait_open(p->files, &place, false, &file) : -ENOMEM;
	if (r < 0)
		return r;
	r = wait_read(p->files, file, 0, (size_t)place.inode.size, false, text);
	files_release(p->files, file);
	if (r < 0)
		return r;
	*ret = steal_ptr(text);
	*ret_size = (size_t)place.inode.size;
	return 0;
}

errint_t pins_tree_read(struct pins *p, struct pins_file *ret, unsigned *ret_bad, unsigned *ret_line)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	errint_t r = read_text(p, &text, &size);

	ret->count = 0;
	*ret_bad = *ret_line = 0;
	if (r == 0 && text)
		pins_tree_parse(text, size, ret, ret_bad, ret_line);
	return r;
}
