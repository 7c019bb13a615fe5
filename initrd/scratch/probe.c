/* SPDX-License-Identifier: MIT */
/* Signatures and zeroes; see probe.h. Offsets of ext4's superblock: Documentation/filesystems/ext4/super.rst of Linux. */
#include "initrd/scratch/probe.h"
#include "common/io.h"

#include <fcntl.h>

#define SUPER_AT 1024
#define SUPER_SIZE 1024
#define SUPER_MAGIC 0xEF53
#define STATE_CLEAN 1
#define STATE_ERRORS 2
#define INCOMPAT_RECOVER 0x4
#define INCOMPAT_64BIT 0x80
#define RO_COMPAT_METADATA_CSUM 0x400
#define CHECKSUM_AT 0x3FC

static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return crc;
}

static errint_t read_super(int fd, uint64_t offset, uint8_t super[SUPER_SIZE])
{
	ssize_t n = io_pread_full(fd, super, SUPER_SIZE, offset + SUPER_AT);

	if (n < 0)
		return (errint_t)n;
	if (n != SUPER_SIZE || le16_get(super + 0x38) != SUPER_MAGIC)
		return -ENOENT;
	return 0;
}

static bool has_checksum(const uint8_t *super)
{
	return le32_get(super + 0x64) & RO_COMPAT_METADATA_CSUM;
}

errint_t probe_ext4(int fd, uint64_t offset, struct probe_ext4 *ret)
{
	uint8_t super[SUPER_SIZE];
	errint_t r = read_super(fd, offset, super);

	if (r < 0)
		return r;
	uint64_t blocks = le32_get(super + 0x4);
	if (le32_get(super + 0x60) & INCOMPAT_64BIT)
		blocks |= (uint64_t)le32_get(super + 0x150) << 32;
	uint32_t log_block = le32_get(super + 0x18);
	if (log_block > 6 || blocks > UINT64_MAX >> (10 + log_block))
		return -ENOENT;
	*ret = (struct probe_ext4){ .bytes = blocks << (10 + log_block) };
	memcpy(ret->label, super + 0x78, PROBE_LABEL_SIZE);
	uint16_t state = le16_get(super + 0x3A);
	ret->clean = (state & STATE_CLEAN) && !(state & STATE_ERRORS) && !(le32_get(super + 0x60) & INCOMPAT_RECOVER) && !le32_get(super + 0x194);
	ret->never_mounted = le32_get(super + 0x2C) == 0 && le16_get(super + 0x34) == 0;
	ret->checksum_good = !has_checksum(super) || crc32c(~0u, super, CHECKSUM_AT) == le32_get(super + CHECKSUM_AT);
	return 0;
}

