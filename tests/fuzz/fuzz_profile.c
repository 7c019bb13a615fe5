/* SPDX-License-Identifier: MIT */
/* Profiles: what is taken of a recording can be written and reads the same again; a list's objects make the same list again. */
#include "fetchfs/format/profile_list.h"
#include "fetchfs/publish/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_recording(const uint8_t *data, size_t size)
{
	struct profiles p = { .count = 0 };
	struct trouble t = { .exit_code = 0 };
	char *text = malloc(size + 1), *again = NULL;
	size_t again_size;

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (profiles_add(&p, "one", text, "fuzz", &t) == 0) {
		if (profile_format(p.list[0], &again, &again_size) < 0 || profiles_add(&p, "two", again, "fuzz", &t) < 0 ||
		    p.list[0]->count != p.list[1]->count)
			abort();
		for (uint32_t i = 0; i < p.list[0]->count; i++) {
			const struct profile_entry *a = &p.list[0]->entries[i], *b = &p.list[1]->entries[i];
			if (strcmp(a->path, b->path) != 0 || a->offset != b->offset || a->length != b->length || a->next != b->next)
				abort();
		}
	}
	profiles_done(&p);
}

static void read_list(const uint8_t *data, size_t size)
{
	struct profile_list_object *objects;
	struct profile_list l;
	size_t again_size;
	void *again;

	if (profile_list_open(data, size, &l) < 0)
		return;
	objects = calloc((size_t)l.count + 1, sizeof(*objects));
	if (!objects)
		abort();
	for (uint32_t i = 0; profile_list_get(&l, i, &objects[i]); i++)
		;
	if (profile_list_make(objects, l.count, &again, &again_size) < 0 || again_size != size || memcmp(again, data, size) != 0)
		abort();
	free(again);
	free(objects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_recording(data, size);
	read_list(data, size);
	return 0;
}
