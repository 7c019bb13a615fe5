/* SPDX-License-Identifier: MIT */
/*
 * Contents: open, read, seek. Where the kernel passes reads through to the cache file, this program sees opens only. All opens of an inode that overlap
 * are of one mode, as the kernel demands: passed through where the whole file is in the cache, else cached (a large file on its way).
 */
#include "fetchfs/client/fs_private.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#ifndef FUSE_DEV_IOC_BACKING_CLOSE
#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)	/* linux/fuse.h */
#endif

enum { MODE_NONE, MODE_PASSTHROUGH, MODE_CACHED };

struct open_request {
	struct file_open open;
	struct fs *fs;
	fuse_req_t req;
	struct fuse_file_info fi;
};

struct read_request {
	struct file_read read;
	struct fs *fs;
	fuse_req_t req;
	bool release;		/* the file was opened for this read */
};

/* A read without an open before it, whose file is to be fetched first. */
struct open_to_read {
	struct file_open open;
	struct fs *fs;
	fuse_req_t req;
	size_t size;
	off_t offset;
};

/* file->refs counts opens too, but is the table's; here is what the kernel has open. */
static void choose_mode(struct fs *f, fuse_req_t req, struct file *file, struct fuse_file_info *fi)
{
	pthread_mutex_lock(&file->lock);
#if FS_HAVE_PASSTHROUGH
	/* Of a large file a recording wants to see the reads. */
	if (file->io_mode == MODE_NONE && f->can_pass && !file->parts && file->fd >= 0 && file->base == 0 &&
	    !record_wants_reads(f->record, file->size)) {
		file->backing_id = fuse_passthrough_open(req, file->fd);
		if (file->backing_id > 0)
			file->io_mode = MODE_PASSTHROUGH;
		else
			file->backing_id = 0;
	}
#else
	(void)f;
	(void)req;
#endif
	if (file->io_mode == MODE_NONE)
		file->io_mode = MODE_CACHED;
#if FS_HAVE_PASSTHROUGH
	if (file->io_mode == MODE_PASSTHROUGH) {
		fi->backing_id = file->backing_id;
		stats_add(f->stats, passthrough_opens, 1);
	}
#endif
	/* The kernel refuses the flag together with passthrough. */
	fi->keep_cache = file->io_mode == MODE_CACHED && !file->was_fetched;
	file->opens++;
	pthread_mutex_unlock(&file->lock);
	fi->noflush = 1;
	fi->fh = (uint64_t)(uintptr_t)file;
}

/* As fuse_passthrough_close, which wants a request: here there may be none any more. */
static void close_backing(struct fs *f, struct file *file)
{
#if FS_HAVE_PASSTHROUGH
	uint32_t id = (uint32_t)file->backing_id;

	if (file->backing_id > 0)
		(void)ioctl(fuse_session_fd(f->session), FUSE_DEV_IOC_BACKING_CLOSE, &id);
#else
	(void)f;
#endif
	file->backing_id = 0;
}

static void close_file(struct fs *f, struct file *file)
{
	pthread_mutex_lock(&file->lock);
	if (--file->opens == 0) {
		close_backing(f, file);
		file->io_mode = MODE_NONE;
	}
	pthread_mutex_unlock(&file->lock);
	files_release(f->files, file);
}

static void answer_open(struct fs *f, fuse_req_t req, struct fuse_file_info *fi, errint_t r, struct file *file)
{
	if (r < 0) {
		fuse_reply_err(req, fs_errno(r));
		return;
	}
	choose_mode(f, req, file, fi);
	/* Where nobody waits any more there will be no release. */
	if (fuse_reply_open(req, fi) == -ENOENT)
		close_file(f, file);
}

static void opened(struct file_open *o, errint_t r, struct file *file)
{
	struct open_request *w = (struct open_request *)(void *)o;

	answer_open(w->fs, w->req, &w->fi, r, file);
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
	w->fi = *fi;
	r = files_open(f->files, &p, &w->open, &file);
	if (r == -EINPROGRESS)
		return;
	answer_open(f, req, fi, r, file);
	free(w);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	struct file *file = (struct file *)(uintptr_t)fi->fh;

	(void)ino;
	if (file)
		close_file(f, file);
	fuse_reply_err(req, 0);
}

static void answer_read(struct fs *f, fuse_req_t req, struct file_read *r, errint_t result)
{
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(r->size);

	if (result < 0) {
		fuse_reply_err(req, fs_errno(result));
		return;
	}
	stats_add(f->stats, read_bytes, r->size);
	if (r->data) {
		fuse_reply_buf(req, r->data, r->size);
		files_read_free(f->files, r);
		return;
	}
	v.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	v.buf[0].fd = r->file->fd;
	v.buf[0].pos = (off_t)(r->file->base + r->offset);
	fuse_reply_data(req, &v, FUSE_BUF_SPLICE_MOVE);
}

static void read_done(struct file_read *r, errint_t result)
{
	struct read_request *w = (struct read_request *)(void *)r;

	answer_read(w->fs, w->req, r, result);
	if (w->release)
		files_release(w->fs->files, r->file);
	free(w);
}

static void read_file(struct fs *f, fuse_req_t req, struct file *file, size_t size, off_t offset, bool release)
{
	struct file_read direct = { .file = file };
	struct read_request *w = NULL;
	errint_t r;

	if (offset < 0 || (uint64_t)offset >= file->size || size == 0) {
		fuse_reply_buf(req, NULL, 0);
		goto out;
	}
	direct.offset = (uint64_t)offset;
	direct.size = (size_t)MIN((uint64_t)size, file->size - (uint64_t)offset);
	if (files_is_whole(f->files, file)) {
		answer_read(f, req, &direct, 0);
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
		read_file(w->fs, w->req, file, w->size, w->offset, true);
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
				    .size = size, .offset = offset };
	record_read(f->record, ino, p.inode.size, offset, size);
	r = files_open(f->files, &p, &w->open, &file);
	gate_leave(&f->snapshot->gate);
	if (r != -EINPROGRESS)
		opened_to_read(&w->open, r, file);
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs *f = fuse_req_userdata(req);
	struct file *file = (struct file *)(uintptr_t)fi->fh;

	stats_add(f->stats, reads, 1);
	if (f->no_open)
		read_inode(f, req, ino, size, offset);
	else if (!file)
		fuse_reply_buf(req, NULL, 0);
	else {
		record_read(f->record, ino, file->size, offset, size);
		read_file(f, req, file, size, offset, false);
	}
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
