/* SPDX-License-Identifier: MIT */
/* See snapshot_gate.h. Counters and flag are sequentially consistent: one who goes in sees the flag, or the one who closes sees the counter. */
#include "fetchfs/client/snapshot_gate.h"

static atomic_uint threads;
static __thread unsigned my_slot;	/* + 1 */
static __thread unsigned my_depth;

void gate_init(struct gate *g, bool enabled)
{
	memset(g, 0, sizeof(*g));
	g->enabled = enabled;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

void gate_done(struct gate *g)
{
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->changed);
}

static atomic_uint *slot_of_this_thread(struct gate *g)
{
	if (my_slot == 0)
		my_slot = atomic_fetch_add(&threads, 1) % GATE_SLOTS + 1;
	return &g->slots[my_slot - 1].inside;
}

static void go_out(struct gate *g, atomic_uint *slot)
{
	if (atomic_fetch_sub(slot, 1) != 1 || !atomic_load(&g->closed))
		return;
	pthread_mutex_lock(&g->lock);
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void gate_enter_slowly(struct gate *g)
{
	atomic_uint *slot = slot_of_this_thread(g);

	if (my_depth++ > 0)
		return;
	for (;;) {
		atomic_fetch_add(slot, 1);
		if (!atomic_load(&g->closed))
			return;
		go_out(g, slot);
		pthread_mutex_lock(&g->lock);
		while (atomic_load(&g->closed))
			pthread_cond_wait(&g->changed, &g->lock);
		pthread_mutex_unlock(&g->lock);
	}
}

void gate_leave_slowly(struct gate *g)
{
	if (--my_depth == 0)
		go_out(g, slot_of_this_thread(g));
}

void gate_close(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	atomic_store(&g->closed, true);
	for (unsigned i = 0; i < GATE_SLOTS; i++)
		while (atomic_load(&g->slots[i].inside) > 0)
			pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	atomic_store(&g->closed, false);
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}
