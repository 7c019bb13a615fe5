/* SPDX-License-Identifier: MIT */
/* Profiles: what is taken of a recording can be written and reads the same again; a list's objects and wants stay within it, and make the same list again. */
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
	struct profile_list_object *objects, o = { .first = 0 };
	struct profile_list_want *wants;
	struct profile_list l;
	size_t again_size;
	void *again;

	if (profile_list_open(data, size, &l) < 0)
		return;
	objects = calloc((size_t)l.objects + 1, sizeof(*objects));
	wants = calloc((size_t)l.wants + 1, sizeof(*wants));
	if (!objects || !wants)
		abort();
	for (uint32_t i = 0; profile_list_next(&l, i, &o); i++) {
		objects[i] = o;
		for (uint32_t n = 0; n < o.wants; n++)
			profile_list_want(&l, o.first + n, &wants[o.first + n]);
	}
	if (profile_list_make(objects, l.objects, wants, l.wants, &again, &again_size) < 0 || again_size != size)
		abort();
	free(again);
	free(objects);
	free(wants);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_recording(data, size);
	read_list(data, size);
	return 0;
}
