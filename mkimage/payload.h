/* SPDX-License-Identifier: MIT */
/*
 * The files that go into a volume: paths and contents, in memory, sorted. Knows no file system: the FAT writer and others lay it out.
 */
#ifndef SPORE_MKIMAGE_PAYLOAD_H
#define SPORE_MKIMAGE_PAYLOAD_H

#include "common/base.h"
#include "common/digest.h"

#define PAYLOAD_MAX_FILES 1024

struct payload_file {
	char *path;		/* "EFI/BOOT/BOOTX64.EFI": no leading '/' */
	char *data;
	size_t size;
};

struct payload {
	struct payload_file files[PAYLOAD_MAX_FILES];
	size_t count;
};

/* Takes data over (also on an error). -EEXIST: the path is there already, whatever the case of its letters; -EINVAL: no relative path; -E2BIG. */
errint_t payload_add(struct payload *t, const char *path, char *data, size_t size);
errint_t payload_add_copy(struct payload *t, const char *path, const void *data, size_t size);

/* By path, in memcmp order. */
void payload_sort(struct payload *t);
/* Over all paths and contents of a sorted tree. */
void payload_digest(const struct payload *t, struct digest *ret);
void payload_done(struct payload *t);

#endif
