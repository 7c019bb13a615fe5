/* SPDX-License-Identifier: MIT */
/*
 * Times and name of an ISO 9660 image (iso_finish.h). ECMA-119: 8.4.26 (volume), 9.1.5 (directory records). SUSP: CE; RRIP: TF.
 */
#include "contextualize/iso_finish.h"

#include "common/io.h"

#include <time.h>

#define ISO_SECTOR 2048
#define ISO_MAX_DEPTH 8
#define ISO_MAX_DIRECTORY (64 * ISO_SECTOR)
#define ISO_RECORD_MIN 34

struct iso_time {
	char volume[17];	/* 17 bytes with the zone: digits, then 0 */
	uint8_t record[7];
};

static errint_t iso_directory(int fd, const uint8_t *record, const struct iso_time *t, unsigned depth);

static void iso_time_of(int64_t seconds, struct iso_time *ret)
{
	time_t s = (time_t)seconds;
	char digits[24];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(digits, sizeof digits, "%Y%m%d%H%M%S00", &tm);
	memcpy(ret->volume, digits, 16);
	ret->volume[16] = 0;
	ret->record[0] = (uint8_t)tm.tm_year;
	ret->record[1] = (uint8_t)(tm.tm_mon + 1);
	ret->record[2] = (uint8_t)tm.tm_mday;
	ret->record[3] = (uint8_t)tm.tm_hour;
	ret->record[4] = (uint8_t)tm.tm_min;
	ret->record[5] = (uint8_t)tm.tm_sec;
	ret->record[6] = 0;
}

/* Time stamps in a system use area; *ret_continued is set where a CE entry leads elsewhere. */
static void iso_system_use(uint8_t *p, size_t size, const struct iso_time *t, uint32_t ret_continued[3])
{
	ret_continued[2] = 0;
	while (size >= 4 && p[2] >= 4 && p[2] <= size) {
		if (p[0] == 'C' && p[1] == 'E' && p[2] >= 28)
			for (unsigned i = 0; i < 3; i++)
				ret_continued[i] = le32_get(p + 4 + 8 * i);
		if (p[0] == 'T' && p[1] == 'F') {
			unsigned each = p[4] & 0x80 ? 17 : 7;

			for (unsigned at = 5; at + each <= p[2]; at += each) {
				if (each == 17)
					memcpy(p + at, t->volume, 17);
				else
					memcpy(p + at, t->record, 7);
			}
		}
		size -= p[2];
		p += p[2];
	}
}

static errint_t iso_continued(int fd, const uint32_t where[3], const struct iso_time *t)
{
	uint64_t offset = (uint64_t)where[0] * ISO_SECTOR + where[1];
	uint8_t area[ISO_SECTOR];
	uint32_t next[3];

	if (where[2] == 0 || where[2] > sizeof area)
		return where[2] ? -EINVAL : 0;
	if (io_pread_full(fd, area, where[2], offset) != (ssize_t)where[2])
		return -EINVAL;
	iso_system_use(area, where[2], t, next);
	return io_pwrite_full(fd, area, where[2], offset);
}

static errint_t iso_record(int fd, uint8_t *r, size_t size, const struct iso_time *t, unsigned depth)
{
	size_t name = r[32], use = 33 + name + !(name & 1);
	uint32_t continued[3] = { 0 };
	bool dots = name == 1 && r[33] <= 1;
	errint_t e;

	if (use > size)
		return -EINVAL;
	memcpy(r + 18, t->record, 7);
	iso_system_use(r + use, size - use, t, continued);
	e = iso_continued(fd, continued, t);
	if (e == 0 && (r[25] & 2) && !dots)
		e = iso_directory(fd, r, t, depth + 1);
	return e;
}

/* All records of the directory that a record points to. */
static errint_t iso_directory(int fd, const uint8_t *record, const struct iso_time *t, unsigned depth)
{
	uint64_t offset = (uint64_t)le32_get(record + 2) * ISO_SECTOR;
	uint32_t size = le32_get(record + 10);
	_cleanup_free_ uint8_t *d = NULL;
	errint_t e = 0;

	if (depth > ISO_MAX_DEPTH || size > ISO_MAX_DIRECTORY)
		return -EINVAL;
	d = malloc(size ? size : 1);
	if (!d)
		return -ENOMEM;
	if (io_pread_full(fd, d, size, offset) != (ssize_t)size)
		return -EINVAL;
	for (size_t at = 0; at < size && e == 0;) {
		size_t length = d[at];

		if (!length) {	/* records do not cross sectors */
			at = (size_t)align_up(at + 1, ISO_SECTOR);
			continue;
		}
		if (length < ISO_RECORD_MIN || length > size - at)
			return -EINVAL;
		e = iso_record(fd, d + at, length, t, depth);
		at += length;
	}
	return e < 0 ? e : io_pwrite_full(fd, d, size, offset);
}

/* libarchive notes the time in words in the sector behind the last descriptor: nothing reads it. */
static errint_t iso_clear_note(int fd, uint64_t sector)
{
	uint8_t d[ISO_SECTOR];

	if (io_pread_full(fd, d, sizeof d, sector * ISO_SECTOR) != (ssize_t)sizeof d || memcmp(d, "INFO ", 5) != 0)
		return 0;
	memset(d, 0, sizeof d);
	return io_pwrite_full(fd, d, sizeof d, sector * ISO_SECTOR);
}

errint_t iso_finish(int fd, const char *volume, int64_t seconds)
{
	struct iso_time t;

	iso_time_of(seconds, &t);
	for (uint64_t sector = 16; sector < 32; sector++) {
		uint8_t d[ISO_SECTOR];
		errint_t e;

		if (io_pread_full(fd, d, sizeof d, sector * ISO_SECTOR) != (ssize_t)sizeof d || memcmp(d + 1, "CD001", 5) != 0)
			return -EINVAL;
		if (d[0] == 255)
			return iso_clear_note(fd, sector + 1);
		if (d[0] != 1 && d[0] != 2)
			continue;
		/* creation, modification, (no) expiration, effective */
		for (unsigned i = 0; i < 4; i++)
			memcpy(d + 813 + 17 * i, i == 2 ? "0000000000000000" : t.volume, 17);
		memcpy(d + 156 + 18, t.record, 7);
		if (d[0] == 1) {
			memset(d + 40, ' ', 32);
			memcpy(d + 40, volume, strlen(volume));
		}
		e = iso_directory(fd, d + 156, &t, 0);
		if (e == 0)
			e = io_pwrite_full(fd, d, sizeof d, sector * ISO_SECTOR);
		if (e < 0)
			return e;
	}
	return -EINVAL;
}
