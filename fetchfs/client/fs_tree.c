/* SPDX-License-Identifier: MIT */
/* Names, attributes, directories, links and extended attributes: all from catalogs in memory, save that a nested catalog may have to be fetched first. */
#include "fetchfs/client/fs_private.h"
#include "common/io.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define STATFS_BLOCK 4096
#define DOT_ENTRIES 2		/* positions 0 and 1 of a listing: "." and ".." */

enum kind { LOOKUP, READDIR, READDIRPLUS };

/* A request about a directory's entries; on the heap where it has to wait. */
struct dir_request {
	struct snapshot_waiter waiter;
	struct fs *fs;
	fuse_req_t req;
	enum kind kind;
	fuse_ino_t ino;
	size_t size;
	uint64_t offset;
	char name[CATALOG_NAME_MAX + 1];
};

void fs_fill_stat(const struct place *p, struct stat *ret)
{
	const struct catalog_inode *i = &p->inode;

	memset(ret, 0, sizeof(*ret));
	ret->st_ino = p->ino;
	ret->st_mode = i->mode;
	ret->st_nlink = i->nlink;
	ret->st_uid = i->uid;
	ret->st_gid = i->gid;
	ret->st_size = (off_t)i->size;
	ret->st_blksize = STATFS_BLOCK;
	ret->st_blocks = (blkcnt_t)((i->allocated + 511) / 512);
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		ret->st_rdev = makedev(i->first, i->count);
	/* The only time that is kept stands for all. */
	ret->st_mtim.tv_sec = (time_t)i->mtime_sec;
	ret->st_mtim.tv_nsec = (long)i->mtime_nsec;
	ret->st_atim = ret->st_ctim = ret->st_mtim;
}

static void fill_entry(const struct place *p, struct fuse_entry_param *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ino = p->ino;
	ret->generation = 1;
	ret->attr_timeout = ret->entry_timeout = FS_FOREVER;
	fs_fill_stat(p, &ret->attr);
}

static void answer_lookup(struct dir_request *d, const struct place *dir)
{
	struct fuse_entry_param e = { .ino = 0, .entry_timeout = FS_FOREVER };
	struct place p;
	errint_t r = snapshot_lookup(d->fs->snapshot, dir, d->name, strlen(d->name), &p);

	/* That there is no such name is for ever too. */
	if (r == -ENOENT) {
		fuse_reply_entry(d->req, &e);
		return;
	}
	if (r < 0) {
		fuse_reply_err(d->req, fs_errno(r));
		return;
	}
	fill_entry(&p, &e);
	snapshot_known(d->fs->snapshot, &p, 1);
	if (fuse_reply_entry(d->req, &e) < 0)
		snapshot_known(d->fs->snapshot, &p, -1);
}

/* Adds one entry; its size, which may be more than there is room for. */
static size_t add_entry(struct dir_request *d, char *buf, size_t room, const char *name, const struct place *p, uint64_t next)
{
	struct fuse_entry_param e;

	if (d->kind == READDIRPLUS) {
		fill_entry(p, &e);
		return fuse_add_direntry_plus(d->req, buf, room, name, &e, (off_t)next);
	}
	memset(&e, 0, sizeof(e));
	e.attr.st_ino = p->ino;
	e.attr.st_mode = p->inode.mode;
	return fuse_add_direntry(d->req, buf, room, name, &e.attr, (off_t)next);
}

static errint_t entry_at(struct dir_request *d, const struct place *dir, uint64_t position, char ret_name[CATALOG_NAME_MAX + 1],
			 struct place *ret)
{
	struct catalog_dirent e;
	errint_t r;

