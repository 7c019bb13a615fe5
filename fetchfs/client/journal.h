/* SPDX-License-Identifier: MIT */
/*
 * The requests that were taken from the kernel and are not answered yet, in memory that outlives the worker which took them (a memfd that the supervisor holds). The
 * kernel writes each request straight into it, so there is no moment at which a request is gone from the kernel's queue and not in the journal; a successor does
 * again what it finds there. This needs no help of the kernel, as FUSE_NOTIFY_RESEND (Linux 6.9) would be, and so works with every one. Any number of
 * threads. Knows the heads of FUSE's messages; must not know what requests mean.
 */
#ifndef SPORE_FETCHFS_CLIENT_JOURNAL_H
#define SPORE_FETCHFS_CLIENT_JOURNAL_H

#include "common/base.h"

#include <sys/uio.h>

#define JOURNAL_REQUEST_MAX 8192	/* FUSE_MIN_READ_BUFFER: the kernel takes no smaller buffer; a read-only file system gets no larger request */
#define JOURNAL_CAPACITY 16384		/* requests that may wait at a time; more wait in the kernel */
#define JOURNAL_INIT_MAX 256
#define JOURNAL_TRIES 3			/* workers that a request may end before it is given up */

struct journal;

/* A new one, empty: a descriptor to be given to workers. */
errint_t journal_make(int *ret_fd);
/* How many requests were answered so far, by all workers. A hint: workers can write it. fd as from journal_make. */
uint64_t journal_answered_count(int fd);

/* In a worker, one at a time. -EPROTONOSUPPORT: it was made by a program that does it otherwise. */
errint_t journal_open(int fd, struct journal **ret);
void journal_close(struct journal *j);

/* As read(2) from the device, into buf and the journal. A cancellation point. */
ssize_t journal_read(struct journal *j, int device, void *buf, size_t size);
/* A reply has been written, or the kernel does not want one. */
void journal_answered(struct journal *j, uint64_t unique);
/*
 * What the worker before has left: again is called for each, in the order of their coming. Where that one crashed, a request that has been in the hands of
 * JOURNAL_TRIES crashed workers is given to give_up instead. Before journal_read.
 */
struct journal_visitor {
	void (*again)(void *context, const void *request, size_t size);
	void (*give_up)(void *context, uint64_t unique);
	void *context;
};
void journal_replay(struct journal *j, bool crashed, const struct journal_visitor *v);

/*
 * What was agreed with the kernel: the reply to FUSE_INIT that it got from the first worker. True: reply is to be sent (journal_agreed then). False: it was
 * sent before; *ret_same tells whether this one says the same.
 */
bool journal_agree(struct journal *j, const struct iovec *reply, int count, bool *ret_same);
void journal_agreed(struct journal *j);

#endif
