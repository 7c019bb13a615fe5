/* SPDX-License-Identifier: MIT */
/*
 * What the reader and the checker of FAT volumes share, and nobody else uses: directory entries and the walk over a volume.
 */
#ifndef SPORE_MKIMAGE_FAT_DIR_H
#define SPORE_MKIMAGE_FAT_DIR_H

#include "mkimage/fat.h"
#include "mkimage/fat_name.h"

struct fat_dir_entry {
	char name[3 * FAT_LONG_UNITS + 1];	/* UTF-8 */
	uint8_t attributes;
	uint32_t first_cluster, size;
	int dots;			/* 1: ".", 2: "..", 0: neither */
	const char *fault;		/* what is wrong with the entry's name; or NULL */
};

/* The next entry at or behind at; returns where to go on, 0 at the end. */
size_t fat_dir_next(const char *data, size_t size, size_t at, struct fat_dir_entry *ret);

struct fat_walk {
	const struct fat *fat;
	struct fat_listing *listing;
	fat_report_fn *report;		/* NULL: faults that can be passed over are */
	void *context;
	int findings;
};

/* Lists everything, reporting on the way. */
errint_t fat_walk(struct fat_walk *w);
void fat_walk_report(struct fat_walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A directory's bytes; first_cluster 0: the root. */
errint_t fat_read_directory(const struct fat *f, uint32_t first_cluster, char **ret_data, size_t *ret_size);
bool fat_is_data_cluster(const struct fat *f, uint32_t cluster);
const uint8_t *fat_cluster(const struct fat *f, uint32_t cluster);

#endif
