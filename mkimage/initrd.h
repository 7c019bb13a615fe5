/* SPDX-License-Identifier: MIT */
/*
 * Initrd archives: cpio ("newc", Documentation/driver-api/early-userspace/buffer-format.rst of Linux), compressed as the kernel can undo it.
 * Writing from a recipe, and reading of anything, within bounds.
 */
#ifndef SPORE_MKIMAGE_INITRD_H
#define SPORE_MKIMAGE_INITRD_H

#include "mkimage/recipe.h"

enum initrd_compression { INITRD_XZ, INITRD_ZSTD, INITRD_NONE };

/* "xz", "zstd", "none"; -EINVAL. */
errint_t initrd_compression_parse(const char *text, enum initrd_compression *ret);

struct initrd_options {
	enum initrd_compression compression;
	int64_t time;		/* of all entries, seconds since 1970 */
};

/* The archive of a finished recipe: owner 0, inode numbers in the order of the entries. ret_unpacked: size before compression. */
errint_t initrd_write(const struct recipe *r, const struct initrd_options *o, char **ret_data, size_t *ret_size, size_t *ret_unpacked);

#define INITRD_MAX_UNPACKED (512 * MIB)
#define INITRD_MAX_ENTRIES 65536

struct initrd_item {
	char *path;
	uint32_t mode;		/* with the file type, as stat(2) has it */
	uint64_t size;
	char *target;		/* of a link; else NULL */
};

struct initrd_content {
	const char *compression;	/* "xz", "zstd", "gzip", "none" … */
	uint64_t unpacked;		/* bytes of the archive */
	struct initrd_item *items;
	size_t count;
};

/*
 * Reads every byte. -EBADMSG: does not decompress, or no cpio archive, or cut short (ret_why says what); -E2BIG: beyond the limits.
 * max_unpacked: at most INITRD_MAX_UNPACKED.
 */
errint_t initrd_read(const void *data, size_t size, uint64_t max_unpacked, struct initrd_content *ret, char ret_why[256]);
void initrd_content_done(struct initrd_content *c);
/* "init", without a leading '/'; NULL where there is none. */
const struct initrd_item *initrd_find(const struct initrd_content *c, const char *path);

#endif
