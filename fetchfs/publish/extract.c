/* SPDX-License-Identifier: MIT */
/* Published files as real ones; see extract.h. */
#include "fetchfs/publish/extract.h"
#include "common/arena.h"
#include "common/io.h"
#include "fetchfs/publish/dirstack.h"
#include "fetchfs/publish/table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PROC_PATH_SIZE (32 + 256)

/* The first name of an inode that has several. */
struct first_name {
	uint64_t number;
	const char *path;
};

struct extract {
	struct view *view;
	struct dirstack stack;
	struct extract_missed missed;
	struct trouble *trouble;
	struct table links;
	struct arena arena;
	int root;
	bool is_root_user;
};

static errint_t fail(struct extract *x, errint_t r, const char *doing, const struct walk_entry *e)
{
	return trouble_errno(x->trouble, r, "cannot %s %s", doing, e->path_length ? e->path : "the root");
}

static bool is_unprivileged(const struct extract *x, int error)
{
	return !x->is_root_user && (error == EPERM || error == EACCES);
}

/* Attributes, in this order: a change of owner takes away set-user-ID bits and capabilities. */

static errint_t set_owner(struct extract *x, const struct walk_entry *e, const char *path, bool *ret_missed)
{
	const struct catalog_inode *i = &e->place->inode;

	if (lchown(path, i->uid, i->gid) == 0)
		return 0;
	if (!is_unprivileged(x, errno) && errno != EINVAL)
		return fail(x, -errno, "set the owner of", e);
	*ret_missed = true;
	x->missed.owners++;
	return 0;
}

/* A file that belongs to somebody else now gets no set-ID bits. */
static errint_t set_mode(struct extract *x, const struct walk_entry *e, const char *path, bool owner_missed)
{
	uint32_t mode = e->place->inode.mode & 07777;

	if (S_ISLNK(e->place->inode.mode))
		return 0;
	if (owner_missed && mode & (S_ISUID | S_ISGID) && !S_ISDIR(e->place->inode.mode)) {
		mode &= ~(uint32_t)(S_ISUID | S_ISGID);
		x->missed.modes++;
	}
	if (chmod(path, mode) == 0)
		return 0;
	return fail(x, -errno, "set the mode of", e);
}

static errint_t set_xattrs(struct extract *x, const struct walk_entry *e, const char *path)
{
	const struct view_place *p = e->place;
	uint32_t cursor = 0, size;
	const char *name;
	uint16_t length;
	const void *value;

	while (catalog_xattr_next(&p->catalog->c, p->inode.xattr_set, &cursor, &name, &length, &value, &size) == 0) {
		char text[256];
		if (length >= sizeof(text))
			return fail(x, -E2BIG, "set an attribute of", e);
		memcpy(text, name, length);
		text[length] = '\0';
		if (lsetxattr(path, text, value, size, 0) == 0)
			continue;
		if (!is_unprivileged(x, errno) && errno != EOPNOTSUPP)
			return trouble_errno(x->trouble, -errno, "cannot set the attribute %s of %s", text, e->path);
		x->missed.xattrs++;
	}
	return 0;
}

static errint_t set_attributes(struct extract *x, const struct walk_entry *e, int dirfd, const char *name)
{
	const struct catalog_inode *i = &e->place->inode;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)i->mtime_sec, .tv_nsec = (long)i->mtime_nsec } };
	char path[PROC_PATH_SIZE];
	bool owner_missed = false;
	errint_t r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	r = set_owner(x, e, path, &owner_missed);
	if (r == 0)
		r = set_mode(x, e, path, owner_missed);
	if (r == 0)
		r = set_xattrs(x, e, path);
	if (r == 0 && utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		r = fail(x, -errno, "set the time of", e);
	return r;
}

/* Contents. */

static errint_t write_content(struct extract *x, const struct walk_entry *e, int fd)
{
	const struct view_place *p = e->place;
	struct catalog_extent extent;
	uint64_t at = 0;
	errint_t r;

	for (uint32_t n = 0; (r = catalog_extent(&p->catalog->c, &p->inode, n, &extent)) == 0; n++) {
		const void *data;
		if (extent.object != CATALOG_NONE) {
			r = view_extent(x->view, p, &extent, &data);
			if (r == 0 && (r = io_pwrite_full(fd, data, (size_t)extent.length, at)) < 0)
				fail(x, r, "write", e);
			if (r < 0)
				return r;
		}
		at += extent.length;
	}
	if (r != -ENOENT)
		return r;
	return ftruncate(fd, (off_t)p->inode.size) < 0 ? fail(x, -errno, "write", e) : 0;
}

