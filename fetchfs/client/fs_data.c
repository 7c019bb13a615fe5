/* SPDX-License-Identifier: MIT */
/*
 * Contents: open, read, seek. Where the kernel passes reads through to the cache file, this program sees opens only. All opens of an inode that overlap
 * are of one mode, as the kernel demands (open_modes.h): passed through where the whole file is in the cache, else cached (a large file on its way).
 */
#include "fetchfs/client/fs_private.h"
#include "fetchfs/client/broker.h"
#include "fetchfs/client/thread.h"

#include <fcntl.h>
#include <sys/stat.h>

struct open_request {
	struct file_open open;
	struct fs *fs;
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
};

struct read_request {
	struct file_read read;
	struct fs *fs;
	fuse_req_t req;
	uint64_t unique;	/* of the request */
	bool release;		/* the file was opened for this read */
};

/* A read without an open before it, whose file is to be fetched first. */
struct open_to_read {
	struct file_open open;
	struct fs *fs;
	fuse_req_t req;
	uint64_t unique;
	size_t size;
	off_t offset;
};

#if FS_HAVE_PASSTHROUGH
struct choice {
	struct fs *fs;
	struct file *file;
};

/* Of a large file a recording wants to see the reads. */
static uint32_t choose_mode(void *context)
{
	const struct choice *c = context;
	struct file *file = c->file;
	int id = 0;

	pthread_mutex_lock(&file->lock);
	if (!file->parts && file->fd >= 0 && file->base == 0 && !record_wants_reads(c->fs->record, file->size))
		id = broker_open_backing(file->fd);
	pthread_mutex_unlock(&file->lock);
	return id > 0 ? (uint32_t)id : 0;
}
#endif

/* What all opens of the inode have in common, and what this one is known by. */
static errint_t fill_open(struct fs *f, fuse_ino_t ino, struct file *file, struct fuse_file_info *fi)
{
	uint32_t backing = 0;
	errint_t r = fs_handle_new(f, file, &fi->fh);

#if FS_HAVE_PASSTHROUGH
	if (r == 0 && f->can_pass) {
		r = open_modes_open(f->modes, ino, choose_mode, &(struct choice){ .fs = f, .file = file }, &backing);
		if (r < 0)
			(void)fs_handle_drop(f, fi->fh);
		fi->backing_id = (int32_t)backing;
		stats_add(f->stats, passthrough_opens, backing > 0);
	}
#else
	(void)ino;
#endif
	/* The kernel refuses the flag together with passthrough. */
	fi->keep_cache = backing == 0 && !file->was_fetched;
	fi->noflush = 1;
	return r;
}

/* Also of what another worker had opened: then there is no file here. */
static void close_file(struct fs *f, fuse_ino_t ino, uint64_t handle)
{
	struct file *file = fs_handle_drop(f, handle);
	uint32_t backing = f->can_pass && handle != 0 ? open_modes_close(f->modes, ino) : 0;

	if (backing > 0)
		broker_close_backing(backing);
	if (!file)
		return;
	order_request(file);
	files_release(f->files, file);
}

static void answer_open(struct fs *f, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, errint_t r, struct file *file)
{
	if (r == 0) {
		r = fill_open(f, ino, file, fi);
		if (r < 0)
			files_release(f->files, file);
	}
	if (r < 0) {
		fuse_reply_err(req, fs_errno(r));
		return;
	}
	order_answer(file);
	/* Where nobody waits any more there will be no release. */
	if (fuse_reply_open(req, fi) == -ENOENT)
		close_file(f, ino, fi->fh);
}

static void opened(struct file_open *o, errint_t r, struct file *file)
{
	struct open_request *w = (struct open_request *)(void *)o;

	answer_open(w->fs, w->req, w->ino, &w->fi, r, file);
	free(w);
}

void fs_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	struct open_request *w;
	struct file *file;
	struct place p;
	errint_t r;

	/* Once told so, the kernel does not ask again. */
	if (f->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	if (r == 0 && !S_ISREG(p.inode.mode))
		r = -EINVAL;
	if (r < 0 || (fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, r < 0 ? fs_errno(r) : EROFS);
		return;
	}
	if (p.inode.size == 0) {
		fi->fh = 0;
		fi->keep_cache = fi->noflush = 1;
		fuse_reply_open(req, fi);
		return;
	}
	record_open(f->record, ino, p.inode.size);
	w = calloc(1, sizeof(*w));
	if (!w) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	w->open.opened = opened;
	w->open.waiter.process = fuse_req_ctx(req)->pid;
	w->fs = f;
	w->req = req;
	w->ino = ino;
	w->fi = *fi;
	r = files_open(f->files, &p, &w->open, &file);
	if (r == -EINPROGRESS)
		return;
	answer_open(f, req, ino, fi, r, file);
	free(w);
}

/* The answer first: a release that is done again (journal.h) would count twice. */
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	uint64_t handle = fi->fh;

	fuse_reply_err(req, 0);
	close_file(f, ino, handle);
}

static void answer_read(struct fs *f, fuse_req_t req, uint64_t unique, struct file_read *r, errint_t result)
{
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(r->size);

	if (result < 0) {
		order_answer(r->file);
		fuse_reply_err(req, fs_errno(result));
		return;
	}
	stats_add(f->stats, read_bytes, r->size);
	if (r->data) {
		order_answer(r->file);
		fuse_reply_buf(req, r->data, r->size);
		files_read_free(f->files, r);
		return;
	}
	v.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	v.buf[0].fd = r->file->fd;
	v.buf[0].pos = (off_t)(r->file->base + r->offset);
	fs_splice_replies_to(unique);
	order_answer(r->file);
	fuse_reply_data(req, &v, FUSE_BUF_SPLICE_MOVE);
}

