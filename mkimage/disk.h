/* SPDX-License-Identifier: MIT */
/*
 * A disk's content as stretches of memory with holes of zeros between them: what partition table and file systems are put into, and what every
 * image format writes out. Knows no format.
 */
#ifndef SPORE_MKIMAGE_DISK_H
#define SPORE_MKIMAGE_DISK_H

#include "common/base.h"

struct disk_extent {
	uint64_t offset;	/* bytes */
	const void *data;
	uint64_t size;
	void *owned;		/* freed by disk_done; NULL where data belongs to somebody else */
};

struct disk {
	uint64_t size;		/* bytes, a multiple of 512 */
	struct disk_extent *extents;
	size_t count;
};

/* Adds size bytes at offset. owned is data where the disk shall free it, else NULL (data must live as long as the disk). -ENOMEM (owned is freed). */
errint_t disk_add(struct disk *d, uint64_t offset, const void *data, uint64_t size, void *owned);
/* By offset. -EINVAL: extents overlap or lie outside the disk. */
errint_t disk_sort(struct disk *d);
void disk_done(struct disk *d);

/* One output format: a file each (format_raw.c …). write puts the whole image into an empty file. */
struct image_format {
	const char *name;	/* --format */
	const char *suffix;	/* of the default output name */
	const char *summary;
	errint_t (*write)(const struct disk *d, int fd);
};

extern const struct image_format format_raw;

/* The table; NULL where the name is unknown. */
const struct image_format *format_find(const char *name);
/* "raw, qcow2" for messages. */
void format_list(char *ret, size_t size);

#endif
