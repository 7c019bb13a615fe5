/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables; see gpt.h. Layouts: UEFI Specification 2.10, tables 5.5 (header) and 5.6 (entry), 5.2.3 (protective MBR).
 * Knows the bytes of both copies; must not know what the partitions are for.
 */
#include "common/gpt.h"
#include "common/io.h"
#include "common/utf8.h"

#define HEADER_SIZE 92
#define SIGNATURE "EFI PART"
#define REVISION 0x00010000u
#define MAX_SECTOR 4096
/* What is read of foreign tables: more entries or larger ones than any tool makes are refused. */
#define MAX_READ_ENTRIES 1024
#define MAX_READ_ENTRY_SIZE 1024

/* The header, as far as it is needed, in the machine's byte order. */
struct header {
	uint64_t my_lba, other_lba, first_usable, last_usable, entries_lba;
	struct gpt_guid disk_id;
	uint32_t entry_count, entry_size, entries_crc;
};

uint32_t gpt_crc32(const void *data, size_t size)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

bool gpt_guid_is_zero(const struct gpt_guid *g)
{
	for (size_t i = 0; i < sizeof(g->bytes); i++)
		if (g->bytes[i])
			return false;
	return true;
}

/* Position of each byte on disk, in the order of the text. */
static const uint8_t guid_order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

static bool dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

errint_t gpt_guid_parse(const char *text, struct gpt_guid *ret)
{
	struct gpt_guid g;

	for (size_t i = 0; i < 16; i++) {
		if (dash_before(i) && *text++ != '-')
			return -EINVAL;
		int high = hex_value(text[0]);
		int low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return -EINVAL;
		g.bytes[guid_order[i]] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	*ret = g;
	return 0;
}

void gpt_guid_format(const struct gpt_guid *g, char ret[37])
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = ret;

	for (size_t i = 0; i < 16; i++) {
		uint8_t b = g->bytes[guid_order[i]];
		if (dash_before(i))
			*p++ = '-';
		*p++ = digits[b >> 4];
		*p++ = digits[b & 15];
	}
	*p = '\0';
}

void gpt_guid_from_bytes(const uint8_t bytes[16], struct gpt_guid *ret)
{
	memcpy(ret->bytes, bytes, 16);
	ret->bytes[7] = (uint8_t)((bytes[7] & 0x0f) | 0x80);
	ret->bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
}

static void partition_from_disk(const uint8_t *e, struct gpt_partition *ret)
{
	memcpy(ret->type.bytes, e, 16);
	memcpy(ret->id.bytes, e + 16, 16);
	ret->first = le64_get(e + 32);
	ret->last = le64_get(e + 40);
	ret->attributes = le64_get(e + 48);
	utf8_from_utf16le(e + 56, GPT_NAME_UNITS, ret->name);
}

static void partition_to_disk(const struct gpt_partition *p, uint8_t *e)
{
	memset(e, 0, GPT_ENTRY_SIZE);
	if (gpt_guid_is_zero(&p->type))
		return;
	memcpy(e, p->type.bytes, 16);
	memcpy(e + 16, p->id.bytes, 16);
	le64_put(e + 32, p->first);
	le64_put(e + 40, p->last);
	le64_put(e + 48, p->attributes);
	/* Longer names are cut; the rest of the field is zero already. */
	size_t units;
	utf8_to_utf16le(p->name, e + 56, GPT_NAME_UNITS, &units);
}

