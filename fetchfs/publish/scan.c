/* SPDX-License-Identifier: MIT */
/*
 * A directory as a source; see scan.h. Everything is opened relative to the directory it is in, and the stack of directories is on the heap, so
 * neither the length of a path nor its depth has a limit.
 */
#include "fetchfs/publish/scan.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/publish/attributes.h"
#include "fetchfs/publish/dirstack.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A directory on the way from the root to where the walk is. */
struct level {
	struct tree_node *node;
	uint32_t next;		/* child to look at */
	struct stat before;
};

struct scan {
	const char *path;
	struct tree *tree;
	struct ingest *ingest;
	struct trouble *trouble;
	struct stat repository;
	bool has_repository;
	struct attributes attributes;
	struct table links;	/* inodes with more than one name, by device and number */
	struct dirstack stack;
	struct level *levels;	/* as many as in the stack */
	size_t room;
};

static errint_t fail(struct scan *s, errint_t r, const char *doing, const struct tree_node *node)
{
	char path[TREE_PATH_SIZE];

	tree_path(node, path);
	if (r == -ENOENT)
		return trouble_set(s->trouble, r, EXIT_NO_INPUT, "%s%s vanished while %s was read; nothing was published", s->path, path + 1,
				   s->path);
	if (r == -ESTALE)
		return trouble_set(s->trouble, r, EXIT_DATA, "%s%s changed while it was read; nothing was published", s->path, path + 1);
	if (r == -E2BIG)
		return trouble_set(s->trouble, r, EXIT_DATA, "%s%s: its extended attributes are too large", s->path, path + 1);
	return trouble_errno(s->trouble, r, "cannot %s %s%s", doing, s->path, path + 1);
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static errint_t pop(struct scan *s)
{
	struct level *l = &s->levels[s->stack.depth - 1];
	struct stat now;
	errint_t r;

	if (fstat(dirstack_fd(&s->stack), &now) < 0 || !same_time(&now.st_mtim, &l->before.st_mtim) ||
	    !same_time(&now.st_ctim, &l->before.st_ctim))
		return fail(s, -ESTALE, "read", l->node);
	r = dirstack_pop(&s->stack);
	return r < 0 ? fail(s, r, "leave", l->node) : 0;
}

/* Takes the descriptor. */
static errint_t push(struct scan *s, struct tree_node *node, int fd, const struct stat *before)
{
	errint_t r = dirstack_push(&s->stack, fd);

	if (r < 0)
		return fail(s, r, "enter", node);
	if (s->stack.depth > s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct level *larger = realloc(s->levels, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		s->levels = larger;
		s->room = room;
	}
	s->levels[s->stack.depth - 1] = (struct level){ .node = node, .before = *before };
	return 0;
}

static void set_attributes(struct tree_inode *i, const struct stat *st)
{
	i->mode = st->st_mode;
	i->uid = st->st_uid;
	i->gid = st->st_gid;
	i->mtime_sec = st->st_mtim.tv_sec;
	i->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	i->dev = st->st_dev;
	i->ino = st->st_ino;
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		i->size = (uint64_t)st->st_size;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		i->major = major(st->st_rdev);
		i->minor = minor(st->st_rdev);
	}
}

/* Hard links: the inode that was met before, or NULL. */

struct link_key {
	uint64_t dev, ino;
};

static bool link_equal(const void *value, const void *key)
{
	const struct tree_inode *i = value;
	const struct link_key *k = key;

	return i->dev == k->dev && i->ino == k->ino;
}

static struct tree_inode *find_link(struct scan *s, const struct stat *st)
{
	struct link_key k = { .dev = st->st_dev, .ino = st->st_ino };

	return table_find(&s->links, table_hash(&k, sizeof(k), 0), &k, link_equal);
}

static errint_t remember_link(struct scan *s, struct tree_inode *i)
{
	struct link_key k = { .dev = i->dev, .ino = i->ino };

	return table_add(&s->links, table_hash(&k, sizeof(k), 0), i);
}

static errint_t read_link(struct scan *s, int dirfd, struct tree_node *node)
{
	size_t room = (size_t)node->inode->size + 1;
	char *target = arena_alloc(&s->tree->arena, room + 1);
	ssize_t n;

	if (!target)
		return -ENOMEM;
	n = readlinkat(dirfd, node->name, target, room);
	if (n < 0)
		return fail(s, -errno, "read", node);
	/* procfs and the like tell no size. */
	if (node->inode->size == 0 || (size_t)n != node->inode->size)
		return fail(s, -ESTALE, "read", node);
	node->inode->target = target;
	return 0;
}

/* One entry of a directory: its node and, when its inode has not been met, the inode. */
static errint_t add_entry(struct scan *s, struct tree_node *dir, const char *name)
{
	size_t length = strlen(name);
	struct tree_node *node = tree_new_node(s->tree, dir, name, length, NULL);
	struct stat st;
	bool several;
	errint_t r;

	if (!node || tree_add_child(s->tree, dir, node) < 0)
		return -ENOMEM;
	if (fstatat(dirstack_fd(&s->stack), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(s, -errno, "look at", node);
	several = st.st_nlink > 1 && !S_ISDIR(st.st_mode);
	node->inode = several ? find_link(s, &st) : NULL;
	if (node->inode) {
		node->inode->links++;
		return 0;
	}
	node->inode = tree_new_inode(s->tree);
	if (!node->inode)
		return -ENOMEM;
	set_attributes(node->inode, &st);
	node->inode->links = 1;
	if (several && remember_link(s, node->inode) < 0)
		return -ENOMEM;
	r = attributes_read(&s->attributes, dirstack_fd(&s->stack), name, s->tree, &node->inode->xattrs);
	if (r < 0)
		return fail(s, r, "read the extended attributes of", node);
	return S_ISLNK(st.st_mode) ? read_link(s, dirstack_fd(&s->stack), node) : 0;
}

static errint_t read_entries(struct scan *s, struct tree_node *dir)
{
	int fd = fcntl(dirstack_fd(&s->stack), F_DUPFD_CLOEXEC, 3);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	errint_t r = 0;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return fail(s, r, "read", dir);
	}
	while (r == 0) {
		struct dirent *e;
		errno = 0;
		e = readdir(d);
		if (!e) {
			if (errno)
				r = fail(s, -errno, "read", dir);
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = add_entry(s, dir, e->d_name);
	}
	closedir(d);
	if (r == 0)
		tree_sort_children(dir);
	return r;
}

/* Where the file's data lies. Only a file with fewer blocks than bytes is asked. */
struct extents {
	struct tree_extent *list;	/* in the tree's arena */
	size_t count;
};

static errint_t add_extent(struct scan *s, struct extents *x, uint64_t length)
{
	void *list = arena_grow(&s->tree->arena, x->list, x->count, sizeof(*x->list));

	if (!list || x->count == UINT32_MAX - 1)
		return -ENOMEM;
	x->list = list;
	x->list[x->count++] = (struct tree_extent){ .length = length };
	return 0;
}

/* Cuts data at multiples of the chunk size. */
static uint64_t piece_length(uint64_t at, uint64_t end)
{
	return MIN(end, (at / CHUNK_SIZE + 1) * CHUNK_SIZE) - at;
}

/* The hole at `at`, if any, ends at *ret_data; the data behind it ends at *ret_end. */
static errint_t next_stretch(int fd, const struct stat *st, uint64_t at, uint64_t *ret_data, uint64_t *ret_end)
{
	off_t data, end;

	*ret_data = at;
	*ret_end = (uint64_t)st->st_size;
	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
		return 0;
	data = lseek(fd, (off_t)at, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		*ret_data = (uint64_t)st->st_size;
		return 0;
	}
	if (data < 0)
		return errno == EINVAL ? 0 : -errno;
	end = lseek(fd, data, SEEK_HOLE);
	if (end < 0)
		return errno == EINVAL ? 0 : -errno;
	*ret_data = (uint64_t)MIN(data, st->st_size);
	*ret_end = (uint64_t)MIN(end, st->st_size);
	return 0;
}

/* The list of extents first, since its place in memory must not move while workers' results are put into it. */
static errint_t plan_extents(struct scan *s, int fd, const struct stat *st, struct extents *x, uint8_t **ret_is_data)
{
	_cleanup_free_ uint8_t *is_data = NULL;
	size_t room = 0;
	uint64_t at = 0, size = (uint64_t)st->st_size;

	while (at < size) {
		uint64_t data, end;
		errint_t r = next_stretch(fd, st, at, &data, &end);
		if (r < 0)
			return r;
		if (data < at || end < data || (end == at))
			return -ESTALE;
		while (at < end) {
			uint64_t length = at < data ? data - at : piece_length(at, end);
			if (x->count == room) {
				room = room ? 2 * room : 16;
				uint8_t *larger = realloc(is_data, room);
				if (!larger)
					return -ENOMEM;
				is_data = larger;
			}
			is_data[x->count] = at >= data;
			r = add_extent(s, x, length);
			if (r < 0)
				return r;
			at += length;
		}
	}
	*ret_is_data = steal_ptr(is_data);
	return 0;
}

static errint_t submit_extents(struct scan *s, struct ingest_file *f, struct tree_inode *inode, const uint8_t *is_data)
{
	uint64_t at = 0;
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < inode->extent_count; i++) {
		struct tree_extent *e = &inode->extents[i];
		if (is_data[i]) {
			r = ingest_from_file(s->ingest, f, at, (uint32_t)e->length, &e->content);
			inode->allocated += e->length;
		}
		at += e->length;
	}
	errint_t end = ingest_file_end(s->ingest, f);
	return r < 0 ? r : end;
}

static int open_file(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = openat(dirfd, name, flags | O_NOATIME);

	/* Only the owner may leave the access time alone. */
	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

static errint_t read_file(struct scan *s, struct tree_node *node)
{
	struct tree_inode *inode = node->inode;
	_cleanup_free_ uint8_t *is_data = NULL;
	_cleanup_close_ int fd = -1;
	struct extents x = { 0 };
	struct ingest_file *f;
	struct stat st;
	errint_t r;

	fd = open_file(dirstack_fd(&s->stack), node->name);
	if (fd < 0)
		return fail(s, -errno, "open", node);
	if (fstat(fd, &st) < 0)
		return fail(s, -errno, "look at", node);
	if (!S_ISREG(st.st_mode) || st.st_ino != inode->ino || st.st_dev != inode->dev || (uint64_t)st.st_size != inode->size ||
	    st.st_mtim.tv_sec != inode->mtime_sec || st.st_mtim.tv_nsec != inode->mtime_nsec)
		return fail(s, -ESTALE, "read", node);
	r = plan_extents(s, fd, &st, &x, &is_data);
	if (r < 0)
		return fail(s, r, "read", node);
	inode->extents = x.list;
	inode->extent_count = (uint32_t)x.count;
	f = ingest_file_new(steal_fd(&fd), node, &st);
	if (!f)
		return -ENOMEM;
	return submit_extents(s, f, inode, is_data);
}

/* Contents of a directory's files, when it is entered: what lies together is stored together. */
static errint_t read_files(struct scan *s, struct tree_node *dir)
{
	errint_t r = 0;

	for (uint32_t i = 0; r == 0 && i < dir->child_count; i++) {
		struct tree_node *n = dir->children[i];
		if (!S_ISREG(n->inode->mode) || n->inode->was_read)
			continue;
		n->inode->was_read = true;
		r = read_file(s, n);
	}
	return r;
}

static errint_t enter(struct scan *s, struct tree_node *node, int fd)
{
	struct stat st;
	errint_t r;

	if (fstat(fd, &st) < 0 || st.st_ino != node->inode->ino || st.st_dev != node->inode->dev) {
		close(fd);
		return fail(s, -ESTALE, "open", node);
	}
	if (s->has_repository && same_inode(&st, &s->repository)) {
		close(fd);
		return trouble_set(s->trouble, -ELOOP, EXIT_USAGE, "the repository lies within the source %s; move one of them", s->path);
	}
	r = push(s, node, fd, &st);
	if (r < 0)
		return r;
	r = read_entries(s, node);
	return r < 0 ? r : read_files(s, node);
}

static errint_t step(struct scan *s)
{
	struct level *l = &s->levels[s->stack.depth - 1];

	while (l->next < l->node->child_count) {
		struct tree_node *n = l->node->children[l->next++];
		if (!S_ISDIR(n->inode->mode))
			continue;
		int fd = openat(dirstack_fd(&s->stack), n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return fail(s, -errno, "open", n);
		return enter(s, n, fd);
	}
	return pop(s);
}

static errint_t scan_root(struct scan *s)
{
	int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	errint_t r;

	if (fd < 0)
		return trouble_errno(s->trouble, -errno, "cannot open the source %s", s->path);
	if (fstat(fd, &st) < 0)
		memset(&st, 0, sizeof(st));
	s->tree->root = tree_new_node(s->tree, NULL, "", 0, tree_new_inode(s->tree));
	if (!s->tree->root || !s->tree->root->inode) {
		close(fd);
		return -ENOMEM;
	}
	set_attributes(s->tree->root->inode, &st);
	r = attributes_read(&s->attributes, fd, NULL, s->tree, &s->tree->root->inode->xattrs);
	if (r < 0) {
		close(fd);
		return fail(s, r, "read the extended attributes of", s->tree->root);
	}
	return enter(s, s->tree->root, fd);
}

errint_t scan_directory(const char *path, int repository, struct tree *tree, struct ingest *ingest, struct trouble *t)
{
	struct scan s = { .path = path, .tree = tree, .ingest = ingest, .trouble = t };
	errint_t r;

	s.has_repository = repository >= 0 && fstat(repository, &s.repository) == 0;
	r = scan_root(&s);
	while (r == 0 && s.stack.depth > 0)
		r = step(&s);
	dirstack_done(&s.stack);
	free(s.levels);
	table_done(&s.links);
	attributes_done(&s.attributes);
	return r;
}
