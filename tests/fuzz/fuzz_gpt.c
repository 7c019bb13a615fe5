/* SPDX-License-Identifier: MIT */
/* Partition tables of any content: read, searched for gaps, grown and written again. */
#include "common/gpt.h"
#include "common/io.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is the head of a disk of 1 MiB, and its tail, so that a mutation can damage either copy, or both. */
#define DISK (1 * MIB)

/* Makes the checksums of the copy at offset right, so that mutations get past them; of every other input only, by its size. */
static void repair(int fd, uint64_t header_at)
{
	uint8_t h[512], entries[GPT_ENTRIES * GPT_ENTRY_SIZE];

	if (io_pread_full(fd, h, sizeof(h), header_at) != (ssize_t)sizeof(h) || memcmp(h, "EFI PART", 8) != 0)
		return;
	uint64_t at = le64_get(h + 72), count = le32_get(h + 80), entry = le32_get(h + 84), header = le32_get(h + 12);
	if (at >= DISK / 512 || count > GPT_ENTRIES || entry > GPT_ENTRY_SIZE || header < 92 || header > sizeof(h))
		return;
	if (io_pread_full(fd, entries, count * entry, at * 512) != (ssize_t)(count * entry))
		return;
	le32_put(h + 88, gpt_crc32(entries, count * entry));
	le32_put(h + 16, 0);
	le32_put(h + 16, gpt_crc32(h, header));
	io_pwrite_full(fd, h, sizeof(h), header_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static const uint8_t zeros[24 * KIB];
	struct gpt g;
	enum gpt_state state;
	uint64_t first, last;

	if (fd < 0)
		fd = memfd_create("disk", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, DISK) < 0)
		return 0;
	size_t half = MIN(size / 2, sizeof(zeros));
	io_pwrite_full(fd, zeros, sizeof(zeros), 0);
	io_pwrite_full(fd, zeros, sizeof(zeros), DISK - sizeof(zeros));
	io_pwrite_full(fd, data, half, 0);
	io_pwrite_full(fd, data + size - half, half, DISK - half);
	if (size % 2 == 0) {
		repair(fd, 512);
		repair(fd, DISK - 512);
	}
	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		if (gpt_read(fd, DISK, sector, &g, &state) < 0 || state == GPT_NONE || state == GPT_CORRUPT)
			continue;
		if (gpt_largest_gap(&g, MIB, &first, &last) && first > last)
			abort();
		gpt_resize(&g, 2 * DISK);
		if (gpt_check(&g) < 0 || ftruncate(fd, 2 * DISK) < 0)
			continue;
		struct gpt again;
		if (gpt_write(fd, &g, true) < 0 || gpt_read(fd, 2 * DISK, sector, &again, &state) < 0 || state != GPT_GOOD)
			abort();
	}
	return 0;
}
