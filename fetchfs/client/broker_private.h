/* SPDX-License-Identifier: MIT */
/* What the two ends say: broker.c (supervisor) and broker_worker.c. A question has one answer: a result (0 or -errno) and perhaps a descriptor. */
#ifndef SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H

#include "fetchfs/client/broker.h"

#include <limits.h>

enum { BROKER_ANSWER, BROKER_OPEN, BROKER_WRITE, BROKER_RAM, BROKER_OPEN_BACKING, BROKER_CLOSE_BACKING };

struct broker_question {
	uint32_t mode;			/* BROKER_WRITE; what is to be written is in a memfd that comes along */
	uint32_t backing;		/* BROKER_CLOSE_BACKING; the file of BROKER_OPEN_BACKING comes along, and its number is the result */
	char path[PATH_MAX];
};

#endif
