/* SPDX-License-Identifier: MIT */
/*
 * The machine's disks and their partitions, from sysfs. Knows names, sizes and kinds; must not know what lies on them. All paths begin with the
 * environment's SPORE_ROOT, where a test has its own /sys and regular files for devices.
 */
#ifndef SPORE_INITRD_DISKS_H
#define SPORE_INITRD_DISKS_H

#include "common/base.h"

#define DISKS_MAX 256
#define DISK_PARTITIONS_MAX 128
#define DISK_NAME_SIZE 40

struct disk_partition {
	char name[DISK_NAME_SIZE];	/* "vda2" */
	uint32_t number;
	uint64_t first, bytes;		/* bytes from the disk's start */
};

struct disk {
	char name[DISK_NAME_SIZE];	/* "vda" */
	uint64_t bytes;
	uint32_t sector_size;
	bool read_only, removable;
	const char *unfit;		/* why it is no disk for us ("a loop device"), or NULL */
	struct disk_partition partitions[DISK_PARTITIONS_MAX];
	size_t partition_count;
};

struct disks {
	struct disk *list;		/* owned; sorted by length of name, then name: vda before vdaa */
	size_t count;
};

errint_t disks_read(struct disks *ret);
void disks_done(struct disks *d);

/* "/dev/vda" below the root (free); NULL when memory is out. */
char *disk_path(const char *name);
/* "vda" and 2 give "vda2", "nvme0n1" and 2 give "nvme0n1p2". */
void disk_partition_name(const char *disk, uint32_t number, char ret[DISK_NAME_SIZE]);
/* $SPORE_ROOT or "". */
const char *disks_root(void);

/* Opens a disk; fills bytes and sector_size from the device itself where it is one. flags: O_RDONLY or O_RDWR. Returns a descriptor or -errno. */
int disk_open(struct disk *d, int flags);

#endif
