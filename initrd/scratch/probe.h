/* SPDX-License-Identifier: MIT */
/*
 * What lies on a stretch of a disk: an ext4 file system, something else that has a name, or nothing at all. Only reads. Knows signatures; must not
 * know what is done about them.
 */
#ifndef SPORE_INITRD_PROBE_H
#define SPORE_INITRD_PROBE_H

#include "common/base.h"

#define PROBE_LABEL_SIZE 16

struct probe_ext4 {
	char label[PROBE_LABEL_SIZE + 1];
	uint64_t bytes;		/* of the file system */
	bool clean;		/* unmounted properly, no journal to replay, no errors noted */
	bool never_mounted;	/* fresh from mke2fs */
	bool checksum_good;	/* of the superblock, where it has one */
};

/* 0 with *ret filled; -ENOENT where there is no ext2/3/4 superblock at offset; errors of reading. */
errint_t probe_ext4(int fd, uint64_t offset, struct probe_ext4 *ret);

/* Writes the label into the superblock at offset, checksum and all, and syncs. -ENOENT where there is none. */
errint_t probe_ext4_set_label(int fd, uint64_t offset, const char *label);

/* The name of what is there ("LVM2", "GPT", "xfs"), or NULL where no known signature is found; in *ret. */
errint_t probe_signature(int fd, uint64_t offset, uint64_t bytes, const char **ret);

/* A stretch that does not count in probe_zero. */
struct probe_hole {
	uint64_t first, end;	/* bytes, on the device */
};

/*
 * Whether offset..offset+bytes is zero as far as it is read: wholly up to PROBE_WHOLE bytes, beyond that the first and the last PROBE_EDGE bytes and
 * PROBE_SAMPLES samples of PROBE_SAMPLE bytes evenly between: every known format has something at one of the ends, and data without a format is found
 * where it takes up more than a thousandth of the disk in one piece. *ret_at: where the first byte that is not zero was found (UINT64_MAX: none).
 */
#define PROBE_WHOLE (16 * MIB)
#define PROBE_EDGE (4 * MIB)
#define PROBE_SAMPLES 1024u
#define PROBE_SAMPLE (4 * KIB)
errint_t probe_zero(int fd, uint64_t offset, uint64_t bytes, const struct probe_hole *hole, uint64_t *ret_at);

#endif
