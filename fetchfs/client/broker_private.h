/* SPDX-License-Identifier: MIT */
/* What the two ends say: broker.c (supervisor) and broker_worker.c. A question has one answer: a result (0 or -errno) and perhaps a descriptor. */
#ifndef SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_BROKER_PRIVATE_H

#include "fetchfs/client/broker.h"

#include <limits.h>

enum { BROKER_ANSWER, BROKER_OPEN, BROKER_WRITE, BROKER_RAM };

struct broker_question {
	uint32_t mode;			/* BROKER_WRITE; what is to be written is in a memfd that comes along */
	char path[PATH_MAX];
};

#endif
