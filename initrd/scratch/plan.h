/* SPDX-License-Identifier: MIT */
/*
 * Where scratch is, or may be made. Looks at every disk, gives each place a verdict with its reason, and chooses. Reads only: doing is make.h's.
 * The rule over all others: a disk or partition that carries any signature, partition table or content is never chosen.
 */
#ifndef SPORE_INITRD_PLAN_H
#define SPORE_INITRD_PLAN_H

#include "initrd/scratch/disks.h"
#include "common/gpt.h"

#define SCRATCH_LABEL "SPORE_SCRATCH"
#define SCRATCH_MIN (750 * MIB)
#define SCRATCH_ALIGNMENT MIB

enum verdict {
	PLACE_FOREIGN,	/* never touched */
	PLACE_FOUND,	/* a scratch file system */
	PLACE_BEGUN,	/* a scratch partition of ours whose file system was never finished */
	PLACE_DISK,	/* a wholly empty disk */
	PLACE_GAP,	/* room behind the image on the disk that it lies on */
	PLACE_BLANK,	/* a partition full of zeroes: only when named */
};

struct place {
	enum verdict verdict;
	size_t disk;		/* index into disks */
	uint32_t partition;	/* number from 1; 0: the disk itself, or not there yet */
	uint64_t offset, bytes;	/* on the disk */
	bool boot_disk;
	bool warn;		/* the reason is worth a word to the user */
	char reason[200];
};

struct plan {
	struct disks disks;
	struct place *places;	/* owned */
	size_t count;
	int chosen;		/* index of the place, or PLAN_RAM or PLAN_NONE */
	char why[320];		/* for PLAN_NONE: what the policy asked for and why it cannot be */
};
enum { PLAN_RAM = -1, PLAN_NONE = -2 };

/*
 * policy: "auto", "ram", a device ("/dev/vdb", "/dev/vdb1") or "LABEL=NAME". all: look at every place thoroughly; otherwise emptiness, which takes
 * reading, is looked at only where no scratch file system was found. -EINVAL: no such policy.
 */
errint_t plan_make(struct plan *p, const char *policy, bool all);
void plan_done(struct plan *p);

const char *plan_verdict_name(enum verdict v);
/* "vda2", or "vda" for what is no partition yet. */
void plan_place_name(const struct plan *p, const struct place *place, char ret[DISK_NAME_SIZE]);

#endif
