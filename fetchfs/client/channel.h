/* SPDX-License-Identifier: MIT */
/*
 * Messages with descriptors between the two processes of a mount, over a pair of sockets (SOCK_SEQPACKET). Knows sizes and descriptors; must not know what is
 * said. Whoever receives trusts nothing: a message that is malformed or too long is an error, and descriptors that came with it are closed.
 */
#ifndef SPORE_FETCHFS_CLIENT_CHANNEL_H
#define SPORE_FETCHFS_CLIENT_CHANNEL_H

#include "common/base.h"

#define CHANNEL_DATA_MAX 8192
#define CHANNEL_FDS_MAX 16

struct channel_message {
	uint32_t type;
	size_t size;
	uint8_t data[CHANNEL_DATA_MAX];
	int fds[CHANNEL_FDS_MAX];	/* of the receiver: to be closed or taken (steal_fd) */
	size_t fd_count;
};

errint_t channel_pair(int ret[2]);
/* -EPIPE: the other side is gone. Waits where the other side is slow. */
errint_t channel_send(int fd, uint32_t type, const void *data, size_t size, const int *fds, size_t fd_count);
/* Waits. -EPIPE: the other side is gone; -EBADMSG. */
errint_t channel_receive(int fd, struct channel_message *ret);
void channel_message_done(struct channel_message *m);

#endif
