/* SPDX-License-Identifier: MIT */
/*
 * Inode numbers that catalogs have inherited. A catalog that replaces another one keeps the numbers of the files that did not change: runs of consecutive
 * indexes with consecutive numbers, since a change here and there only shifts what follows. Knows numbers; must not know what has them.
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_IDS_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_IDS_H

#include "common/base.h"

/* Indexes index … index + length - 1 have the inode numbers ino … ino + length - 1. */
struct id_run {
	uint64_t ino;
	uint32_t index, length;
	void *owner;		/* whose indexes they are; for lists over several catalogs */
};

struct id_runs {
	struct id_run *runs;
	size_t count;
};

/* From one inode number for each index (0: none inherited): ordered by index. -ENOMEM. */
errint_t id_runs_from(const uint64_t *inos, uint32_t count, void *owner, struct id_runs *ret);
void id_runs_done(struct id_runs *r);
/* In a list ordered by index; 0: not inherited. */
uint64_t id_runs_ino(const struct id_runs *r, uint32_t index);
/* Appends all of from. -ENOMEM. */
errint_t id_runs_append(struct id_runs *to, const struct id_runs *from);
void id_runs_order_by_ino(struct id_runs *r);
/* In a list ordered by number. NULL: nobody has it. */
const struct id_run *id_runs_find(const struct id_runs *r, uint64_t ino);
/* The same in a list ordered by index, slowly. */
const struct id_run *id_runs_search(const struct id_runs *r, uint64_t ino);

#endif
