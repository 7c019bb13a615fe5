/* SPDX-License-Identifier: MIT */
/* The worker's end; see broker.h. */
#include "fetchfs/client/broker_private.h"
#include "common/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

static int channel = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void broker_set_channel(int fd)
{
	channel = fd;
}

static errint_t ask(uint32_t type, const struct broker_question *q, int fd, int *ret_fd)
{
	struct channel_message m;
	int32_t result = -EBADMSG;
	errint_t r;

	pthread_mutex_lock(&lock);
	r = channel_send(channel, type, q, sizeof(*q), &fd, fd >= 0 ? 1 : 0);
	if (r == 0)
		r = channel_receive(channel, &m);
	pthread_mutex_unlock(&lock);
	if (r < 0)
		return r;
	if (m.size == sizeof(result))
		memcpy(&result, m.data, sizeof(result));
	if (result == 0 && ret_fd && m.fd_count == 1)
		*ret_fd = steal_fd(&m.fds[0]);
	else if (result == 0 && ret_fd)
		result = -EBADMSG;
	channel_message_done(&m);
	return result;
}

static errint_t ask_about(uint32_t type, const char *path, mode_t mode, int content, int *ret_fd)
{
	struct broker_question q = { .mode = mode };

	if (strlen(path) >= sizeof(q.path))
		return -ENAMETOOLONG;
	strcpy(q.path, path);
	return ask(type, &q, content, ret_fd);
}

int broker_open(const char *path)
{
	int fd;
	errint_t r;

	r = channel < 0 ? -EPERM : ask_about(BROKER_OPEN, path, 0, -1, &fd);
	if (r == 0)
		return fd;
	/* A path that no option has named: what this process may. */
	fd = r == -EPERM ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
	return fd >= 0 ? fd : r == -EPERM ? -errno : r;
}

errint_t broker_write_file(const char *path, mode_t mode, const void *data, size_t size)
{
	_cleanup_close_ int content = -1;
	errint_t r;

	if (channel < 0)
		return io_write_file(path, mode, data, size);
	content = memfd_create("fetchfs-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (content < 0)
		return -errno;
	r = io_write_full(content, data, size);
	if (r == 0 && fcntl(content, F_ADD_SEALS, BROKER_SEALS) < 0)
		r = -errno;
	if (r == 0)
		r = ask_about(BROKER_WRITE, path, mode, content, NULL);
	/* A path that no option has named: what this process may. */
	return r == -EPERM ? io_write_file(path, mode, data, size) : r;
}

errint_t broker_open_ram(int *ret_fd)
{
	return channel < 0 ? -EPERM : ask_about(BROKER_RAM, "", 0, -1, ret_fd);
}

int broker_open_backing(int fd)
{
	struct broker_question q = { .mode = 0 };

	return channel < 0 ? -EPERM : ask(BROKER_OPEN_BACKING, &q, fd, NULL);
}

void broker_close_backing(uint32_t number)
{
	struct broker_question q = { .backing = number };

	if (channel >= 0)
		(void)ask(BROKER_CLOSE_BACKING, &q, -1, NULL);
}
