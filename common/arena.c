/* SPDX-License-Identifier: MIT */
/*
 * Memory that is released all at once (arena.h): blocks in a list, each filled from its start.
 */
#include "common/arena.h"

#include <stdarg.h>

#define ARENA_BLOCK 8192

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	max_align_t data[];
};

static struct arena_block *arena_new_block(struct arena *a, size_t size)
{
	size_t room = MAX(size, (size_t)ARENA_BLOCK);
	struct arena_block *b = calloc(1, sizeof *b + room);

	if (!b)
		return NULL;
	b->size = room;
	b->next = a->first;
	a->first = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t max = a->max ? a->max : ARENA_DEFAULT_MAX;
	struct arena_block *b = a->first;
	void *p;

	if (size > max)
		return NULL;
	size = (size_t)align_up(size ? size : 1, _Alignof(max_align_t));
	if (size > max - a->total)
		return NULL;
	if (!b || b->size - b->used < size)
		b = arena_new_block(a, size);
	if (!b)
		return NULL;
	p = (uint8_t *)b->data + b->used;
	b->used += size;
	a->total += size;
	return p;
}

char *arena_copy(struct arena *a, const void *data, size_t size)
{
	char *p = size < SIZE_MAX ? arena_alloc(a, size + 1) : NULL;

	if (p && size)
		memcpy(p, data, size);
	return p;
}

char *arena_string(struct arena *a, const char *text)
{
	return arena_copy(a, text, strlen(text));
}

char *arena_format(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	p = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
	if (!p)
		return NULL;
	va_start(ap, format);
	vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	return p;
}

void *arena_grow(struct arena *a, void *array, size_t count, size_t element)
{
	size_t room = count ? count * 2 : 4;
	void *p;

	if (count && (count < 4 || (count & (count - 1))))
		return array;	/* the room of the last power of two is not used up */
	if (element && room > SIZE_MAX / element)
		return NULL;
	p = arena_alloc(a, room * element);
	if (p && count)
		memcpy(p, array, count * element);
	return p;
}

void arena_done(struct arena *a)
{
	while (a->first) {
		struct arena_block *b = a->first;

		a->first = b->next;
		free(b);
	}
	a->total = 0;
}
