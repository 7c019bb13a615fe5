/* SPDX-License-Identifier: MIT */
/* A hash table of pointers; see table.h. */
#include "fetchfs/publish/table.h"

#include <sodium.h>

uint64_t table_hash(const void *data, size_t size, uint64_t seed)
{
	uint8_t key[crypto_shorthash_KEYBYTES] = { 0 }, hash[crypto_shorthash_BYTES];

	le64_put(key, seed);
	crypto_shorthash(hash, data, size, key);
	return le64_get(hash);
}

void *table_find(const struct table *t, uint64_t hash, const void *key, table_equal equal)
{
	if (t->room == 0)
		return NULL;
	for (size_t i = hash & (t->room - 1); t->slots[i].value; i = (i + 1) & (t->room - 1))
		if (t->slots[i].hash == hash && equal(t->slots[i].value, key))
			return t->slots[i].value;
	return NULL;
}

static void place(struct table_slot *slots, size_t room, uint64_t hash, void *value)
{
	size_t i = hash & (room - 1);

	while (slots[i].value)
		i = (i + 1) & (room - 1);
	slots[i] = (struct table_slot){ .hash = hash, .value = value };
}

static errint_t grow(struct table *t)
{
	size_t room = t->room ? t->room * 2 : 256;
	struct table_slot *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->slots[i].value)
			place(slots, room, t->slots[i].hash, t->slots[i].value);
	free(t->slots);
	t->slots = slots;
	t->room = room;
	return 0;
}

errint_t table_add(struct table *t, uint64_t hash, void *value)
{
	if (t->count >= t->room / 4 * 3 && grow(t) < 0)
		return -ENOMEM;
	place(t->slots, t->room, hash, value);
	t->count++;
	return 0;
}

void table_done(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}