static uint64_t entries_sectors(uint32_t sector_size)
{
	return (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE / sector_size;
}

static bool sector_size_known(uint32_t sector_size)
{
	return sector_size == 512 || sector_size == 4096;
}

/* The header at lba: -ENOENT where there is no signature, -EBADMSG where it does not hold. */
static errint_t read_header(int fd, uint64_t lba, uint64_t sectors, uint32_t sector_size, struct header *ret)
{
	uint8_t h[MAX_SECTOR];
	ssize_t n = io_pread_full(fd, h, sector_size, lba * sector_size);

	if (n < 0)
		return (errint_t)n;
	if ((size_t)n != sector_size || memcmp(h, SIGNATURE, 8) != 0)
		return -ENOENT;
	uint32_t size = le32_get(h + 12), crc = le32_get(h + 16);
	if (le32_get(h + 8) != REVISION || size < HEADER_SIZE || size > sector_size)
		return -EBADMSG;
	le32_put(h + 16, 0);
	if (gpt_crc32(h, size) != crc)
		return -EBADMSG;
	ret->my_lba = le64_get(h + 24);
	ret->other_lba = le64_get(h + 32);
	ret->first_usable = le64_get(h + 40);
	ret->last_usable = le64_get(h + 48);
	memcpy(ret->disk_id.bytes, h + 56, 16);
	ret->entries_lba = le64_get(h + 72);
	ret->entry_count = le32_get(h + 80);
	ret->entry_size = le32_get(h + 84);
	ret->entries_crc = le32_get(h + 88);
	if (ret->my_lba != lba || ret->first_usable > ret->last_usable || ret->first_usable < 2)
		return -EBADMSG;
	if (ret->entry_size < GPT_ENTRY_SIZE || ret->entry_size > MAX_READ_ENTRY_SIZE || ret->entry_size % GPT_ENTRY_SIZE)
		return -EBADMSG;
	if (ret->entry_count == 0 || ret->entry_count > MAX_READ_ENTRIES)
		return -EBADMSG;
	if (ret->entries_lba < 2 || ret->entries_lba >= sectors)
		return -EBADMSG;
	return 0;
}

/* One whole copy: header, and the entries that its checksum covers. */
static errint_t read_copy(int fd, uint64_t lba, uint64_t sectors, uint32_t sector_size, struct gpt *ret)
{
	struct header h;
	errint_t r = read_header(fd, lba, sectors, sector_size, &h);

	if (r < 0)
		return r;
	size_t size = (size_t)h.entry_count * h.entry_size;
	_cleanup_free_ uint8_t *entries = malloc(size);
	if (!entries)
		return -ENOMEM;
	ssize_t n = io_pread_full(fd, entries, size, h.entries_lba * sector_size);
	if (n < 0)
		return (errint_t)n;
	if ((size_t)n != size || gpt_crc32(entries, size) != h.entries_crc)
		return -EBADMSG;
	*ret = (struct gpt){ .sector_size = sector_size, .sectors = sectors, .disk_id = h.disk_id, .first_usable = h.first_usable,
			     .last_usable = h.last_usable, .backup_lba = lba == 1 ? h.other_lba : lba };
	for (uint32_t i = 0; i < h.entry_count; i++) {
		struct gpt_partition p;
		partition_from_disk(entries + (size_t)i * h.entry_size, &p);
		if (gpt_guid_is_zero(&p.type))
			continue;
		/* More than this code can hold, and so could write back. */
		if (i >= GPT_ENTRIES)
			return -EBADMSG;
		ret->partitions[i] = p;
	}
	return 0;
}

static bool same_partitions(const struct gpt *a, const struct gpt *b)
{
	uint8_t x[GPT_ENTRY_SIZE], y[GPT_ENTRY_SIZE];

	if (memcmp(&a->disk_id, &b->disk_id, sizeof(a->disk_id)) != 0 || a->first_usable != b->first_usable || a->last_usable != b->last_usable)
		return false;
	for (int i = 0; i < GPT_ENTRIES; i++) {
		partition_to_disk(&a->partitions[i], x);
		partition_to_disk(&b->partitions[i], y);
		if (memcmp(x, y, sizeof(x)) != 0)
			return false;
	}
	return true;
}

/* The result of a copy is its own: only errors of reading and of memory end everything. */
static bool is_verdict(errint_t r)
{
	return r == 0 || r == -ENOENT || r == -EBADMSG;
}

errint_t gpt_read(int fd, uint64_t device_bytes, uint32_t sector_size, struct gpt *ret, enum gpt_state *ret_state)
{
	if (!sector_size_known(sector_size))
		return -EINVAL;
	uint64_t sectors = device_bytes / sector_size;
	*ret_state = GPT_NONE;
	if (sectors < 3)
		return 0;
	_cleanup_free_ struct gpt *backup = malloc(sizeof(*backup));
	if (!backup)
		return -ENOMEM;
	errint_t p = read_copy(fd, 1, sectors, sector_size, ret);
	if (!is_verdict(p))
		return p;
	uint64_t at = p == 0 ? ret->backup_lba : sectors - 1;
	errint_t b = at > 1 && at < sectors ? read_copy(fd, at, sectors, sector_size, backup) : -ENOENT;
	if (!is_verdict(b))
		return b;
	if (p == 0) {
		bool good = b == 0 && same_partitions(ret, backup);
		*ret_state = !good ? GPT_PRIMARY_ONLY : at == sectors - 1 ? GPT_GOOD : GPT_BACKUP_MISPLACED;
	} else if (b == 0) {
		*ret = *backup;
		*ret_state = GPT_BACKUP_ONLY;
	} else if (p == -EBADMSG || b == -EBADMSG) {
		*ret_state = GPT_CORRUPT;
	}
	return 0;
}

void gpt_init(struct gpt *g, uint64_t device_bytes, uint32_t sector_size, const struct gpt_guid *disk_id)
{
	*g = (struct gpt){ .sector_size = sector_size, .disk_id = *disk_id };
	g->first_usable = 2 + entries_sectors(sector_size);
	gpt_resize(g, device_bytes);
}

void gpt_resize(struct gpt *g, uint64_t device_bytes)
{
	uint64_t tail = entries_sectors(g->sector_size) + 2;

	g->sectors = device_bytes / g->sector_size;
	g->backup_lba = g->sectors ? g->sectors - 1 : 0;
	g->last_usable = g->sectors > tail ? g->sectors - tail : 0;
}

errint_t gpt_check(const struct gpt *g)
{
	if (!sector_size_known(g->sector_size))
		return -EINVAL;
	uint64_t array = entries_sectors(g->sector_size);
	if (g->first_usable < 2 + array || g->last_usable < g->first_usable || g->sectors < array + 2 || g->last_usable > g->sectors - array - 2)
		return -ENOSPC;
	for (int i = 0; i < GPT_ENTRIES; i++) {
		const struct gpt_partition *p = &g->partitions[i];
		if (gpt_guid_is_zero(&p->type))
			continue;
		if (p->first > p->last || p->first < g->first_usable || p->last > g->last_usable)
			return -ERANGE;
		for (int j = 0; j < i; j++) {
			const struct gpt_partition *q = &g->partitions[j];
			if (!gpt_guid_is_zero(&q->type) && p->first <= q->last && q->first <= p->last)
				return -EEXIST;
		}
	}
	return 0;
}

/* The first used partition that covers sector or begins behind it; NULL where none does. */
static const struct gpt_partition *next_partition(const struct gpt *g, uint64_t sector)
{
	const struct gpt_partition *best = NULL;

	for (int i = 0; i < GPT_ENTRIES; i++) {
		const struct gpt_partition *p = &g->partitions[i];
		if (gpt_guid_is_zero(&p->type) || p->last < sector || p->last < p->first)
			continue;
		if (!best || p->first < best->first)
			best = p;
	}
	return best;
}

bool gpt_largest_gap(const struct gpt *g, uint64_t alignment, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t unit = MAX(alignment / g->sector_size, (uint64_t)1);
	uint64_t sector = g->first_usable, largest = 0;

	while (sector <= g->last_usable) {
		const struct gpt_partition *p = next_partition(g, sector);
		uint64_t end = p ? MIN(p->first, g->last_usable + 1) : g->last_usable + 1;
		uint64_t begin = sector > UINT64_MAX - unit ? UINT64_MAX : align_up(sector, unit);
		if (begin < end && end - begin > largest) {
			largest = end - begin;
			*ret_first = begin;
			*ret_last = end - 1;
		}
		if (!p || p->last == UINT64_MAX)
			break;
		sector = MAX(sector, p->last + 1);
	}
	return largest > 0;
}

int gpt_find_name(const struct gpt *g, const char *name)
{
	for (int i = 0; i < GPT_ENTRIES; i++)
		if (!gpt_guid_is_zero(&g->partitions[i].type) && strcmp(g->partitions[i].name, name) == 0)
			return i;
	return -1;
}

int gpt_find_unused(const struct gpt *g)
{
	for (int i = 0; i < GPT_ENTRIES; i++)
		if (gpt_guid_is_zero(&g->partitions[i].type))
			return i;
	return -1;
}

/* Fills one sector with the header whose home is my_lba. */
static void header_to_disk(const struct gpt *g, bool primary, uint32_t entries_crc, uint8_t *h)
{
	uint64_t my_lba = primary ? 1 : g->backup_lba;

	memset(h, 0, g->sector_size);
	memcpy(h, SIGNATURE, 8);
	le32_put(h + 8, REVISION);
	le32_put(h + 12, HEADER_SIZE);
	le64_put(h + 24, my_lba);
	le64_put(h + 32, primary ? g->backup_lba : 1);
	le64_put(h + 40, g->first_usable);
	le64_put(h + 48, g->last_usable);
	memcpy(h + 56, g->disk_id.bytes, 16);
	le64_put(h + 72, primary ? 2 : my_lba - entries_sectors(g->sector_size));
	le32_put(h + 80, GPT_ENTRIES);
	le32_put(h + 84, GPT_ENTRY_SIZE);
	le32_put(h + 88, entries_crc);
	le32_put(h + 16, gpt_crc32(h, HEADER_SIZE));
}

static errint_t sync_disk(int fd)
{
	/* What cannot be synced (a pipe, some devices) says EINVAL. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

/* Sector 0 as UEFI asks for it; boot code and hybrid entries that are there stay. */
static void make_protective(const struct gpt *g, uint8_t m[512])
{
	bool boot_record = m[510] == 0x55 && m[511] == 0xaa;
	int used = 0, protective = -1;
	for (int i = 0; boot_record && i < 4; i++) {
		used += m[446 + 16 * i + 4] != 0;
		if (m[446 + 16 * i + 4] == 0xee)
			protective = i;
	}
	if (protective >= 0 && used > 1)
		return;
	uint8_t *e = m + 446, active = protective >= 0 ? m[446 + 16 * protective] & 0x80 : 0;
	memset(m + 440, 0, 510 - 440);
	e[0] = active;
	memcpy(e + 1, "\x00\x02\x00\xee\xff\xff\xff", 7);
	le32_put(e + 8, 1);
	le32_put(e + 12, (uint32_t)MIN(g->sectors - 1, (uint64_t)UINT32_MAX));
	m[510] = 0x55;
	m[511] = 0xaa;
}

static errint_t write_protective_mbr(int fd, const struct gpt *g)
{
	uint8_t m[512];
	ssize_t n = io_pread_full(fd, m, sizeof(m), 0);

	if (n < 0)
		return (errint_t)n;
	memset(m + n, 0, sizeof(m) - (size_t)n);
	make_protective(g, m);
	return io_pwrite_full(fd, m, sizeof(m), 0);
}

static errint_t write_copy(int fd, const struct gpt *g, bool primary, const uint8_t *entries, uint32_t crc)
{
	uint8_t h[MAX_SECTOR];
	uint64_t array = entries_sectors(g->sector_size);
	uint64_t at = primary ? 2 : g->backup_lba - array;
	errint_t r = io_pwrite_full(fd, entries, GPT_ENTRIES * GPT_ENTRY_SIZE, at * g->sector_size);

	if (r < 0)
		return r;
	header_to_disk(g, primary, crc, h);
	return io_pwrite_full(fd, h, g->sector_size, (primary ? 1 : g->backup_lba) * g->sector_size);
}

static errint_t check_writable(const struct gpt *g)
{
	errint_t r = gpt_check(g);

	return r == 0 && g->backup_lba != g->sectors - 1 ? -EINVAL : r;
}

/* All entries; returns their checksum. */
static uint32_t entries_to_disk(const struct gpt *g, uint8_t *ret)
{
	for (size_t i = 0; i < GPT_ENTRIES; i++)
		partition_to_disk(&g->partitions[i], ret + i * GPT_ENTRY_SIZE);
	return gpt_crc32(ret, GPT_ENTRIES * GPT_ENTRY_SIZE);
}

size_t gpt_tail_size(const struct gpt *g)
{
	return GPT_ENTRIES * GPT_ENTRY_SIZE + g->sector_size;
}

size_t gpt_head_size(const struct gpt *g)
{
	return gpt_tail_size(g) + g->sector_size;
}

errint_t gpt_encode(const struct gpt *g, uint8_t *head, uint8_t *tail)
{
	errint_t r = check_writable(g);

	if (r < 0)
		return r;
	uint32_t crc = entries_to_disk(g, tail);
	memset(head + 440, 0, g->sector_size - 440);
	make_protective(g, head);
	memcpy(head + 2 * (size_t)g->sector_size, tail, GPT_ENTRIES * GPT_ENTRY_SIZE);
	header_to_disk(g, true, crc, head + g->sector_size);
	header_to_disk(g, false, crc, tail + GPT_ENTRIES * GPT_ENTRY_SIZE);
	return 0;
}

errint_t gpt_write(int fd, const struct gpt *g, bool write_mbr)
{
	errint_t r = check_writable(g);

	if (r < 0)
		return r;
	_cleanup_free_ uint8_t *entries = malloc(GPT_ENTRIES * GPT_ENTRY_SIZE);
	if (!entries)
		return -ENOMEM;
	uint32_t crc = entries_to_disk(g, entries);
	r = write_copy(fd, g, false, entries, crc);
	if (r == 0)
		r = sync_disk(fd);
	if (r == 0)
		r = write_copy(fd, g, true, entries, crc);
	if (r == 0 && write_mbr)
		r = write_protective_mbr(fd, g);
	return r < 0 ? r : sync_disk(fd);
}
