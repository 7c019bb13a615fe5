/* SPDX-License-Identifier: MIT */
/* See state.h. A head in the first page, and two places for the text, of which the head says which one counts; it is written in one piece. */
#include "fetchfs/client/state.h"
#include "common/io.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#define MAGIC 0x53464653u
#define VERSION 1

struct head {
	uint32_t magic, version;
	uint64_t at, size, changes;
	uint64_t is_pending;
};

/* Far from each other: nothing is there that was not written. */
static const uint64_t places[2] = { 4096, (uint64_t)1 << 40 };

static errint_t read_head(int fd, struct head *ret)
{
	if (io_pread_full(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		return -EIO;
	return ret->magic == MAGIC && ret->version == VERSION ? 0 : -EPROTONOSUPPORT;
}

static errint_t write_head(int fd, struct head *h)
{
	h->changes++;
	return io_pwrite_full(fd, h, sizeof(*h), 0);
}

errint_t state_make(int *ret_fd)
{
	struct head h = { .magic = MAGIC, .version = VERSION, .at = places[0] };
	_cleanup_close_ int fd = memfd_create("fetchfs-state", MFD_CLOEXEC);
	errint_t r = fd < 0 ? -errno : write_head(fd, &h);

	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

errint_t state_replace(int fd, const void *text, size_t size, bool is_pending)
{
	struct head h;
	errint_t r = size > STATE_MAX ? -EFBIG : read_head(fd, &h);
	uint64_t old;

	if (r < 0)
		return r;
	old = h.at;
	h.at = old == places[0] ? places[1] : places[0];
	h.size = size;
	h.is_pending = is_pending;
	r = io_pwrite_full(fd, text, size, h.at);
	if (r == 0)
		r = write_head(fd, &h);
	if (r == 0)
		(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)old, (off_t)STATE_MAX);
	return r;
}

errint_t state_append(int fd, const void *text, size_t size)
{
	struct head h;
	errint_t r = read_head(fd, &h);

	if (r == 0 && size > STATE_MAX - h.size)
		r = -EFBIG;
	if (r == 0)
		r = io_pwrite_full(fd, text, size, h.at + h.size);
	if (r < 0)
		return r;
	h.size += size;
	return write_head(fd, &h);
}

errint_t state_settle(int fd)
{
	uint64_t no = 0;

	return io_pwrite_full(fd, &no, sizeof(no), offsetof(struct head, is_pending));
}

errint_t state_read(int fd, void **ret, size_t *ret_size, bool *ret_is_pending)
{
	struct head h;
	errint_t r = read_head(fd, &h);
	void *text;

	if (r < 0)
		return r;
	if (h.size > STATE_MAX || (h.at != places[0] && h.at != places[1]))
		return -EBADMSG;
	text = malloc(h.size + 1);
	if (!text)
		return -ENOMEM;
	if (io_pread_full(fd, text, h.size, h.at) != (ssize_t)h.size) {
		free(text);
		return -EIO;
	}
	*ret = text;
	*ret_size = h.size;
	*ret_is_pending = h.is_pending;
	return 0;
}

uint64_t state_changes(int fd)
{
	struct head h;

	return read_head(fd, &h) == 0 ? h.changes : 0;
}
