/* SPDX-License-Identifier: MIT */
/*
 * Makes scratch where the plan says: partition table, partition, file system. A power cut at any moment leaves either what was there before or a
 * partition that the next boot takes for begun: the label comes last. Knows GPT and the tools of e2fsprogs; must not decide where.
 */
#ifndef SPORE_INITRD_MAKE_H
#define SPORE_INITRD_MAKE_H

#include "initrd/scratch/plan.h"

struct make_problem {
	char text[256];		/* what failed, on what; without the errno's text where error is 0 */
};

/* Makes the partition (where there is none yet) and its file system. limit: bytes at most, 0 without. On success the place is PLACE_FOUND. */
errint_t make_scratch(const struct plan *plan, struct place *place, uint64_t limit, struct make_problem *problem);

/*
 * The partition of the place has a device node: where the kernel read no table, because its first copy is damaged, the copy at the disk's end is
 * written back and the kernel is told.
 */
errint_t make_ready(const struct plan *plan, const struct place *place, struct make_problem *problem);

/*
 * Where the partition at place ends before the disk does: makes it larger, up to limit bytes in all. *ret_grown says whether it did; place->bytes
 * is the new size.
 */
errint_t make_larger(const struct plan *plan, struct place *place, uint64_t limit, bool *ret_grown, struct make_problem *problem);

/* Runs a program, its output on our standard error; its exit code, or -errno. argv[0] is looked for in PATH. */
int make_run(char *const argv[]);

#endif
