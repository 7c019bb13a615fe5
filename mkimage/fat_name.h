/* SPDX-License-Identifier: MIT */
/*
 * Names on FAT: the short name that belongs to a long one, and the directory entries that carry both. Knows one entry at a time; must not know
 * where directories lie.
 */
#ifndef SPORE_MKIMAGE_FAT_NAME_H
#define SPORE_MKIMAGE_FAT_NAME_H

#include "common/base.h"

#define FAT_ENTRY 32			/* bytes of a directory entry */
#define FAT_LONG_UNITS 255		/* UTF-16 units of a long name */
#define FAT_UNITS_PER_ENTRY 13
#define FAT_MAX_LONG_ENTRIES 20

#define FAT_ATTR_READ_ONLY 0x01
#define FAT_ATTR_VOLUME 0x08
#define FAT_ATTR_DIRECTORY 0x10
#define FAT_ATTR_ARCHIVE 0x20
#define FAT_ATTR_LONG 0x0f

struct fat_name {
	uint8_t short_name[11];
	uint8_t units[2 * FAT_LONG_UNITS];	/* UTF-16LE */
	size_t count;				/* of units; 0: the short name says all */
};

/*
 * Fills *ret from a UTF-8 name of size bytes. attempt 0 asks for the plain short name (possible for names of the 8.3 form), 1 and more for the
 * form with "~attempt". -EAGAIN: attempt 0 is not possible; -EINVAL: characters that FAT cannot hold; -ENAMETOOLONG.
 */
errint_t fat_name_make(const char *name, size_t size, unsigned int attempt, struct fat_name *ret);

/* Entries that the name takes, the one of the short name included. */
size_t fat_name_entries(const struct fat_name *n);

/* Writes the long-name entries (not the short one) to ret; returns the bytes written. */
size_t fat_name_write_long(const struct fat_name *n, uint8_t *ret);

/* "BOOTX64.EFI" from its 11 bytes, in the case that the entry's flags (byte 12) ask for; ret has room for 13 bytes. false: bytes that no short name has. */
bool fat_name_from_short(const uint8_t short_name[11], uint8_t case_flags, char ret[13]);

/* Offsets of the 13 units in a long-name entry. */
extern const uint8_t fat_unit_offsets[FAT_UNITS_PER_ENTRY];

#endif
