/* SPDX-License-Identifier: MIT */
/* fetchfs ls: names and attributes of what is published. */
#include "fetchfs/publish/publish.h"
#include "fetchfs/publish/viewer.h"

#include <inttypes.h>
#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

struct ls {
	struct viewer viewer;
	bool is_long, recursive;
	const char *path;
	bool first;		/* of the JSON array */
};

static struct ls settings;

static int on_option(void *context, int id, const char *value)
{
	struct ls *l = context;

	if (id == 'l')
		l->is_long = true;
	else if (id == 'R')
		l->recursive = true;
	else
		return viewer_on_option(&l->viewer, id, value);
	return 0;
}

static void format_mode(uint32_t mode, char ret[11])
{
	static const char letters[] = "rwxrwxrwx";
	static const char types[] = "?pc?d?b?-?l?s???";

	ret[0] = types[mode >> 12 & 15];
	for (int i = 0; i < 9; i++)
		ret[i + 1] = mode & 0400u >> i ? letters[i] : '-';
	if (mode & S_ISUID)
		ret[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		ret[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		ret[9] = mode & S_IXOTH ? 't' : 'T';
	ret[10] = '\0';
}

static void format_time(int64_t seconds, char *ret, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(ret, size, "@%" PRId64, seconds);
}

static void print_long(const struct catalog_inode *i)
{
	char mode[11], time[64], size[32];

	format_mode(i->mode, mode);
	format_time(i->mtime_sec, time, sizeof(time));
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		snprintf(size, sizeof(size), "%" PRIu32 ",%" PRIu32, i->first, i->count);
	else
		snprintf(size, sizeof(size), "%" PRIu64, i->size);
	printf("%s%c %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, i->xattr_set == CATALOG_NONE ? ' ' : '+', i->nlink, i->uid, i->gid,
	       size, time);
}

static void print_plain(const struct ls *l, const struct walk_entry *e)
{
	const struct catalog_inode *i = &e->place->inode;
	const char *target;
	size_t length;

	if (l->is_long)
		print_long(i);
	if (l->recursive)
		viewer_print_name(e->path_length ? e->path : ".", e->path_length ? e->path_length : 1);
	else
		viewer_print_name(e->name, e->name_length);
	if (l->is_long && S_ISLNK(i->mode) && catalog_symlink(&e->place->catalog->c, i, &target, &length) == 0) {
		fputs(" -> ", stdout);
		viewer_print_name(target, length);
	}
	putchar('\n');
}

static json_t *xattrs_json(const struct view_place *p)
{
	json_t *list = json_object();
	uint32_t cursor = 0, size;
	const char *name;
	uint16_t length;
	const void *value;

	while (catalog_xattr_next(&p->catalog->c, p->inode.xattr_set, &cursor, &name, &length, &value, &size) == 0) {
		char key[256];
		snprintf(key, sizeof(key), "%.*s", (int)length, name);
		viewer_json_name(list, key, value, size);
	}
	return list;
}

static errint_t print_json(struct ls *l, const struct walk_entry *e)
{
	const struct catalog_inode *i = &e->place->inode;
	json_t *j = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:I}", "type", viewer_type_name(i->mode), "mode", (int)(i->mode & 07777),
			      "uid", (json_int_t)i->uid, "gid", (json_int_t)i->gid, "nlink", (json_int_t)i->nlink, "size", (json_int_t)i->size,
			      "mtime", (json_int_t)i->mtime_sec, "mtime_nsec", (int)i->mtime_nsec, "inode", (json_int_t)e->place->number);
	const char *target;
	size_t length;

	if (!j)
		return -ENOMEM;
	viewer_json_name(j, "path", e->path, e->path_length);
	if (S_ISLNK(i->mode) && catalog_symlink(&e->place->catalog->c, i, &target, &length) == 0)
		viewer_json_name(j, "target", target, length);
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		json_object_set_new(j, "major", json_integer(i->first));
		json_object_set_new(j, "minor", json_integer(i->count));
	}
	if (i->xattr_set != CATALOG_NONE)
		json_object_set_new(j, "xattrs", xattrs_json(e->place));
	fputs(l->first ? "[\n" : ",\n", stdout);
	l->first = false;
	json_dumpf(j, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(j);
	return 0;
}

static errint_t visit(void *context, const struct walk_entry *e)
{
	struct ls *l = context;

	/* A directory's own line stands only in the recursive list; a file's is all there is. */
	if (e->path_length == 0 && S_ISDIR(e->place->inode.mode) && !l->recursive)
		return 0;
	if (ferror(stdout))
		return trouble_errno(&l->viewer.trouble, -EIO, "cannot write the output");
	if (l->viewer.json)
		return print_json(l, e);
	if (e->path_length == 0 && !S_ISDIR(e->place->inode.mode)) {
		struct walk_entry file = { .path = l->path, .path_length = strlen(l->path), .name = l->path, .name_length = strlen(l->path),
			.place = e->place };
		print_plain(l, &file);
	} else {
		print_plain(l, e);
	}
	return 0;
}

static errint_t list(struct ls *l, const char *where)
{
	struct walk_visitor visitor = { .visit = visit, .shallow = !l->recursive };
	struct view_place start;
	errint_t r = viewer_open(&l->viewer, where, true);

	if (r == 0)
		r = view_resolve(&l->viewer.view, l->path, &start);
	if (r < 0)
		return trouble_errno(&l->viewer.trouble, r, "cannot list %s in %s", l->path, where);
	l->first = true;
	r = walk(&l->viewer.view, &start, &visitor, l);
	if (r == 0 && l->viewer.json)
		fputs(l->first ? "[]\n" : "\n]\n", stdout);
	return r;
}

static int run(void *context, int operands, char **operand)
{
	struct ls *l = context;

	l->path = operands > 1 ? operand[1] : "/";
	return viewer_close(&l->viewer, list(l, operand[0]));
}

static const struct option_spec options[] = {
	{ 'l', "long", NULL, "print attributes, too (times in UTC)", 'l' },
	{ 'R', "recursive", NULL, "list what is below, too", 'R' },
	VIEWER_KEY_OPTION,
	VIEWER_TAG_OPTION,
	VIEWER_JSON_OPTION,
	{ 0 }
};

const struct command ls_command = {
	.name = "ls", .operands = "REPO [PATH]", .summary = "list what is published in a repository (a directory or URL)", .options = options,
	.on_option = on_option, .min_operands = 1, .max_operands = 2, .run = run, .context = &settings,
};
