/* SPDX-License-Identifier: MIT */
/*
 * The gate of a snapshot that can change: whoever looks into it is inside meanwhile, and a change closes the gate, waits until all are out, and opens it
 * again. Going in and out touches one counter that hardly any other thread uses, and no lock; without a change to come (enabled false) not even that. Nobody
 * inside may wait for a network or for the kernel. Must not know what is behind it.
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_GATE_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_GATE_H

#include "common/base.h"

#include <pthread.h>
#include <stdatomic.h>

#define GATE_SLOTS 16

struct gate {
	bool enabled;			/* set before other threads begin */
	atomic_bool closed;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct gate_slot {
		_Alignas(64) atomic_uint inside;	/* a cache line of its own */
	} slots[GATE_SLOTS];
};

void gate_init(struct gate *g, bool enabled);
void gate_done(struct gate *g);
void gate_enter_slowly(struct gate *g);
void gate_leave_slowly(struct gate *g);
/* By one thread at a time that is not inside. */
void gate_close(struct gate *g);
void gate_open(struct gate *g);

/* A thread that is inside may enter again. */
static inline void gate_enter(struct gate *g)
{
	if (g->enabled)
		gate_enter_slowly(g);
}

static inline void gate_leave(struct gate *g)
{
	if (g->enabled)
		gate_leave_slowly(g);
}

static inline void gate_leave_at_end(struct gate **g)
{
	gate_leave(*g);
}

/* Inside until the end of the block. */
#define GATE_INSIDE(g) _cleanup_(gate_leave_at_end) struct gate *inside_ = (g); gate_enter(inside_)

#endif
