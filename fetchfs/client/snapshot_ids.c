/* SPDX-License-Identifier: MIT */
/* Runs of inode numbers; see snapshot_ids.h. */
#include "fetchfs/client/snapshot_ids.h"

static bool continues(const uint64_t *inos, uint32_t index)
{
	return inos[index] != 0 && inos[index] == inos[index - 1] + 1;
}

errint_t id_runs_from(const uint64_t *inos, uint32_t count, void *owner, struct id_runs *ret)
{
	size_t runs = 0;

	for (uint32_t i = 0; i < count; i++)
		runs += inos[i] != 0 && (i == 0 || !continues(inos, i));
	*ret = (struct id_runs){ .runs = malloc((runs ? runs : 1) * sizeof(*ret->runs)) };
	if (!ret->runs)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (inos[i] == 0)
			continue;
		if (i > 0 && continues(inos, i))
			ret->runs[ret->count - 1].length++;
		else
			ret->runs[ret->count++] = (struct id_run){ .ino = inos[i], .index = i, .length = 1, .owner = owner };
	}
	return 0;
}

void id_runs_done(struct id_runs *r)
{
	free(steal_ptr(r->runs));
	r->count = 0;
}

uint64_t id_runs_ino(const struct id_runs *r, uint32_t index)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct id_run *run = &r->runs[middle];
		if (index < run->index)
			high = middle;
		else if (index - run->index < run->length)
			return run->ino + (index - run->index);
		else
			low = middle + 1;
	}
	return 0;
}

errint_t id_runs_append(struct id_runs *to, const struct id_runs *from)
{
	struct id_run *larger;

	if (from->count == 0)
		return 0;
	larger = realloc(to->runs, (to->count + from->count) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memcpy(larger + to->count, from->runs, from->count * sizeof(*larger));
	to->runs = larger;
	to->count += from->count;
	return 0;
}

static int compare_inos(const void *a, const void *b)
{
	const struct id_run *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

void id_runs_order_by_ino(struct id_runs *r)
{
	if (r->count > 1)
		qsort(r->runs, r->count, sizeof(*r->runs), compare_inos);
}

const struct id_run *id_runs_find(const struct id_runs *r, uint64_t ino)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct id_run *run = &r->runs[middle];
		if (ino < run->ino)
			high = middle;
		else if (ino - run->ino < run->length)
			return run;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct id_run *id_runs_search(const struct id_runs *r, uint64_t ino)
{
	for (size_t i = 0; i < r->count; i++)
		if (ino >= r->runs[i].ino && ino - r->runs[i].ino < r->runs[i].length)
			return &r->runs[i];
	return NULL;
}
