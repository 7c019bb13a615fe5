/* SPDX-License-Identifier: MIT */
/* See channel.h. */
#include "fetchfs/client/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

errint_t channel_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

errint_t channel_send(int fd, uint32_t type, const void *data, size_t size, const int *fds, size_t fd_count)
{
	struct iovec parts[2] = { { .iov_base = &type, .iov_len = sizeof(type) }, { .iov_base = (void *)(uintptr_t)data, .iov_len = size } };
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = size ? 2 : 1 };
	ssize_t n;

	if (size > CHANNEL_DATA_MAX || fd_count > CHANNEL_FDS_MAX)
		return -EMSGSIZE;
	if (fd_count > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fd_count * sizeof(int)) };
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? (errno == ECONNRESET ? -EPIPE : -errno) : 0;
}

static void take_descriptors(struct msghdr *m, struct channel_message *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || ret->fd_count + count > CHANNEL_FDS_MAX)
			continue;
		memcpy(ret->fds + ret->fd_count, CMSG_DATA(c), count * sizeof(int));
		ret->fd_count += count;
	}
}

errint_t channel_receive(int fd, struct channel_message *ret)
{
	struct iovec parts[2] = { { .iov_base = &ret->type, .iov_len = sizeof(ret->type) }, { .iov_base = ret->data, .iov_len = sizeof(ret->data) } };
	union control control;
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	ret->fd_count = 0;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	take_descriptors(&m, ret);
	/* The end brings no descriptors; an empty message may. */
	if (n == 0 && ret->fd_count == 0)
		return -EPIPE;
	if ((size_t)n < sizeof(ret->type) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		channel_message_done(ret);
		return -EBADMSG;
	}
	ret->size = (size_t)n - sizeof(ret->type);
	return 0;
}

void channel_message_done(struct channel_message *m)
{
	for (size_t i = 0; i < m->fd_count; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->fd_count = 0;
}
