/* SPDX-License-Identifier: MIT */
/* What the two ends say: broker.c (supervisor) and broker_worker.c. A question has one answer: a result (0 or -errno) and perhaps a descriptor. */
#ifndef SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H

#include "fetchfs/client/broker.h"

#include <fcntl.h>
#include <limits.h>

enum { BROKER_ANSWER, BROKER_OPEN, BROKER_WRITE, BROKER_RAM, BROKER_OPEN_BACKING, BROKER_CLOSE_BACKING };

/* Of what is to be written. */
#define BROKER_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

struct broker_question {
	uint32_t mode;			/* BROKER_WRITE; what is to be written is in a sealed memfd that comes along */
	uint32_t backing;		/* BROKER_CLOSE_BACKING; the file of BROKER_OPEN_BACKING comes along, and its number is the result */
	char path[PATH_MAX];
};

/* broker_backing.c: the kernel may read the file itself; its number there, positive. -EPERM: that file may not be given to it; -EMFILE: it has too many; -errno. */
int broker_backing_open(struct broker *b, int fd);
errint_t broker_backing_close(struct broker *b, uint32_t number);

#endif
