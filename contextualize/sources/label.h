/* SPDX-License-Identifier: MIT */
/*
 * The volume label of an ISO 9660 or FAT file system, read from its first structures. Bounded: a few reads at fixed places, and at most
 * LABEL_MAX_DIRECTORY bytes of a root directory. Nothing is mounted.
 */
#ifndef SPORE_CONTEXTUALIZE_LABEL_H
#define SPORE_CONTEXTUALIZE_LABEL_H

#include "common/base.h"

#define LABEL_MAX_DIRECTORY (64 * 1024)

struct volume_label {
	const char *filesystem;	/* "iso9660" or "vfat"; static */
	char label[33];		/* trailing blanks cut */
};

/* -ENODATA: neither of the two file systems. Errors of pread. */
errint_t label_read(int fd, struct volume_label *ret);

#endif
