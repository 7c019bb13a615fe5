/* SPDX-License-Identifier: MIT */
/* Shares of the bound and their accounts; see memory.h, and "Memory" in docs/fetchfs-client.md. */
#include "fetchfs/client/memory.h"
#include "fetchfs/client/sandbox.h"


/* Of what the program itself leaves, in percent. */
static const unsigned shares[MEMORY_USES] = {
	[MEMORY_TRANSFERS] = 40, [MEMORY_UNPACKED] = 24, [MEMORY_CATALOGS] = 12, [MEMORY_KEPT] = 12, [MEMORY_READS] = 12,
};

void memory_init(struct memory *m, uint64_t bound)
{
	m->bound = bound ? bound : MEMORY_DEFAULT;
	for (unsigned i = 0; i < MEMORY_USES; i++) {
		m->limits[i] = (MAX(m->bound, MEMORY_MINIMUM) - MEMORY_PROGRAM) / 100 * shares[i];
		atomic_init(&m->used[i], 0);
	}
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
}

void memory_done(struct memory *m)
{
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->changed);
}

uint64_t memory_limit(const struct memory *m, enum memory_use use)
{
	return m ? m->limits[use] : UINT64_MAX;
}

uint64_t memory_used(struct memory *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; m && i < MEMORY_USES; i++)
		sum += atomic_load_explicit(&m->used[i], memory_order_relaxed);
	return sum;
}

uint64_t memory_resident(void)
{
	char text[128];
	unsigned long long size, pages;
	_cleanup_close_ int fd = sandbox_open_proc("self/statm");
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%llu %llu", &size, &pages) == 2 ? pages * (unsigned long long)sysconf(_SC_PAGESIZE) : 0;
}

static bool fits(const struct memory *m, enum memory_use use, uint64_t used, uint64_t size, unsigned percent)
{
	return used == 0 || used + size <= m->limits[use] / 100 * percent;
}

bool memory_fits(struct memory *m, enum memory_use use, uint64_t size, unsigned percent)
{
	return !m || fits(m, use, atomic_load(&m->used[use]), size, percent);
}

bool memory_take(struct memory *m, enum memory_use use, uint64_t size, unsigned percent)
{
	unsigned long long used;

	if (!m)
		return true;
	used = atomic_load(&m->used[use]);
	do {
		if (!fits(m, use, used, size, percent))
			return false;
	} while (!atomic_compare_exchange_weak(&m->used[use], &used, used + size));
	return true;
}

void memory_take_waiting(struct memory *m, enum memory_use use, uint64_t size)
{
	if (memory_take(m, use, size, 100))
		return;
	pthread_mutex_lock(&m->lock);
	while (!memory_take(m, use, size, 100))
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

void memory_add(struct memory *m, enum memory_use use, uint64_t size)
{
	if (m)
		atomic_fetch_add(&m->used[use], size);
}

void memory_give(struct memory *m, enum memory_use use, uint64_t size)
{
	if (!m || size == 0)
		return;
	atomic_fetch_sub(&m->used[use], size);
	pthread_mutex_lock(&m->lock);
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}
