/* SPDX-License-Identifier: MIT */
/* fetchfs export: a published tree as a directory or as a tar. */
#include "common/io.h"
#include "fetchfs/publish/extract.h"
#include "fetchfs/publish/publish.h"
#include "fetchfs/publish/totar.h"
#include "fetchfs/publish/viewer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

struct export {
	struct viewer viewer;
	const char *output, *path;
};

static struct export settings = { .path = "/" };

static int on_option(void *context, int id, const char *value)
{
	struct export *x = context;

	if (id == 'o')
		x->output = value;
	else if (id == 'p')
		x->path = value;
	else
		return viewer_on_option(&x->viewer, id, value);
	return 0;
}

/* Nothing that is there is ever written over. */
static errint_t open_empty(const char *path, int *ret, struct trouble *t)
{
	struct dirent *e;
	errint_t r = io_mkdir_p(path, 0755);
	DIR *d = r == 0 ? opendir(path) : NULL;

	if (!d)
		return trouble_set(t, r < 0 ? r : -errno, EXIT_CANNOT_CREATE, "cannot make the directory %s: %s", path,
				   strerror(r < 0 ? -r : errno));
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = trouble_set(t, -ENOTEMPTY, EXIT_CANNOT_CREATE, "%s is not empty; export into a new directory", path);
	closedir(d);
	if (r < 0)
		return r;
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? trouble_errno(t, -errno, "cannot open %s", path) : 0;
}

static void tell_missed(const struct extract_missed *m)
{
	if (m->owners | m->devices | m->xattrs | m->modes)
		message_warning("not set for want of privilege: %llu owners, %llu devices, %llu extended attributes, %llu set-ID bits; "
				"only root can make an exact copy (or use -o FILE.tar)", (unsigned long long)m->owners,
				(unsigned long long)m->devices, (unsigned long long)m->xattrs, (unsigned long long)m->modes);
}

static errint_t to_directory(struct export *x, const struct view_place *start, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct extract_missed missed;
	errint_t r;

	if (!S_ISDIR(start->inode.mode))
		return trouble_set(&x->viewer.trouble, -ENOTDIR, EXIT_USAGE, "%s is no directory; 'fetchfs cat' prints a file", x->path);
	r = open_empty(path, &fd, &x->viewer.trouble);
	if (r < 0)
		return r;
	r = extract_tree(&x->viewer.view, start, fd, &missed, &x->viewer.trouble);
	if (r == 0)
		tell_missed(&missed);
	return r;
}

static int run(void *context, int operands, char **operand)
{
	struct export *x = context;
	struct view_place start;
	uint64_t sockets = 0;
	errint_t r;

	if (!x->output == (operands < 2)) {
		message_error("name either a directory or, with -o, a tar file; see 'fetchfs export --help'");
		return EXIT_USAGE;
	}
	umask(0);
	r = viewer_open(&x->viewer, operand[0], true);
	if (r == 0) {
		r = view_resolve(&x->viewer.view, x->path, &start);
		if (r < 0)
			trouble_errno(&x->viewer.trouble, r, "cannot export %s", x->path);
	}
	if (r == 0)
		r = x->output ? totar_write(&x->viewer.view, &start, x->output, &sockets, &x->viewer.trouble) : to_directory(x, &start, operand[1]);
	if (r == 0 && sockets)
		message_warning("left out, since a tar cannot hold them: %llu sockets", (unsigned long long)sockets);
	return viewer_close(&x->viewer, r);
}

static const struct option_spec options[] = {
	{ 'o', "output", "FILE", "write a tar, compressed by its suffix (.gz, .xz, .zst); - is standard output", 'o' },
	{ 'p', "path", "PATH", "export what is below PATH, not all", 'p' },
	VIEWER_KEY_OPTION,
	VIEWER_TAG_OPTION,
	{ 0 }
};

const struct command export_command = {
	.name = "export", .operands = "REPO [DIRECTORY]", .summary = "write what is published into a new directory or a tar", .options = options,
	.on_option = on_option, .min_operands = 1, .max_operands = 2, .run = run, .context = &settings,
};