static errint_t make_file(struct extract *x, const struct walk_entry *e, int dirfd)
{
	_cleanup_close_ int fd = openat(dirfd, e->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	errint_t r;

	if (fd < 0)
		return fail(x, -errno, "make", e);
	r = write_content(x, e, fd);
	if (r == 0 && close(steal_fd(&fd)) < 0)
		r = fail(x, -errno, "write", e);
	return r;
}

static errint_t make_symlink(struct extract *x, const struct walk_entry *e, int dirfd)
{
	_cleanup_free_ char *text = NULL;
	const char *target;
	size_t length;

	if (catalog_symlink(&e->place->catalog->c, &e->place->inode, &target, &length) < 0)
		return fail(x, -EBADMSG, "make", e);
	text = strndup(target, length);
	if (!text)
		return -ENOMEM;
	return symlinkat(text, dirfd, e->name) < 0 ? fail(x, -errno, "make", e) : 0;
}

/* *ret_missed: it is not there, for want of privilege. */
static errint_t make_node(struct extract *x, const struct walk_entry *e, int dirfd, bool *ret_missed)
{
	const struct catalog_inode *i = &e->place->inode;
	bool is_device = S_ISCHR(i->mode) || S_ISBLK(i->mode);

	if (mknodat(dirfd, e->name, (i->mode & S_IFMT) | 0600, is_device ? makedev(i->first, i->count) : 0) == 0)
		return 0;
	if (!is_device || !is_unprivileged(x, errno))
		return fail(x, -errno, "make", e);
	x->missed.devices++;
	*ret_missed = true;
	return 0;
}

/* Hard links. */

static bool number_equal(const void *value, const void *key)
{
	return ((const struct first_name *)value)->number == *(const uint64_t *)key;
}

static struct first_name *find_first(const struct extract *x, uint64_t number)
{
	return table_find(&x->links, table_hash(&number, sizeof(number), 0), &number, number_equal);
}

static errint_t remember_first(struct extract *x, const struct walk_entry *e)
{
	struct first_name *f = arena_alloc(&x->arena, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->number = e->place->number;
	f->path = arena_copy(&x->arena, e->path, e->path_length);
	return f->path ? table_add(&x->links, table_hash(&f->number, sizeof(f->number), 0), f) : -ENOMEM;
}

/* The directory that a path lies in, and the last component: component by component, since a path may be longer than the system takes. */
static errint_t open_parent(int root, const char *path, const char **ret_name)
{
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);
	const char *slash;

	while (fd >= 0 && (slash = strchr(path, '/'))) {
		char name[256];
		int next;
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int error = errno;
		close(fd);
		errno = error;
		fd = next;
		path = slash + 1;
	}
	*ret_name = path;
	return fd < 0 ? -errno : fd;
}

static errint_t make_link(struct extract *x, const struct walk_entry *e, int dirfd, const struct first_name *first)
{
	const char *name;
	_cleanup_close_ int from = open_parent(x->root, first->path, &name);

	if (from < 0)
		return fail(x, from, "link", e);
	if (linkat(from, name, dirfd, e->name, 0) == 0)
		return 0;
	return fail(x, -errno, "link", e);
}

/* The walk. */

static errint_t make_directory(struct extract *x, const struct walk_entry *e)
{
	int fd;
	errint_t r;

	if (e->path_length == 0) {
		fd = fcntl(x->root, F_DUPFD_CLOEXEC, 3);
	} else {
		/* Its own mode and time come when it has been filled. */
		if (mkdirat(dirstack_fd(&x->stack), e->name, 0700) < 0)
			return fail(x, -errno, "make", e);
		fd = openat(dirstack_fd(&x->stack), e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return fail(x, -errno, "open", e);
	r = dirstack_push(&x->stack, fd);
	return r < 0 ? fail(x, r, "enter", e) : 0;
}

static errint_t visit(void *context, const struct walk_entry *e)
{
	struct extract *x = context;
	const struct catalog_inode *i = &e->place->inode;
	bool is_missing = false, several = i->nlink > 1;
	struct first_name *first;
	int dirfd;
	errint_t r;

	if (S_ISDIR(i->mode))
		return make_directory(x, e);
	dirfd = dirstack_fd(&x->stack);
	first = several ? find_first(x, e->place->number) : NULL;
	if (first)
		return make_link(x, e, dirfd, first);
	if (S_ISREG(i->mode))
		r = make_file(x, e, dirfd);
	else if (S_ISLNK(i->mode))
		r = make_symlink(x, e, dirfd);
	else
		r = make_node(x, e, dirfd, &is_missing);
	if (r < 0 || is_missing)
		return r;
	r = set_attributes(x, e, dirfd, e->name);
	return r == 0 && several ? remember_first(x, e) : r;
}

static errint_t leave(void *context, const struct walk_entry *e)
{
	struct extract *x = context;
	errint_t r = set_attributes(x, e, dirstack_fd(&x->stack), ".");

	if (r == 0) {
		r = dirstack_pop(&x->stack);
		if (r < 0)
			fail(x, r, "leave", e);
	}
	return r;
}

errint_t extract_tree(struct view *v, const struct view_place *start, int directory, struct extract_missed *ret_missed, struct trouble *t)
{
	static const struct walk_visitor visitor = { .visit = visit, .leave = leave };
	struct extract x = { .view = v, .trouble = t, .root = directory, .is_root_user = geteuid() == 0, .arena = { .max = SIZE_MAX } };
	errint_t r = walk(v, start, &visitor, &x);

	*ret_missed = x.missed;
	dirstack_done(&x.stack);
	table_done(&x.links);
	arena_done(&x.arena);
	return r;
}
