/* SPDX-License-Identifier: MIT */
/* See open_modes.h: a hash table with linear probing. An entry that is not open keeps its place, and is used again. */
#include "fetchfs/client/open_modes.h"

#include <pthread.h>
#include <sys/mman.h>

#define ENTRIES 16384

struct entry {
	uint64_t ino;		/* 0: never used, and nothing behind it */
	uint32_t backing, opens;
};

struct open_modes {
	pthread_mutex_t lock;
	struct entry *entries;
};

errint_t open_modes_make(int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("fetchfs-opens", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, ENTRIES * sizeof(struct entry)) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

errint_t open_modes_map(int fd, struct open_modes **ret)
{
	struct open_modes *m = calloc(1, sizeof(*m));
	void *map = m ? mmap(NULL, ENTRIES * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (map == MAP_FAILED) {
		free(m);
		return -ENOMEM;
	}
	pthread_mutex_init(&m->lock, NULL);
	m->entries = map;
	*ret = m;
	return 0;
}

void open_modes_unmap(struct open_modes *m)
{
	if (!m)
		return;
	munmap(m->entries, ENTRIES * sizeof(struct entry));
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* The inode's entry, or (not open) where it may be put; NULL: no room. */
static struct entry *find(struct open_modes *m, uint64_t ino)
{
	size_t at = (size_t)((ino * 0x9e3779b97f4a7c15u) >> 50) % ENTRIES;
	struct entry *room = NULL;

	for (size_t i = 0; i < ENTRIES; i++, at = (at + 1) % ENTRIES) {
		struct entry *e = &m->entries[at];
		if (e->ino == ino && e->opens > 0)
			return e;
		if (!room && e->opens == 0)
			room = e;
		if (e->ino == 0)
			break;
	}
	return room;
}

errint_t open_modes_open(struct open_modes *m, uint64_t ino, uint32_t (*choose)(void *context), void *context, uint32_t *ret)
{
	struct entry *e;

	pthread_mutex_lock(&m->lock);
	e = find(m, ino);
	if (e && e->opens == 0) {
		e->ino = ino;
		e->backing = choose(context);
	}
	if (e) {
		e->opens++;
		*ret = e->backing;
	}
	pthread_mutex_unlock(&m->lock);
	return e ? 0 : -ENFILE;
}

uint32_t open_modes_close(struct open_modes *m, uint64_t ino)
{
	uint32_t unused = 0;
	struct entry *e;

	pthread_mutex_lock(&m->lock);
	e = find(m, ino);
	if (e && e->opens > 0 && --e->opens == 0)
		unused = e->backing;
	pthread_mutex_unlock(&m->lock);
	return unused;
}
