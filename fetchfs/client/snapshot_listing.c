/* SPDX-License-Identifier: MIT */
/*
 * Listings over a change. An offset holds the stamp of the catalog it was made from, beside the position; where another catalog stands there now, the name at
 * that position in the old one tells where to go on.
 */
#include "fetchfs/client/snapshot_private.h"
#include "fetchfs/format/catalog-disk.h"

#define STAMP_SHIFT 32
#define POSITION_MASK (((uint64_t)1 << STAMP_SHIFT) - 1)

uint64_t snapshot_offset(const struct place *dir, uint64_t position)
{
	return (uint64_t)(dir->tree->stamp & INT32_MAX) << STAMP_SHIFT | position;
}

/* The directory's inode in a catalog that stood there before. */
static bool find_in(const struct tree *t, uint64_t ino, struct place *ret)
{
	const struct id_run *run = id_runs_search(&t->inherited, ino);

	ret->tree = (struct tree *)(uintptr_t)t;
	if (t->mount_ino == ino)
		ret->index = 0;
	else if (run)
		ret->index = run->index + (uint32_t)(ino - run->ino);
	else if (ino > t->base && ino - 1 - t->base < t->c.inodes)
		ret->index = (uint32_t)(ino - 1 - t->base);
	else
		return false;
	return catalog_inode(&t->c, ret->index, &ret->inode) == 0;
}

/* How many entries of the directory come before the name, or are it. */
static uint32_t count_until(const struct place *dir, const char *name, size_t length)
{
	uint32_t low = 0, high = dir->inode.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct catalog_dirent e;
		if (catalog_dirent(&dir->tree->c, &dir->inode, middle, &e) < 0)
			return high;
		if (catalog_name_compare(name, length, e.name, e.name_length) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint64_t snapshot_position(struct snapshot *s, const struct place *dir, uint64_t offset)
{
	uint64_t position = offset & POSITION_MASK;
	uint32_t stamp = (uint32_t)(offset >> STAMP_SHIFT);
	struct catalog_dirent last;
	struct place old;

	if (stamp == (dir->tree->stamp & INT32_MAX) || position == 0)
		return position;
	for (struct tree *t = s->retired; t; t = t->next_retired) {
		if ((t->stamp & INT32_MAX) != stamp || !find_in(t, dir->ino, &old))
			continue;
		if (catalog_dirent(&t->c, &old.inode, (uint32_t)(position - 1), &last) == 0)
			return count_until(dir, last.name, last.name_length);
	}
	return position;
}
