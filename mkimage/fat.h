/* SPDX-License-Identifier: MIT */
/*
 * FAT12, FAT16 and FAT32 with long names: laying a tree out as a new volume, and reading and judging any volume. Written after Microsoft's
 * "FAT: General Overview of On-Disk Format", 1.03. Knows memory only, no descriptors; must not know what the files are for.
 */
#ifndef SPORE_MKIMAGE_FAT_H
#define SPORE_MKIMAGE_FAT_H

#include "common/base.h"
#include "mkimage/payload.h"
#include "mkimage/disk.h"

#define FAT_SECTOR 512
#define FAT_MAX_FILE_SIZE ((uint64_t)UINT32_MAX)

enum fat_type { FAT_AUTO = 0, FAT12 = 12, FAT16 = 16, FAT32 = 32 };

/* The form a volume has; also what a boot sector says. */
struct fat_geometry {
	enum fat_type type;
	uint32_t cluster_size;		/* bytes */
	uint32_t clusters;		/* data clusters; numbered from 2 */
	uint32_t reserved;		/* sectors before the first FAT */
	uint32_t fat_sectors;		/* of one of the two FATs */
	uint32_t fats;
	uint32_t root_entries;		/* 0 on FAT32 */
	uint32_t root_cluster;		/* FAT32 only */
	uint64_t sectors;		/* of the whole volume */
};

/* ---- writing ---- */

struct fat_options {
	enum fat_type type;		/* FAT_AUTO: by size */
	uint64_t free_bytes;		/* to leave free, at least */
	uint32_t volume_id;
	const char *label;		/* at most 11 characters, upper case */
	int64_t time;			/* seconds since 1970, of all entries; FAT knows 1980 to 2107 */
	uint32_t hidden_sectors;	/* before the volume on its disk */
};

/*
 * Lays the sorted tree out as a volume at offset of the disk: adds its extents (file contents are the tree's memory, not copied).
 * The same tree and options give the same bytes. -EFBIG: a file of 4 GiB or more (*ret_bad names it), -EINVAL: a name that FAT cannot hold
 * (*ret_bad), -ENOSPC: more clusters than the type can have, -ENAMETOOLONG.
 */
errint_t fat_create(const struct payload *t, const struct fat_options *o, struct disk *d, uint64_t offset, struct fat_geometry *ret, const char **ret_bad);

/* ---- reading ---- */

struct fat {
	const uint8_t *data;		/* the volume */
	uint64_t size;			/* bytes of it that are there */
	struct fat_geometry g;
	uint64_t fat_offset, root_offset, data_offset;	/* bytes */
	uint32_t volume_id;
	char label[12];
};

#define FAT_MAX_NODES 4096
#define FAT_MAX_DEPTH 16
#define FAT_MAX_PATH 1024

struct fat_node {
	char *path;			/* "EFI/BOOT": as long names say; no leading '/' */
	bool directory;
	uint32_t size;			/* bytes; 0 for directories */
	uint32_t first_cluster;		/* 0: empty, or the root */
};

struct fat_listing {
	struct fat_node *nodes;		/* in the order of the directories, parents before children */
	size_t count;
};

/* What is wrong with a volume, one text each, in order of discovery. */
typedef void fat_report_fn(void *context, const char *text);

/* -EBADMSG: no FAT volume, or its boot sector contradicts itself or the size; *ret_why says what. */
errint_t fat_open(const void *data, uint64_t size, struct fat *ret, const char **ret_why);
/* All files and directories. -EBADMSG: a directory that cannot be followed; -E2BIG: more than the limits above. */
errint_t fat_list(const struct fat *f, struct fat_listing *ret);
void fat_listing_done(struct fat_listing *l);
/* By path, letters of either case; NULL where there is none. */
const struct fat_node *fat_find(const struct fat_listing *l, const char *path);
/* The content, with a NUL behind it (free). -EBADMSG: the chain is broken; -EFBIG: larger than max. */
errint_t fat_read(const struct fat *f, const struct fat_node *n, size_t max, char **ret_data, size_t *ret_size);
/* Everything: FAT copies, chains, cross links, lost clusters, directory entries, long names. Returns the number of findings (0: sound), or -errno. */
int fat_check(const struct fat *f, fat_report_fn *report, void *context);
/* Free bytes. */
uint64_t fat_free_bytes(const struct fat *f);

/* The entry of a cluster, with all types' end marks as FAT_END and bad ones as FAT_BAD. cluster must be below clusters + 2. */
#define FAT_END 0x0fffffffu
#define FAT_BAD 0x0ffffff7u
uint32_t fat_next(const struct fat *f, uint32_t copy, uint32_t cluster);

/* Of the 11 bytes of a short name, as long-name entries carry it. */
uint8_t fat_short_checksum(const uint8_t name[11]);

#endif