	if (position < DOT_ENTRIES) {
		*ret = *dir;
		strcpy(ret_name, position == 0 ? "." : "..");
		if (position == 1)
			ret->ino = snapshot_parent(d->fs->snapshot, dir);
		return 0;
	}
	if (position - DOT_ENTRIES >= dir->inode.count)
		return -ENOENT;
	r = snapshot_entry(d->fs->snapshot, dir, (uint32_t)(position - DOT_ENTRIES), &e, ret);
	if (r < 0)
		return -EIO;
	memcpy(ret_name, e.name, e.name_length);
	ret_name[e.name_length] = '\0';
	return 0;
}

/* The numbers of the entries from "from" to "to" come with a listing to the kernel. */
static void note_known(struct dir_request *d, const struct place *dir, uint64_t from, uint64_t to, int count)
{
	char name[CATALOG_NAME_MAX + 1];
	struct place p;

	if (d->kind != READDIRPLUS || !d->fs->snapshot->gate.enabled)
		return;
	for (uint64_t at = MAX(from, DOT_ENTRIES); at < to; at++)
		if (entry_at(d, dir, at, name, &p) == 0)
			snapshot_known(d->fs->snapshot, &p, count);
}

static uint64_t first_position(struct dir_request *d, const struct place *dir)
{
	if ((uint32_t)d->offset <= DOT_ENTRIES)
		return (uint32_t)d->offset;
	return DOT_ENTRIES + snapshot_position(d->fs->snapshot, dir, d->offset - DOT_ENTRIES);
}

static void answer_listing(struct dir_request *d, const struct place *dir)
{
	_cleanup_free_ char *buf = malloc(d->size);
	uint64_t first = first_position(d, dir), at;
	char name[CATALOG_NAME_MAX + 1];
	size_t used = 0;
	errint_t r = buf ? 0 : -ENOMEM;

	for (at = first; r == 0; at++) {
		struct place p;
		size_t n;
		r = entry_at(d, dir, at, name, &p);
		if (r < 0)
			break;
		n = add_entry(d, buf + used, d->size - used, name, &p, snapshot_offset(dir, at + 1));
		if (n > d->size - used)
			break;
		used += n;
	}
	/* An error behind good entries comes back with the next call. */
	if (r < 0 && r != -ENOENT && used == 0) {
		fuse_reply_err(d->req, fs_errno(r));
		return;
	}
	note_known(d, dir, first, at, 1);
	if (fuse_reply_buf(d->req, buf, used) < 0)
		note_known(d, dir, first, at, -1);
}

static void answer(struct dir_request *d, errint_t r, const struct place *dir)
{
	if (r < 0)
		fuse_reply_err(d->req, fs_errno(r));
	else if (d->kind == LOOKUP)
		answer_lookup(d, dir);
	else
		answer_listing(d, dir);
}

static errint_t enter(struct dir_request *d, struct place *ret, struct snapshot_waiter *w)
{
	errint_t r = snapshot_place(d->fs->snapshot, d->ino, ret);

	/* A listing, or a catalog of its own that is needed to go on. */
	if (r == 0 && (d->kind != LOOKUP || ret->inode.nested != CATALOG_NONE))
		record_directory(d->fs->record, d->ino);
	return r < 0 ? r : snapshot_enter(d->fs->snapshot, ret, w);
}

static void serve(struct dir_request *d);

static void catalog_ready(struct snapshot_waiter *w, errint_t r)
{
	struct dir_request *d = (struct dir_request *)(void *)w;
	struct place dir;

	if (r == 0)
		r = enter(d, &dir, NULL);
	/* The snapshot changed while it waited. */
	if (r == -EAGAIN)
		serve(d);
	else
		answer(d, r, &dir);
	free(d);
}

