/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables (UEFI Specification 2.10, chapter 5): reading with every check, making, changing, writing.
 * Shared by mkimage (which makes images) and the guest's scratch helper (which adds a partition). Works on a descriptor and on memory; never decides policy.
 */
#ifndef SPORE_COMMON_GPT_H
#define SPORE_COMMON_GPT_H

#include "common/base.h"

#define GPT_ENTRIES 128
#define GPT_ENTRY_SIZE 128
#define GPT_NAME_UNITS 36

/* As it stands on disk: the first three fields little-endian. */
struct gpt_guid {
	uint8_t bytes[16];
};

struct gpt_partition {
	struct gpt_guid type, id;	/* type all zero: unused */
	uint64_t first, last;		/* sectors, inclusive */
	uint64_t attributes;
	char name[GPT_NAME_UNITS * 3 + 1];	/* UTF-8 */
};

struct gpt {
	uint32_t sector_size;		/* bytes: 512 or 4096 */
	uint64_t sectors;		/* of the whole device */
	struct gpt_guid disk_id;
	uint64_t first_usable, last_usable;
	uint64_t backup_lba;		/* where the primary header says that the backup is */
	struct gpt_partition partitions[GPT_ENTRIES];
};

/* Which copies were found good. */
enum gpt_state {
	GPT_NONE,		/* no GPT signature at either end */
	GPT_GOOD,		/* both copies good and the backup at the end */
	GPT_BACKUP_MISPLACED,	/* primary good, backup not at the device's end (the device has grown) */
	GPT_PRIMARY_ONLY,	/* backup missing, corrupt, different, or beyond the device's end (the device is too small) */
	GPT_BACKUP_ONLY,	/* primary corrupt, backup at the end good */
	GPT_CORRUPT,		/* a signature, but no good copy */
};

/*
 * Reads and checks signature, checksums and the header's geometry. *ret is filled where a good copy exists. device_bytes: size of the device or
 * file. Whether the partitions themselves lie on the device and apart from each other, gpt_check tells. -EIO and other errors of pread.
 */
errint_t gpt_read(int fd, uint64_t device_bytes, uint32_t sector_size, struct gpt *ret, enum gpt_state *ret_state);

/*
 * Could this table be written? -ENOSPC: the usable sectors do not fit the device (it is smaller than the table says), -ERANGE: a partition outside
 * the usable sectors or ending before it begins, -EEXIST: partitions overlap, -EINVAL: unknown sector size.
 */
errint_t gpt_check(const struct gpt *g);

/* An empty table for a device. alignment of first usable sector is the caller's affair. */
void gpt_init(struct gpt *g, uint64_t device_bytes, uint32_t sector_size, const struct gpt_guid *disk_id);

/* Makes the table fit a larger device: the backup goes to the end, last_usable grows. */
void gpt_resize(struct gpt *g, uint64_t device_bytes);

/* The largest free gap of usable sectors, aligned to alignment bytes at its start; false where there is none. */
bool gpt_largest_gap(const struct gpt *g, uint64_t alignment, uint64_t *ret_first, uint64_t *ret_last);

/* Index of the first partition with this name, or -1. */
int gpt_find_name(const struct gpt *g, const char *name);
/* Index of an unused entry, or -1. */
int gpt_find_unused(const struct gpt *g);

/*
 * Writes backup entries, backup header, then primary entries, primary header; protective MBR too where write_mbr (boot code of the first 440 bytes
 * is kept, and so is the active flag; a hybrid MBR is left as it is). Refuses what gpt_check refuses (see there), and -EINVAL where backup_lba is not
 * the last sector (gpt_resize first).
 * The order is safe against a power cut: one good copy exists at every moment (with a sync between the two copies).
 */
errint_t gpt_write(int fd, const struct gpt *g, bool write_mbr);

/*
 * The same bytes in memory, for a disk that is being made: head gets the protective MBR, primary header and entries (gpt_head_size), tail the backup's
 * entries and header (gpt_tail_size: the disk's last bytes). head's first 440 bytes are left as they are. Refuses what gpt_write refuses.
 */
errint_t gpt_encode(const struct gpt *g, uint8_t *head, uint8_t *tail);
size_t gpt_head_size(const struct gpt *g);
size_t gpt_tail_size(const struct gpt *g);

/* "C12A7328-F81F-11D2-BA4B-00A0C93EC93B". */
errint_t gpt_guid_parse(const char *text, struct gpt_guid *ret);
void gpt_guid_format(const struct gpt_guid *g, char ret[37]);
/* Version 8 (custom) GUID from 16 bytes of a hash: deterministic. */
void gpt_guid_from_bytes(const uint8_t bytes[16], struct gpt_guid *ret);
bool gpt_guid_is_zero(const struct gpt_guid *g);

uint32_t gpt_crc32(const void *data, size_t size);

#define GPT_TYPE_ESP "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define GPT_TYPE_SCRATCH "7A3F1D52-5C0E-4B8E-9D4F-53504F524553"
#define GPT_NAME_ESP "spore-esp"
#define GPT_NAME_SCRATCH "spore-scratch"

#endif
