/* SPDX-License-Identifier: MIT */
/* Disk contents, and the table of formats; see disk.h. */
#include "mkimage/disk.h"

static const struct image_format *const formats[] = { &format_raw };

const struct image_format *format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

void format_list(char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(formats) && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? ", " : "", formats[i]->name);
}

errint_t disk_add(struct disk *d, uint64_t offset, const void *data, uint64_t size, void *owned)
{
	struct disk_extent *larger = realloc(d->extents, (d->count + 1) * sizeof(*larger));

	if (!larger) {
		free(owned);
		return -ENOMEM;
	}
	d->extents = larger;
	d->extents[d->count++] = (struct disk_extent){ .offset = offset, .data = data, .size = size, .owned = owned };
	return 0;
}

static int compare_extents(const void *a, const void *b)
{
	const struct disk_extent *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

errint_t disk_sort(struct disk *d)
{
	uint64_t end = 0;

	if (d->count)
		qsort(d->extents, d->count, sizeof(d->extents[0]), compare_extents);
	for (size_t i = 0; i < d->count; i++) {
		const struct disk_extent *e = &d->extents[i];
		if (e->offset < end || e->offset > d->size || e->size > d->size - e->offset)
			return -EINVAL;
		end = e->offset + e->size;
	}
	return 0;
}

void disk_done(struct disk *d)
{
	for (size_t i = 0; i < d->count; i++)
		free(d->extents[i].owned);
	free(steal_ptr(d->extents));
	d->count = 0;
}