static void serve(struct dir_request *d)
{
	struct dir_request *waiting;
	struct place dir;
	errint_t r;

	SNAPSHOT_INSIDE(d->fs->snapshot);
	r = enter(d, &dir, NULL);

	if (r != -EAGAIN) {
		answer(d, r, &dir);
		return;
	}
	waiting = malloc(sizeof(*waiting));
	if (!waiting) {
		fuse_reply_err(d->req, ENOMEM);
		return;
	}
	*waiting = *d;
	memset(&waiting->waiter, 0, sizeof(waiting->waiter));
	waiting->waiter.ready = catalog_ready;
	waiting->waiter.waiter.process = fuse_req_ctx(d->req)->pid;
	r = enter(waiting, &dir, &waiting->waiter);
	if (r == -EAGAIN)
		return;
	answer(waiting, r, &dir);
	free(waiting);
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct dir_request d = { .fs = fuse_req_userdata(req), .req = req, .kind = LOOKUP, .ino = parent };

	stats_add(d.fs->stats, lookups, 1);
	if (strlen(name) > CATALOG_NAME_MAX) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	strcpy(d.name, name);
	serve(&d);
}

/* Without this operation libfuse would answer, and the kernel ask again each time and cache nothing. */
void fs_open_directory(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs *f = fuse_req_userdata(req);

	(void)ino;
	if (f->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct dir_request d = { .fs = fuse_req_userdata(req), .req = req, .kind = READDIR, .ino = ino, .size = size,
				 .offset = (uint64_t)offset };

	(void)fi;
	stats_add(d.fs->stats, listings, 1);
	serve(&d);
}

void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct dir_request d = { .fs = fuse_req_userdata(req), .req = req, .kind = READDIRPLUS, .ino = ino, .size = size,
				 .offset = (uint64_t)offset };

	(void)fi;
	stats_add(d.fs->stats, listings, 1);
	serve(&d);
}

void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct fs *f = fuse_req_userdata(req);

	snapshot_forget(f->snapshot, ino, count);
	fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *f = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		snapshot_forget(f->snapshot, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	struct place p;
	struct stat s;
	errint_t r;

	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	(void)fi;
	if (r < 0) {
		fuse_reply_err(req, fs_errno(r));
		return;
	}
	fs_fill_stat(&p, &s);
	fuse_reply_attr(req, &s, FS_FOREVER);
}

void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *f = fuse_req_userdata(req);
	struct place p;
	const char *target;
	size_t length;
	errint_t r;

	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	if (r == 0)
		r = catalog_symlink(&p.tree->c, &p.inode, &target, &length);
	if (r < 0)
		fuse_reply_err(req, fs_errno(r));
	else
		/* As fuse_reply_readlink, which wants a NUL. */
		fuse_reply_buf(req, target, length);
}

void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *f = fuse_req_userdata(req);
	struct statvfs s = { .f_bsize = STATFS_BLOCK, .f_frsize = STATFS_BLOCK, .f_namemax = CATALOG_NAME_MAX, .f_flag = ST_RDONLY };

	(void)ino;
	SNAPSHOT_INSIDE(f->snapshot);
	s.f_blocks = (f->snapshot->bytes + STATFS_BLOCK - 1) / STATFS_BLOCK;
	s.f_files = f->snapshot->inodes;
	fuse_reply_statfs(req, &s);
}

static void reply_xattr(fuse_req_t req, const void *value, size_t size, size_t room)
{
	if (room == 0)
		fuse_reply_xattr(req, size);
	else if (room < size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, size);
}

/* What is asked of the mount itself; not listed, so that a copy of the tree does not get it. NULL: no such attribute. */
static char *mount_attribute(struct fs *f, const char *name)
{
	char digest[DIGEST_TEXT_SIZE];

	if (strcmp(name, "stats") == 0)
		return stats_to_json(f->stats);
	if (strcmp(name, "revision") == 0)
		return io_format("%llu", (unsigned long long)f->snapshot->revision);
	if (strcmp(name, "name") == 0)
		return io_format("%s", f->snapshot->name);
	if (strcmp(name, "pid") == 0)
		return io_format("%ld", (long)f->pid);
	if (strcmp(name, "worker_pid") == 0)
		return io_format("%ld", (long)getpid());
	if (strcmp(name, "url") == 0)
		return io_format("%s", transport_url(f->transport, 0));
	if (strcmp(name, "socket") == 0)
		return f->socket ? io_format("%s", f->socket) : NULL;
	if (strcmp(name, "passthrough") == 0)
		return io_format("%d", f->can_pass);
	if (strcmp(name, "hash") != 0)
		return NULL;
	digest_to_text(&f->snapshot->root_record.digest, digest);
	return io_format("%s", digest);
}

