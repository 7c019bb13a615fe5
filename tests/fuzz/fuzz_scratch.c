/* SPDX-License-Identifier: MIT */
/* What lies on a disk, for the scratch helper: superblocks and signatures of any content; the label it writes is the label it reads. */
#include "common/io.h"
#include "initrd/scratch/probe.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_ext4 ext4;
	const char *signature;
	uint64_t at;
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || size > MIB || io_pwrite_full(fd, data, size, 0) < 0)
		return 0;
	if (probe_signature(fd, 0, size, &signature) < 0 || probe_zero(fd, 0, size, NULL, &at) < 0)
		abort();
	/* A signature has at least one byte that is not zero. */
	if (signature && at == UINT64_MAX)
		abort();
	errint_t r = probe_ext4(fd, 0, &ext4);
	if (r == 0 && probe_ext4_set_label(fd, 0, "label") == 0 &&
	    (probe_ext4(fd, 0, &ext4) < 0 || strcmp(ext4.label, "label") != 0 || !ext4.checksum_good))
		abort();
	return 0;
}
