/* SPDX-License-Identifier: MIT */
/* See cache_owner.h. */
#include "fetchfs/client/cache_owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

#define MAX_DEPTH 8	/* a cache has five levels */

struct giving {
	uid_t from, to;
	gid_t group;
	dev_t device;
};

static errint_t give_below(const struct giving *g, int directory, unsigned depth);

/* What is looked at is what changes hands, whatever its name stands for meanwhile. */
static errint_t give_entry(const struct giving *g, int directory, const char *name, unsigned depth)
{
	_cleanup_close_ int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat s;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &s) < 0)
		return -errno;
	if (s.st_dev != g->device)
		return 0;
	if (S_ISDIR(s.st_mode) && depth > 0)
		return give_below(g, fd, depth - 1);
	if (s.st_uid != g->from)
		return 0;
	return fchownat(fd, "", g->to, g->group, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* What is in it first: where it was begun and interrupted, the directory's owner tells that there is more to do. */
static errint_t give_below(const struct giving *g, int directory, unsigned depth)
{
	int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *e;
	struct stat s;
	errint_t r = 0;

	if (!d) {
		r = -errno;
		if (again >= 0)
			close(again);
		return r;
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = give_entry(g, directory, e->d_name, depth);
	closedir(d);
	if (r == 0 && fstat(directory, &s) < 0)
		r = -errno;
	if (r == 0 && s.st_uid == g->from && fchownat(directory, "", g->to, g->group, AT_EMPTY_PATH) < 0)
		r = -errno;
	return r;
}

errint_t cache_give(int directory, uid_t uid, gid_t gid)
{
	struct giving g = { .to = uid, .group = gid };
	struct stat s;

	if (fstat(directory, &s) < 0)
		return -errno;
	if (s.st_uid == uid)
		return 0;
	g.from = s.st_uid;
	g.device = s.st_dev;
	return give_below(&g, directory, MAX_DEPTH);
}