errint_t probe_ext4_set_label(int fd, uint64_t offset, const char *label)
{
	uint8_t super[SUPER_SIZE];
	errint_t r = read_super(fd, offset, super);

	if (r < 0)
		return r;
	size_t length = strlen(label);
	if (length > PROBE_LABEL_SIZE)
		return -EINVAL;
	memset(super + 0x78, 0, PROBE_LABEL_SIZE);
	memcpy(super + 0x78, label, length);
	if (has_checksum(super))
		le32_put(super + CHECKSUM_AT, crc32c(~0u, super, CHECKSUM_AT));
	r = io_pwrite_full(fd, super, SUPER_SIZE, offset + SUPER_AT);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

/* A signature: bytes at a place, counted from the start, or from the end where negative. */
static const struct signature {
	const char *name;
	int64_t at;
	uint8_t size;
	const char *bytes;
} signatures[] = {
	{ "GPT", 512, 8, "EFI PART" },
	{ "GPT (4096-byte sectors)", 4096, 8, "EFI PART" },
	{ "GPT (backup)", -512, 8, "EFI PART" },
	{ "GPT (backup, 4096-byte sectors)", -4096, 8, "EFI PART" },
	{ "LVM2", 0, 8, "LABELONE" },
	{ "LVM2", 512, 8, "LABELONE" },
	{ "LVM2", 1024, 8, "LABELONE" },
	{ "LVM2", 1536, 8, "LABELONE" },
	{ "LUKS", 0, 6, "LUKS\xba\xbe" },
	{ "xfs", 0, 4, "XFSB" },
	{ "squashfs", 0, 4, "hsqs" },
	{ "EROFS", 1024, 4, "\xe2\xe1\xf5\xe0" },
	{ "F2FS", 1024, 4, "\x10\x20\xf5\xf2" },
	{ "HFS+", 1024, 4, "H+\x00\x04" },
	{ "NTFS", 3, 8, "NTFS    " },
	{ "exFAT", 3, 8, "EXFAT   " },
	{ "BitLocker", 3, 8, "-FVE-FS-" },
	{ "FAT", 54, 3, "FAT" },
	{ "FAT32", 82, 5, "FAT32" },
	{ "ext2/3/4", 1024 + 0x38, 2, "\x53\xef" },
	{ "swap", 4096 - 10, 10, "SWAPSPACE2" },
	{ "btrfs", 65536 + 64, 8, "_BHRfS_M" },
	{ "bcache", 4096 + 24, 4, "\xc6\x85\x73\xf6" },
	{ "bcachefs", 4096 + 24, 4, "\xc6\x85\x73\xf6" },
	{ "ISO 9660", 32769, 5, "CD001" },
	{ "UDF", 32769, 5, "NSR02" },
	{ "MD RAID", 0, 4, "\xfc\x4e\x2b\xa9" },
	{ "MD RAID", 4096, 4, "\xfc\x4e\x2b\xa9" },
	{ "MD RAID", -8192, 4, "\xfc\x4e\x2b\xa9" },
	{ "MD RAID", -65536, 4, "\xfc\x4e\x2b\xa9" },
	{ "DRBD", -4096 + 60, 4, "\x83\x74\x02\x6b" },
	{ "ZFS", 128 * 1024, 8, "\x0c\xb1\xba\x00\x00\x00\x00\x00" },
	{ "MBR", 510, 2, "\x55\xaa" },
};

errint_t probe_signature(int fd, uint64_t offset, uint64_t bytes, const char **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
		const struct signature *s = &signatures[i];
		uint64_t at = s->at >= 0 ? (uint64_t)s->at : bytes - (uint64_t)-s->at;
		uint8_t found[16];

		if ((s->at < 0 && (uint64_t)-s->at > bytes) || at > bytes || s->size > bytes - at)
			continue;
		ssize_t n = io_pread_full(fd, found, s->size, offset + at);
		if (n < 0)
			return (errint_t)n;
		if (n == s->size && memcmp(found, s->bytes, s->size) == 0) {
			*ret = s->name;
			return 0;
		}
	}
	return 0;
}

#define BUFFER_SIZE MIB

/* Reads first..end, jumping over the hole; *ret_at as in probe_zero. */
static errint_t zero_stretch(int fd, uint64_t first, uint64_t end, const struct probe_hole *hole, uint8_t *buffer, uint64_t *ret_at)
{
	while (first < end) {
		uint64_t until = end;
		if (hole && first >= hole->first && first < hole->end) {
			first = hole->end;
			continue;
		}
		if (hole && first < hole->first)
			until = MIN(until, hole->first);
		size_t want = (size_t)MIN(until - first, BUFFER_SIZE);
		ssize_t n = io_pread_full(fd, buffer, want, first);
		if (n < 0)
			return (errint_t)n;
		if ((size_t)n != want)
			return -EIO;
		/* Zero where the first byte is and each equals its neighbour. */
		if (buffer[0] || memcmp(buffer, buffer + 1, want - 1) != 0) {
			size_t i = 0;
			while (!buffer[i])
				i++;
			*ret_at = first + i;
			return 0;
		}
		first += want;
	}
	return 0;
}

errint_t probe_zero(int fd, uint64_t offset, uint64_t bytes, const struct probe_hole *hole, uint64_t *ret_at)
{
	_cleanup_free_ uint8_t *buffer = malloc(BUFFER_SIZE);
	uint64_t end = offset + bytes;
	errint_t r;

	*ret_at = UINT64_MAX;
	if (!buffer)
		return -ENOMEM;
	if (bytes <= PROBE_WHOLE)
		return zero_stretch(fd, offset, end, hole, buffer, ret_at);
	r = zero_stretch(fd, offset, offset + PROBE_EDGE, hole, buffer, ret_at);
	if (r < 0 || *ret_at != UINT64_MAX)
		return r;
	r = zero_stretch(fd, end - PROBE_EDGE, end, hole, buffer, ret_at);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	uint64_t step = (bytes - 2 * PROBE_EDGE) / PROBE_SAMPLES;
	for (unsigned int i = 0; r == 0 && *ret_at == UINT64_MAX && i < PROBE_SAMPLES; i++) {
		uint64_t at = (offset + PROBE_EDGE + i * step) / 4096 * 4096;
		r = zero_stretch(fd, at, MIN(at + MIN(step, PROBE_SAMPLE), end), hole, buffer, ret_at);
	}
	return r;
}
