/* SPDX-License-Identifier: MIT */
/* fetchfs cat: the content of published files on standard output. */
#include "common/io.h"
#include "fetchfs/publish/publish.h"
#include "fetchfs/publish/viewer.h"

#include <sys/stat.h>

static struct viewer settings;

static int on_option(void *context, int id, const char *value)
{
	return viewer_on_option(context, id, value);
}

static errint_t write_zeros(uint64_t length)
{
	static const char zeros[65536];
	errint_t r = 0;

	while (r == 0 && length > 0) {
		size_t n = (size_t)MIN(length, sizeof(zeros));
		r = io_write_full(STDOUT_FILENO, zeros, n);
		length -= n;
	}
	return r;
}

static errint_t write_extent(struct viewer *v, const struct view_place *file, const struct catalog_extent *e)
{
	const void *data;
	errint_t r = 0;

	if (e->object == CATALOG_NONE) {
		r = write_zeros(e->length);
	} else {
		r = view_extent(&v->view, file, e, &data);
		if (r < 0)
			return r;
		r = io_write_full(STDOUT_FILENO, data, (size_t)e->length);
	}
	return r < 0 ? trouble_set(&v->trouble, r, EXIT_CANNOT_CREATE, "cannot write to standard output: %s", strerror(-r)) : 0;
}

static errint_t cat(struct viewer *v, const char *path)
{
	struct view_place place;
	struct catalog_extent e;
	errint_t r = view_resolve(&v->view, path, &place);

	if (r == 0 && S_ISDIR(place.inode.mode))
		r = -EISDIR;
	else if (r == 0 && !S_ISREG(place.inode.mode))
		return trouble_set(&v->trouble, -EINVAL, EXIT_NO_INPUT, "%s is no regular file but a %s", path, viewer_type_name(place.inode.mode));
	if (r < 0)
		return trouble_errno(&v->trouble, r, "cannot read %s", path);
	for (uint32_t n = 0; (r = catalog_extent(&place.catalog->c, &place.inode, n, &e)) == 0; n++) {
		r = write_extent(v, &place, &e);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int run(void *context, int operands, char **operand)
{
	struct viewer *v = context;
	errint_t r = viewer_open(v, operand[0], true);

	for (int i = 1; r == 0 && i < operands; i++)
		r = cat(v, operand[i]);
	return viewer_close(v, r);
}

static const struct option_spec options[] = {
	VIEWER_KEY_OPTION,
	VIEWER_TAG_OPTION,
	{ 0 }
};

const struct command cat_command = {
	.name = "cat", .operands = "REPO PATH...", .summary = "print the content of published files", .options = options,
	.on_option = on_option, .min_operands = 2, .max_operands = -1, .run = run, .context = &settings,
};
