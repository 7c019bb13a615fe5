/* SPDX-License-Identifier: MIT */
/*
 * The session's reading and writing. Requests are read through the journal and leave it with their reply; FUSE_INIT is answered once, by the first worker of a
 * connection, and every later one must come to the same reply.
 */
#include "fetchfs/client/fs_private.h"

#include <fcntl.h>

#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
#define CUSTOM_IO(session, io, device) fuse_session_custom_io(session, io, sizeof(*(io)), device)
#else
#define CUSTOM_IO(session, io, device) fuse_session_custom_io(session, io, device)
#endif

#define SMALLEST_MAX_WRITE 4096		/* the kernel's own minimum */

static __thread uint64_t unique_now, splice_unique;

uint64_t fs_unique_now(void)
{
	return unique_now;
}

void fs_set_unique_now(uint64_t unique)
{
	unique_now = unique;
}

void fs_splice_replies_to(uint64_t unique)
{
	splice_unique = unique;
}

static ssize_t read_request(int device, void *buf, size_t size, void *context)
{
	struct fs *f = context;
	ssize_t n = journal_read(f->journal, device, buf, size);

	if (n >= (ssize_t)sizeof(struct fuse_in_header))
		unique_now = ((const struct fuse_in_header *)buf)->unique;
	return n;
}

/* -ENOENT: nobody waits for it any more. */
static void note_reply(struct fs *f, uint64_t unique, ssize_t result)
{
	int error = errno;

	if (result >= 0 || error == ENOENT)
		journal_answered(f->journal, unique);
	errno = error;
}

/*
 * The kernel reads max_write for the size of the buffers that it demands: a file system that is not written to does with the smallest. libfuse would
 * make it a limit of reads, too.
 */
static ssize_t write_init_reply(struct fs *f, int device, const struct iovec *reply, int count)
{
	struct fuse_init_out out = { .major = 0 };
	struct iovec parts[2] = { reply[0], { .iov_base = &out } };
	bool same = true;
	ssize_t n;

	if (count == 2) {
		parts[1].iov_len = MIN(reply[1].iov_len, sizeof(out));
		memcpy(&out, reply[1].iov_base, parts[1].iov_len);
		if (out.max_write > SMALLEST_MAX_WRITE)
			out.max_write = SMALLEST_MAX_WRITE;
	}
	if (!journal_agree(f->journal, parts, count, &same)) {
		f->disagrees = !same;
		return 0;
	}
	n = writev(device, parts, count);
	if (n >= 0 || errno == ENOENT)
		journal_agreed(f->journal);
	return n;
}

static ssize_t write_reply(int device, struct iovec *reply, int count, void *context)
{
	struct fs *f = context;
	const struct fuse_out_header *h = reply[0].iov_base;
	ssize_t n;

	/* What is under way now is a successor's. */
	if (atomic_load(&f->has_ended))
		return 0;
	if (h->unique == f->init_unique)
		return write_init_reply(f, device, reply, MIN(count, 2));
	n = writev(device, reply, count);
	if (h->unique != 0)
		note_reply(f, h->unique, n);
	return n;
}

static ssize_t splice_reply(int from, off_t *from_offset, int device, off_t *device_offset, size_t size, unsigned flags, void *context)
{
	struct fs *f = context;
	ssize_t n;

	if (atomic_load(&f->has_ended))
		return 0;
	n = splice(from, from_offset, device, device_offset, size, flags);
	note_reply(f, splice_unique, n);
	return n;
}

errint_t fs_use_journal(struct fs *f)
{
	static const struct fuse_custom_io io = { .writev = write_reply, .read = read_request, .splice_send = splice_reply };
	/* libfuse closes it. */
	int device = fcntl(f->device, F_DUPFD_CLOEXEC, 3);

	return device < 0 ? -errno : CUSTOM_IO(f->session, &io, device);
}
