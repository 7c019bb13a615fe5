/* SPDX-License-Identifier: MIT */
/* The supervisor's end; see broker.h. */
#include "fetchfs/client/broker_private.h"
#include "common/io.h"
#include "fetchfs/client/cache.h"
#include "fetchfs/client/cache_owner.h"
#include "fetchfs/client/sandbox.h"

#include <fcntl.h>
#include <sys/stat.h>

static int open_path(const struct broker_file *f)
{
	return open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (f->is_directory ? O_DIRECTORY : 0));
}

/* One that cannot be opened is told when it is asked for. A directory becomes a tree that cannot be left, where there is the right to make one. */
static void hold_open(struct broker_file *f)
{
	f->fd = open_path(f);
	if (f->fd < 0 || !f->is_directory || geteuid() != 0)
		return;
	f->place = f->fd;
	if (sandbox_detach(f->place, &f->fd) < 0)
		f->fd = steal_fd(&f->place);
}

static errint_t add(struct broker *b, const char *path, bool is_directory, bool may_write, bool hold)
{
	struct broker_file *f = &b->files[b->count];

	if (!path)
		return 0;
	if (b->count == BROKER_FILES_MAX)
		return -E2BIG;
	*f = (struct broker_file){ .path = strdup(path), .fd = -1, .place = -1, .is_directory = is_directory, .may_write = may_write };
	if (!f->path)
		return -ENOMEM;
	b->count++;
	if (hold)
		hold_open(f);
	return 0;
}

static errint_t add_lower(struct broker *b, const char *paths)
{
	_cleanup_free_ char *copy = paths ? strdup(paths) : NULL;
	char *next = copy;
	errint_t r = paths && !copy ? -ENOMEM : 0;

	while (r == 0 && next)
		r = add(b, strsep(&next, ":"), true, false, true);
	return r;
}

errint_t broker_init(struct broker *b, const struct settings *s)
{
	const char *const secrets[] = { s->ca_file, s->cert_file, s->key_file, s->credentials_file, s->headers_file };
	struct cache_config ram = { .quota = s->quota, .quota_percent = s->quota_percent };
	errint_t r = 0;

	memset(b, 0, sizeof(*b));
	b->ram_fd = b->device = b->cache = -1;
	/* Limits that were meant for a disk do not count where memory takes its place. */
	if (!s->in_memory)
		ram.quota = ram.quota_percent = 0;
	b->ram_quota = cache_ram_quota(&ram);
	/* What a transport that must live without files reads at its start. */
	if (s->root && !s->ca_file)
		r = add(b, TRANSPORT_SYSTEM_CERTIFICATES, false, false, true);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(secrets); i++)
		r = add(b, secrets[i], false, false, true);
	if (r == 0)
		r = add_lower(b, s->lower);
	if (r == 0)
		r = add(b, s->pin_file, false, true, false);
	return r == 0 ? add(b, s->record, false, true, false) : r;
}

void broker_done(struct broker *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free(b->files[i].path);
		if (b->files[i].fd >= 0)
			close(b->files[i].fd);
		if (b->files[i].place >= 0)
			close(b->files[i].place);
	}
	if (b->ram_fd >= 0)
		close(b->ram_fd);
	cache_ram_remove(b->ram_path);
	memset(b, 0, sizeof(*b));
	b->ram_fd = -1;
}

errint_t broker_ram(struct broker *b, int *ret_fd)
{
	errint_t r = b->ram_fd >= 0 ? 0 : cache_ram_make(b->ram_quota, &b->ram_path, &b->ram_fd);

	if (r == 0 && geteuid() == 0)
		r = cache_give(b->ram_fd, b->uid, b->gid);

	*ret_fd = b->ram_fd;
	return r;
}

static struct broker_file *find(struct broker *b, const char *path)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->files[i].path, path) == 0)
			return &b->files[i];
	return NULL;
}

/* Held ones have one position for all who get them: they are read by pread. */
static errint_t open_file(const struct broker_file *f, int *ret_fd, bool *ret_held)
{
	*ret_held = f->fd >= 0;
	*ret_fd = *ret_held ? f->fd : open_path(f);
	return *ret_fd < 0 ? -errno : 0;
}

/* Memory that nobody can change any more: reading from all else (a pipe, a file of a file system that does not answer) might never end. */
static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), mode = fcntl(fd, F_GETFL);

	return seals >= 0 && (seals & BROKER_SEALS) == BROKER_SEALS && (mode & O_ACCMODE) != O_WRONLY;
}

/* content: what the worker wants in it; nothing in it is looked at. */
static errint_t write_content(const struct broker_file *f, mode_t mode, int content)
{
	struct io_atomic a = IO_ATOMIC_INIT;
	uint8_t buf[16384];
	uint64_t at = 0;
	struct stat s;
	errint_t r;
	ssize_t n = 1;

	if (!is_sealed(content))
		return -EBADMSG;
	if (fstat(content, &s) < 0 || s.st_size > (off_t)BROKER_WRITE_MAX)
		return -EFBIG;
	r = io_atomic_begin(&a, f->path, mode & 0666);
	while (r == 0 && (n = io_pread_full(content, buf, sizeof(buf), at)) > 0) {
		r = io_write_full(a.fd, buf, (size_t)n);
		at += (uint64_t)n;
	}
	if (r == 0)
		r = n < 0 ? (errint_t)n : io_atomic_commit(&a);
	io_atomic_done(&a);
	return r;
}

static errint_t do_question(struct broker *b, const struct channel_message *m, int *ret_fd, bool *ret_held)
{
	const struct broker_question *q = (const struct broker_question *)(const void *)m->data;
	struct broker_file *f;

	if (m->size != sizeof(*q) || !memchr(q->path, '\0', sizeof(q->path)))
		return -EBADMSG;
	if (m->type == BROKER_RAM) {
		*ret_held = true;
		return broker_ram(b, ret_fd);
	}
	if (m->type == BROKER_OPEN_BACKING && m->fd_count == 1)
		return broker_backing_open(b, m->fds[0]);
	if (m->type == BROKER_CLOSE_BACKING)
		return broker_backing_close(b, q->backing);
	f = find(b, q->path);
	if (!f)
		return -EPERM;
	if (m->type == BROKER_OPEN)
		return open_file(f, ret_fd, ret_held);
	if (m->type == BROKER_WRITE && m->fd_count == 1)
		return f->may_write ? write_content(f, q->mode, m->fds[0]) : -EPERM;
	return -EBADMSG;
}

errint_t broker_answer(struct broker *b, int channel)
{
	struct channel_message m;
	bool held = false;
	int32_t result;
	int fd = -1;
	errint_t r = channel_receive(channel, &m);

	if (r < 0)
		return r;
	result = do_question(b, &m, &fd, &held);
	channel_message_done(&m);
	r = channel_send(channel, BROKER_ANSWER, &result, sizeof(result), &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0 && !held)
		close(fd);
	return r < 0 ? r : result == -EBADMSG ? -EBADMSG : 0;
}
