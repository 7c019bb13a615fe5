/* SPDX-License-Identifier: MIT */
/*
 * Volume labels (label.h). ISO 9660: ECMA-119, 8.4 and 8.5 (volume descriptors). FAT: Microsoft's FAT specification of 2000: boot sector, root directory entry with
 * the volume attribute (which wins over the boot sector's field).
 */
#include "contextualize/sources/label.h"

#include "common/io.h"

#define ISO_SECTOR 2048
#define ISO_FIRST 16
#define ISO_MAX_DESCRIPTORS 16

static void label_copy(struct volume_label *ret, const char *filesystem, const uint8_t *text, size_t size)
{
	size = MIN(size, sizeof ret->label - 1);
	while (size && (text[size - 1] == ' ' || text[size - 1] == '\0'))
		size--;
	memcpy(ret->label, text, size);
	ret->label[size] = '\0';
	ret->filesystem = filesystem;
}

/* Joliet's label is UCS-2, big-endian, 16 characters; it has the letter case that ISO 9660 itself does not allow. */
static void label_joliet(const uint8_t *d, struct volume_label *ret)
{
	uint8_t text[16];

	if (d[88] != '%' || d[89] != '/')
		return;
	for (unsigned i = 0; i < sizeof text; i++)
		text[i] = d[40 + 2 * i] ? '?' : d[41 + 2 * i];
	label_copy(ret, "iso9660", text, sizeof text);
}

static errint_t label_iso(int fd, struct volume_label *ret)
{
	uint8_t d[ISO_SECTOR];

	for (unsigned i = 0; i < ISO_MAX_DESCRIPTORS; i++) {
		ssize_t n = io_pread_full(fd, d, sizeof d, (uint64_t)(ISO_FIRST + i) * ISO_SECTOR);

		if (n < 0)
			return (errint_t)n;
		if (n < (ssize_t)sizeof d || memcmp(d + 1, "CD001", 5) != 0 || d[0] == 255)
			break;
		if (d[0] == 1)
			label_copy(ret, "iso9660", d + 40, 32);
		else if (d[0] == 2 && ret->filesystem)
			label_joliet(d, ret);
	}
	return ret->filesystem ? 0 : -ENODATA;
}

struct fat_layout {
	uint32_t sector, cluster;	/* bytes */
	uint64_t root, data;		/* byte offsets */
	uint32_t root_size;		/* FAT12/16; 0: FAT32 */
	uint64_t fat;			/* byte offset of the first table */
	uint32_t root_cluster, clusters;
	const uint8_t *boot_label;
};

static bool fat_is_power(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* Checks a boot sector and works out where the root directory is. */
static bool fat_layout_of(const uint8_t *b, struct fat_layout *l)
{
	uint32_t per_cluster = b[13], reserved = le16_get(b + 14), fats = b[16], entries = le16_get(b + 17);
	uint32_t fat_size = le16_get(b + 22), total = le16_get(b + 19);
	uint64_t data_sectors, overhead;

	l->sector = le16_get(b + 11);
	if ((b[0] != 0xeb && b[0] != 0xe9) || !fat_is_power(l->sector) || l->sector < 512 || l->sector > 4096 || !fat_is_power(per_cluster) ||
	    !reserved || !fats || fats > 4 || (b[21] < 0xf8 && b[21] != 0xf0))
		return false;
	if (!total)
		total = le32_get(b + 32);
	if (!fat_size) {
		fat_size = le32_get(b + 36);
		l->root_cluster = le32_get(b + 44) & 0x0fffffff;
		l->boot_label = b + 71;
	} else {
		l->boot_label = b + 43;
	}
	overhead = reserved + (uint64_t)fats * fat_size + align_up((uint64_t)entries * 32, l->sector) / l->sector;
	if (!fat_size || overhead >= total)
		return false;
	data_sectors = total - overhead;
	l->cluster = per_cluster * l->sector;
	l->clusters = (uint32_t)(data_sectors / per_cluster);
	l->fat = (uint64_t)reserved * l->sector;
	l->root = l->fat + (uint64_t)fats * fat_size * l->sector;
	l->root_size = entries * 32;
	l->data = overhead * l->sector;
	return true;
}

/* Looks through directory entries. 1: found; 0: not in here; -1: end of the directory. */
static int fat_scan(const uint8_t *entries, size_t size, struct volume_label *ret)
{
	for (size_t i = 0; i + 32 <= size; i += 32) {
		const uint8_t *e = entries + i;

		if (e[0] == 0)
			return -1;
		if (e[0] == 0xe5 || (e[11] & 0x3f) == 0x0f || !(e[11] & 0x08) || (e[11] & 0x10))
			continue;
		label_copy(ret, "vfat", e, 11);
		return 1;
	}
	return 0;
}

/* Reads a stretch of a directory piece by piece; *left is the budget over all calls. */
static int fat_scan_at(int fd, uint64_t offset, uint32_t size, uint32_t *left, struct volume_label *ret)
{
	uint8_t buf[4096];

	while (size && *left) {
		uint32_t want = MIN(MIN(size, (uint32_t)sizeof buf), *left);
		ssize_t n = io_pread_full(fd, buf, want, offset);
		int found;

		if (n < (ssize_t)want)
			return -1;
		found = fat_scan(buf, want, ret);
		if (found)
			return found;
		size -= want;
		*left -= want;
		offset += want;
	}
	return *left ? 0 : -1;
}

static void fat_root_label(int fd, const struct fat_layout *l, struct volume_label *ret)
{
	uint32_t left = LABEL_MAX_DIRECTORY, cluster = l->root_cluster;

	if (l->root_size) {
		fat_scan_at(fd, l->root, l->root_size, &left, ret);
		return;
	}
	/* The budget bounds the chain, also one that runs in a circle. */
	while (cluster >= 2 && cluster - 2 < l->clusters) {
		uint8_t next[4];

		if (fat_scan_at(fd, l->data + (uint64_t)(cluster - 2) * l->cluster, l->cluster, &left, ret) != 0)
			return;
		if (io_pread_full(fd, next, 4, l->fat + (uint64_t)cluster * 4) != 4)
			return;
		cluster = le32_get(next) & 0x0fffffff;
	}
}

static errint_t label_fat(int fd, struct volume_label *ret)
{
	uint8_t boot[512];
	struct fat_layout l = { .sector = 0 };
	ssize_t n = io_pread_full(fd, boot, sizeof boot, 0);

	if (n < 0)
		return (errint_t)n;
	if (n < (ssize_t)sizeof boot || boot[510] != 0x55 || boot[511] != 0xaa || !fat_layout_of(boot, &l))
		return -ENODATA;
	label_copy(ret, "vfat", l.boot_label, 11);
	if (strcmp(ret->label, "NO NAME") == 0)
		ret->label[0] = '\0';
	fat_root_label(fd, &l, ret);
	return 0;
}

errint_t label_read(int fd, struct volume_label *ret)
{
	errint_t r;

	memset(ret, 0, sizeof *ret);
	r = label_iso(fd, ret);
	return r == -ENODATA ? label_fat(fd, ret) : r;
}
