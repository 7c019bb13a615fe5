/* SPDX-License-Identifier: MIT */
/*
 * Files of the new root (root.h).
 */
#include "contextualize/apply/root.h"

#include "common/io.h"

#include <fcntl.h>
#include <limits.h>

/* Where a path leads: the directory that holds it, and its last name there. */
struct root_place {
	int dir;	/* owned by the walk's stack */
	char name[NAME_MAX + 1];	/* "." for the root itself */
};

struct root_walk {
	int stack[ROOT_MAX_DEPTH];	/* directories from the root down; [0] belongs to struct root */
	unsigned depth;
	unsigned links;
	char rest[PATH_MAX];
};

errint_t root_open(struct root *r, const char *path, const char *run)
{
	*r = (struct root){ .run = -1, .unprivileged = geteuid() != 0 };
	r->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	if (run)
		r->run = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

void root_done(struct root *r)
{
	base_close_fd(&r->fd);
	base_close_fd(&r->run);
	r->fd = r->run = -1;
}

static void walk_up(struct root_walk *w)
{
	if (w->depth > 1)
		close(w->stack[--w->depth]);
}

static void walk_done(struct root_walk *w)
{
	while (w->depth > 1)
		walk_up(w);
}

/* Puts what a link says in front of the rest of the way. */
static errint_t walk_link(struct root_walk *w, const char *name)
{
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t n = readlinkat(w->stack[w->depth - 1], name, target, sizeof target - 1);

	if (n < 0)
		return -errno;
	if (++w->links > ROOT_MAX_LINKS)
		return -ELOOP;
	target[n] = '\0';
	if ((size_t)snprintf(joined, sizeof joined, "%s/%s", target, w->rest) >= sizeof joined)
		return -ENAMETOOLONG;
	strcpy(w->rest, joined);
	if (*target == '/')
		while (w->depth > 1)
			walk_up(w);
	return 0;
}

static errint_t walk_down(struct root_walk *w, const char *name)
{
	int fd;

	if (w->depth >= ROOT_MAX_DEPTH)
		return -ENAMETOOLONG;
	fd = openat(w->stack[w->depth - 1], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	w->stack[w->depth++] = fd;
	return 0;
}

/* Takes the next name off the rest. False: none is left. */
static bool walk_next(struct root_walk *w, char name[NAME_MAX + 1], errint_t *error)
{
	char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	*error = 0;
	if (!n)
		return false;
	if (n > NAME_MAX) {
		*error = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, p, n);
	name[n] = '\0';
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

static bool walk_is_last(const struct root_walk *w)
{
	return w->rest[strspn(w->rest, "/")] == '\0';
}

/* follow: a link at the end is followed too. The caller ends the walk with walk_done. */
static errint_t root_walk_to(struct root *r, const char *path, bool follow, struct root_walk *w, struct root_place *ret)
{
	errint_t e = 0;

	*w = (struct root_walk){ .stack = { r->fd }, .depth = 1 };
	if (r->run >= 0 && (strncmp(path, "/run/", 5) == 0 || strncmp(path, "/var/run/", 9) == 0)) {
		w->stack[0] = r->run;
		path += path[1] == 'r' ? 4 : 8;
	}
	if (strlen(path) >= sizeof w->rest)
		return -ENAMETOOLONG;
	strcpy(w->rest, path);
	strcpy(ret->name, ".");
	while (walk_next(w, ret->name, &e)) {
		struct stat st;
		bool last = walk_is_last(w);

		if (strcmp(ret->name, ".") == 0 || strcmp(ret->name, "..") == 0) {
			if (ret->name[1] == '.')
				walk_up(w);
			strcpy(ret->name, ".");
			continue;
		}
		if (fstatat(w->stack[w->depth - 1], ret->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			e = last && errno == ENOENT ? 0 : -errno;
			break;
		}
		if (S_ISLNK(st.st_mode) && (!last || follow)) {
			e = walk_link(w, ret->name);
		} else if (last) {
			break;
		} else {
			e = walk_down(w, ret->name);
		}
		if (e < 0)
			break;
		strcpy(ret->name, ".");
	}
	ret->dir = w->stack[w->depth - 1];
	return e;
}

static int root_open_at(struct root *r, const char *path, int flags, mode_t mode)
{
	struct root_walk w;
	struct root_place p;
	errint_t e = root_walk_to(r, path, true, &w, &p);
	int fd = e;

	if (e == 0) {
		fd = openat(p.dir, p.name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0)
			fd = -errno;
	}
	walk_done(&w);
	return fd;
}

errint_t root_read(struct root *r, const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = root_open_at(r, path, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_free_ char *data = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	n = io_read_full(fd, data, (size_t)st.st_size);
	if (n < 0)
		return (errint_t)n;
	data[n] = '\0';
	*ret = steal_ptr(data);
	*ret_size = (size_t)n;
	return 0;
}

errint_t root_stat(struct root *r, const char *path, bool follow, struct stat *ret)
{
	struct root_walk w;
	struct root_place p;
	errint_t e = root_walk_to(r, path, follow, &w, &p);

	if (e == 0 && fstatat(p.dir, p.name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		e = -errno;
	walk_done(&w);
	return e;
}

bool root_exists(struct root *r, const char *path)
{
	struct stat st;

	return root_stat(r, path, true, &st) == 0;
}

static errint_t root_fset(struct root *r, int fd, mode_t mode, uint32_t uid, uint32_t gid)
{
	/* The owner first: chown takes set-user-id bits away. */
	if (!r->unprivileged && fchown(fd, uid, gid) < 0)
		return -errno;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static errint_t root_write_at(struct root *r, const struct root_place *p, const void *data, size_t size, mode_t mode, uint32_t uid, uint32_t gid)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	char tmp[32];
	bool there = fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
	errint_t e;

	if (strcmp(p->name, ".") == 0)
		return -EISDIR;
	if (mode == ROOT_KEEP)
		mode = there ? st.st_mode & 07777 : 0644;
	if (uid == ROOT_KEEP_ID)
		uid = there ? st.st_uid : 0;
	if (gid == ROOT_KEEP_ID)
		gid = there ? st.st_gid : 0;
	snprintf(tmp, sizeof tmp, ".spore-%ld", (long)getpid());
	unlinkat(p->dir, tmp, 0);
	fd = openat(p->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	e = io_write_full(fd, data, size);
	if (e == 0)
		e = root_fset(r, fd, mode, uid, gid);
	if (e == 0 && fsync(fd) < 0)
		e = -errno;
	if (e == 0 && renameat(p->dir, tmp, p->dir, p->name) < 0)
		e = -errno;
	if (e < 0)
		unlinkat(p->dir, tmp, 0);
	return e;
}

errint_t root_write(struct root *r, const char *path, const void *data, size_t size, mode_t mode, uint32_t uid, uint32_t gid)
{
	struct root_walk w;
	struct root_place p;
	errint_t e = root_walk_to(r, path, false, &w, &p);

	if (e == 0)
		e = root_write_at(r, &p, data, size, mode, uid, gid);
	walk_done(&w);
	return e;
}

errint_t root_append(struct root *r, const char *path, const void *data, size_t size, mode_t mode, uint32_t uid, uint32_t gid)
{
	struct root_walk w;
	struct root_place p;
	_cleanup_free_ char *old = NULL, *all = NULL;
	size_t old_size = 0;
	errint_t e = root_read(r, path, (size_t)1 << 30, &old, &old_size);

	if (e < 0 && e != -ENOENT)
		return e;
	all = malloc(old_size + size + 1);
	if (!all)
		return -ENOMEM;
	if (old)
		memcpy(all, old, old_size);
	memcpy(all + old_size, data, size);
	e = root_walk_to(r, path, true, &w, &p);
	if (e == 0)
		e = root_write_at(r, &p, all, old_size + size, mode, uid, gid);
	walk_done(&w);
	return e;
}

static errint_t root_mkdir_one(struct root *r, const char *path, mode_t mode, uint32_t uid, uint32_t gid)
{
	struct root_walk w;
	struct root_place p;
	struct stat st;
	errint_t e = root_walk_to(r, path, true, &w, &p);

	if (e == 0 && fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		e = S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	} else if (e == 0) {
		if (mkdirat(p.dir, p.name, 0700) < 0) {
			e = -errno;
		} else {
			_cleanup_close_ int fd = openat(p.dir, p.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			e = fd < 0 ? -errno : root_fset(r, fd, mode, uid, gid);
		}
	}
	walk_done(&w);
	return e;
}

errint_t root_mkdir_p(struct root *r, const char *path, mode_t mode, uint32_t uid, uint32_t gid)
{
	_cleanup_free_ char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *p = part + 1; *p; p++) {
		errint_t e;

		if (*p != '/')
			continue;
		*p = '\0';
		e = root_mkdir_one(r, part, mode, uid, gid);
		*p = '/';
		if (e < 0)
			return e;
	}
	return root_mkdir_one(r, part, mode, uid, gid);
}

errint_t root_set_owner(struct root *r, const char *path, mode_t mode, uint32_t uid, uint32_t gid)
{
	_cleanup_close_ int fd = root_open_at(r, path, O_RDONLY | O_NONBLOCK, 0);

	return fd < 0 ? fd : root_fset(r, fd, mode, uid, gid);
}

errint_t root_symlink(struct root *r, const char *target, const char *path)
{
	struct root_walk w;
	struct root_place p;
	char tmp[32];
	errint_t e = root_walk_to(r, path, false, &w, &p);

	snprintf(tmp, sizeof tmp, ".spore-%ld", (long)getpid());
	if (e == 0) {
		unlinkat(p.dir, tmp, 0);
		if (symlinkat(target, p.dir, tmp) < 0 || renameat(p.dir, tmp, p.dir, p.name) < 0) {
			e = -errno;
			unlinkat(p.dir, tmp, 0);
		}
	}
	walk_done(&w);
	return e;
}

errint_t root_unlink(struct root *r, const char *path)
{
	struct root_walk w;
	struct root_place p;
	errint_t e = root_walk_to(r, path, false, &w, &p);

	if (e == 0 && unlinkat(p.dir, p.name, 0) < 0 && errno != ENOENT)
		e = -errno;
	walk_done(&w);
	return e == -ENOENT ? 0 : e;
}

int root_open_dir(struct root *r, const char *path)
{
	return root_open_at(r, path, O_RDONLY | O_DIRECTORY, 0);
}
