/* SPDX-License-Identifier: MIT */
/* A few verified objects and extents in memory, the one used least recently making room; see files_private.h. They bound what a full or distrusted cache costs. */
#include "fetchfs/client/files_private.h"

static struct files_slot *find(struct files *f, const struct digest *digest)
{
	for (unsigned i = 0; i < FILES_SLOTS; i++)
		if (f->slots[i].data && digest_equal(&f->slots[i].digest, digest))
			return &f->slots[i];
	return NULL;
}

static void drop(struct files *f, struct files_slot *s)
{
	if (s->data)
		memory_give(f->memory, MEMORY_KEPT, s->size);
	free(s->data);
	s->data = NULL;
	s->used = 0;
}

static struct files_slot *oldest(struct files *f)
{
	struct files_slot *best = NULL;

	for (unsigned i = 0; i < FILES_SLOTS; i++)
		if (f->slots[i].data && (!best || f->slots[i].used < best->used))
			best = &f->slots[i];
	return best;
}

/* slots_lock held. One that is empty, with memory for size bytes. */
static struct files_slot *make_room(struct files *f, size_t size)
{
	for (;;) {
		for (unsigned i = 0; i < FILES_SLOTS; i++)
			if (!f->slots[i].data && memory_take(f->memory, MEMORY_KEPT, size, 100))
				return &f->slots[i];
		drop(f, oldest(f));
	}
}

void files_slot_put(struct files *f, const struct digest *digest, const void *data, size_t size)
{
	void *copy = malloc(size ? size : 1);
	struct files_slot *s;

	if (!copy)
		return;
	memcpy(copy, data, size);
	pthread_mutex_lock(&f->slots_lock);
	s = find(f, digest);
	if (!s) {
		s = make_room(f, size);
		*s = (struct files_slot){ .digest = *digest, .data = steal_ptr(copy), .size = size };
	}
	s->used = ++f->slot_clock;
	pthread_mutex_unlock(&f->slots_lock);
	free(copy);
}

bool files_slot_copy(struct files *f, const struct digest *digest, uint64_t from, size_t size, void *ret)
{
	struct files_slot *s;
	bool found;

	pthread_mutex_lock(&f->slots_lock);
	s = find(f, digest);
	found = s && from <= s->size && size <= s->size - from;
	if (found && size > 0)
		memcpy(ret, (const uint8_t *)s->data + from, size);
	if (found)
		s->used = ++f->slot_clock;
	pthread_mutex_unlock(&f->slots_lock);
	return found;
}

void files_slots_done(struct files *f)
{
	for (unsigned i = 0; i < FILES_SLOTS; i++)
		drop(f, &f->slots[i]);
	pthread_mutex_destroy(&f->slots_lock);
}
