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

static struct files_slot *oldest(struct files *f)
{
	struct files_slot *best = &f->slots[0];

	for (unsigned i = 1; i < FILES_SLOTS; i++)
		if (f->slots[i].used < best->used)
			best = &f->slots[i];
	return best;
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
		s = oldest(f);
		free(s->data);
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
		free(f->slots[i].data);
	pthread_mutex_destroy(&f->slots_lock);
}
