/* SPDX-License-Identifier: MIT */
/*
 * The whole image: partition table and ESP laid out around a tree of files (docs/format-image.md), and an image file opened for reading.
 * Knows offsets, sizes and identifiers; must not know what the files on the ESP mean.
 */
#ifndef SPORE_MKIMAGE_IMAGE_H
#define SPORE_MKIMAGE_IMAGE_H

#include "common/gpt.h"
#include "mkimage/disk.h"
#include "mkimage/fat.h"
#include "mkimage/payload.h"

#define IMAGE_SECTOR 512
/* The ESP's first sector: 64 KiB, aligned for disks with physical sectors of 4 KiB, and 47 KiB before it for BIOS boot code (sectors 34 to 127). */
#define IMAGE_ESP_FIRST 128
/* Where the ESP ends and the image ends: the former as sgdisk advises for a partition that begins at sector 128. */
#define IMAGE_ESP_ALIGNMENT (64 * KIB)
#define IMAGE_ALIGNMENT (4 * KIB)
#define IMAGE_LABEL "SPORE"

struct image_options {
	enum fat_type fat;
	uint64_t free_bytes;
	int64_t time;
};

struct image_layout {
	struct gpt_guid disk_id, esp_id;
	uint64_t esp_offset, esp_size;	/* bytes */
	struct fat_geometry fat;
};

/* Fills an empty disk from the sorted tree. Errors and *ret_bad as of fat_create. */
errint_t image_assemble(const struct payload *t, const struct image_options *o, struct disk *ret, struct image_layout *ret_layout, const char **ret_bad);

/* An image file mapped for reading. */
struct image_file {
	int fd;
	uint8_t *data;
	uint64_t size;
};
#define IMAGE_FILE_INIT { .fd = -1, .data = NULL }

/* -EISDIR and others of open; -ENODATA: the file is empty. */
errint_t image_file_open(const char *path, struct image_file *ret);
void image_file_close(struct image_file *f);

#endif