static void read_done(struct file_read *r, errint_t result)
{
	struct read_request *w = (struct read_request *)(void *)r;

	answer_read(w->fs, w->req, w->unique, r, result);
	if (w->release)
		files_release(w->fs->files, r->file);
	free(w);
}

static void read_file(struct fs *f, fuse_req_t req, uint64_t unique, struct file *file, size_t size, off_t offset, bool release)
{
	struct file_read direct = { .file = file };
	struct read_request *w = NULL;
	errint_t r;

	if (offset < 0 || (uint64_t)offset >= file->size || size == 0) {
		order_answer(file);
		fuse_reply_buf(req, NULL, 0);
		goto out;
	}
	direct.offset = (uint64_t)offset;
	direct.size = (size_t)MIN((uint64_t)size, file->size - (uint64_t)offset);
	if (files_is_whole(f->files, file)) {
		answer_read(f, req, unique, &direct, 0);
		goto out;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		fuse_reply_err(req, ENOMEM);
		goto out;
	}
	w->read = direct;
	w->read.done = read_done;
	w->read.waiter.process = fuse_req_ctx(req)->pid;
	w->fs = f;
	w->req = req;
	w->unique = unique;
	w->release = release;
	r = files_read(f->files, &w->read);
	if (r != -EINPROGRESS)
		read_done(&w->read, r);
	return;
out:
	if (release)
		files_release(f->files, file);
}

static void opened_to_read(struct file_open *o, errint_t r, struct file *file)
{
	struct open_to_read *w = (struct open_to_read *)(void *)o;

	if (r < 0)
		fuse_reply_err(w->req, fs_errno(r));
	else
		read_file(w->fs, w->req, w->unique, file, w->size, w->offset, true);
	free(w);
}

static void arrived_to_read(struct file_open *o, const void *data)
{
	struct open_to_read *w = (struct open_to_read *)(void *)o;
	uint64_t size = o->place.inode.size, from = MIN((uint64_t)w->offset, size);
	size_t n = (size_t)MIN((uint64_t)w->size, size - from);

	stats_add(w->fs->stats, read_bytes, n);
	fuse_reply_buf(w->req, (const char *)data + from, n);
	free(w);
}

static void read_inode(struct fs *f, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset)
{
	struct open_to_read *w;
	struct file *file;
	struct place p;
	errint_t r;

	gate_enter(&f->snapshot->gate);
	r = snapshot_place(f->snapshot, ino, &p);
	if (r == 0 && (!S_ISREG(p.inode.mode) || offset < 0))
		r = -EINVAL;
	w = r == 0 && p.inode.size > 0 ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		gate_leave(&f->snapshot->gate);
		if (r < 0)
			fuse_reply_err(req, fs_errno(r));
		else if (p.inode.size == 0)
			fuse_reply_buf(req, NULL, 0);
		else
			fuse_reply_err(req, ENOMEM);
		return;
	}
	*w = (struct open_to_read){ .open.opened = opened_to_read, .open.arrived = arrived_to_read, .open.waiter.process = fuse_req_ctx(req)->pid, .fs = f, .req = req,
				    .unique = fs_unique_now(), .size = size, .offset = offset };
	record_read(f->record, ino, p.inode.size, offset, size);
	r = files_open(f->files, &p, &w->open, &file);
	gate_leave(&f->snapshot->gate);
	if (r != -EINPROGRESS)
		opened_to_read(&w->open, r, file);
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	struct file *file = f->no_open ? NULL : fs_handle_file(f, fi->fh);

	stats_add(f->stats, reads, 1);
	/* The kernel does not ask for opens, or another worker answered this one. */
	if (!file) {
		read_inode(f, req, ino, size, offset);
		return;
	}
	record_read(f->record, ino, file->size, offset, size);
	read_file(f, req, fs_unique_now(), file, size, offset, false);
}

/* Position of the next data or hole at or behind offset. */
static errint_t seek(const struct place *p, uint64_t offset, int whence, uint64_t *ret)
{
	uint64_t at = 0;

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || !S_ISREG(p->inode.mode))
		return -EINVAL;
	if (offset >= p->inode.size)
		return -ENXIO;
	for (uint32_t i = 0; i < p->inode.count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
			return -EIO;
		at += e.length;
		if (at > offset && (e.object == CATALOG_NONE) == (whence == SEEK_HOLE)) {
			*ret = MAX(at - e.length, offset);
			return 0;
		}
	}
	/* Behind the last byte there is always a hole. */
	*ret = p->inode.size;
	return whence == SEEK_HOLE ? 0 : -ENXIO;
}

void fs_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	uint64_t position = 0;
	struct place p;
	errint_t r;

	SNAPSHOT_INSIDE(f->snapshot);
	r = snapshot_place(f->snapshot, ino, &p);
	(void)fi;
	if (r == 0)
		r = offset < 0 ? -ENXIO : seek(&p, (uint64_t)offset, whence, &position);
	if (r < 0)
		fuse_reply_err(req, fs_errno(r));
	else
		fuse_reply_lseek(req, (off_t)position);
}
