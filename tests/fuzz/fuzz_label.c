/* SPDX-License-Identifier: MIT */
/*
 * Volume labels. Inputs are sparse: the first 512 bytes are the boot sector, what follows is put where ISO 9660 has its descriptors; with the first byte
 * odd it follows the boot sector instead (FAT tables and directories).
 */
#include "contextualize/sources/label.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	size_t head = MIN(size, (size_t)512);
	struct volume_label l;

	if (fd < 0)
		return 0;
	if (pwrite(fd, data, head, 0) == (ssize_t)head && size > head &&
	    pwrite(fd, data + head, size - head, size && data[0] & 1 ? 512 : 16 * 2048) == (ssize_t)(size - head))
		label_read(fd, &l);
	close(fd);
	return 0;
}