/* "yes", "no", or the share in percent, rounded down but not to 0. */
static char *cached_share(struct fs *f, const struct place *p)
{
	uint64_t bytes = files_cached(f->files, p);

	if (bytes >= p->inode.size)
		return io_format("yes");
	if (bytes == 0)
		return io_format("no");
	return io_format("%u%%", MAX((unsigned)((double)bytes * 100 / (double)p->inode.size), 1));
}

/* What is asked of a file or directory: not listed either. NULL: no such attribute. */
static char *place_attribute(struct fs *f, const struct place *p, const char *name)
{
	char text[DIGEST_TEXT_SIZE];
	struct digest d;

	if (strcmp(name, "revision") == 0)
		return io_format("%llu", (unsigned long long)f->snapshot->revision);
	if (!S_ISREG(p->inode.mode))
		return NULL;
	if (strcmp(name, "chunks") == 0)
		return io_format("%u", p->inode.count);
	if (strcmp(name, "cached") == 0)
		return cached_share(f, p);
	if (strcmp(name, "hash") != 0 || files_key(p, &d) < 0)
		return NULL;
	digest_to_text(&d, text);
	return io_format("%s", text);
}

static char *own_attribute(struct fs *f, fuse_ino_t ino, const struct place *p, const char *name)
{
	static const char prefix[] = "user.fetchfs.";
	size_t n = sizeof(prefix) - 1;

	if (strncmp(name, prefix, n) != 0)
		return NULL;
	return ino == FUSE_ROOT_ID ? mount_attribute(f, name + n) : place_attribute(f, p, name + n);
}

void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *f = fuse_req_userdata(req);
	_cleanup_free_ char *text = NULL;
	struct place p;
	const void *value;
	uint32_t length;
	errint_t r;

	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	if (r == 0 && (text = own_attribute(f, ino, &p, name))) {
		reply_xattr(req, text, strlen(text), size);
		return;
	}
	if (r == 0)
		r = p.inode.xattr_set == CATALOG_NONE ? -ENODATA
						      : catalog_xattr(&p.tree->c, p.inode.xattr_set, name, strlen(name), &value, &length);
	if (r < 0)
		fuse_reply_err(req, fs_errno(r));
	else
		reply_xattr(req, value, length, size);
}

static errint_t list_names(const struct place *p, char **ret, size_t *ret_size)
{
	uint32_t cursor = 0, value_size;
	const char *name;
	const void *value;
	uint16_t length;
	char *names = NULL;
	size_t used = 0;
	errint_t r = 0;

	while (p->inode.xattr_set != CATALOG_NONE &&
	       (r = catalog_xattr_next(&p->tree->c, p->inode.xattr_set, &cursor, &name, &length, &value, &value_size)) == 0) {
		char *larger = realloc(names, used + length + 1);
		if (!larger) {
			r = -ENOMEM;
			break;
		}
		names = larger;
		memcpy(names + used, name, length);
		names[used + length] = '\0';
		used += length + 1u;
	}
	if (r < 0 && r != -ENODATA) {
		free(names);
		return r;
	}
	*ret = names;
	*ret_size = used;
	return 0;
}

void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *f = fuse_req_userdata(req);
	_cleanup_free_ char *names = NULL;
	size_t length = 0;
	struct place p;
	errint_t r;

	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	if (r == 0)
		r = list_names(&p, &names, &length);
	if (r < 0)
		fuse_reply_err(req, fs_errno(r));
	else
		reply_xattr(req, names, length, size);
}
