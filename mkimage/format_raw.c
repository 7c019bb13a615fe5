/* SPDX-License-Identifier: MIT */
/* The raw format: the disk's bytes as they are; what is not written stays a hole. */
#include "common/io.h"
#include "mkimage/disk.h"

static errint_t raw_write(const struct disk *d, int fd)
{
	if (ftruncate(fd, (off_t)d->size) < 0)
		return -errno;
	for (size_t i = 0; i < d->count; i++) {
		const struct disk_extent *e = &d->extents[i];
		errint_t r = io_pwrite_full(fd, e->data, e->size, e->offset);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct image_format format_raw = {
	.name = "raw",
	.suffix = ".img",
	.summary = "the disk's bytes, for dd, QEMU and most clouds",
	.write = raw_write,
};
