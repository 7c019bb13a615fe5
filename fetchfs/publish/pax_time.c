/* SPDX-License-Identifier: MIT */
/* Times before 1970 in pax archives; see pax_time.h. */
#include "fetchfs/publish/pax_time.h"

#include <archive.h>

#define NANOSECONDS 1000000000
#define BLOCK 512

/* A ustar header of the given type, its checksum set. */
static void put_header(char *block, const char *name, char type, unsigned size)
{
	unsigned sum = 0;

	memset(block, 0, BLOCK);
	strcpy(block, name);
	strcpy(block + 100, "0000644");
	strcpy(block + 108, "0000000");
	strcpy(block + 116, "0000000");
	snprintf(block + 124, 12, "%011o", size);
	strcpy(block + 136, "00000000000");
	memset(block + 148, ' ', 8);
	block[156] = type;
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum & 0777777u);
}

/* An archive of one empty file of time -1.25. */
static bool try_library(void)
{
	static const char record[] = "15 mtime=-1.25\n";
	char archive[5 * BLOCK] = { 0 };
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	bool naive = false;

	put_header(archive, "x", 'x', sizeof(record) - 1);
	memcpy(archive + BLOCK, record, sizeof(record) - 1);
	put_header(archive + 2 * BLOCK, "y", '0', 0);
	if (!a)
		return false;
	archive_read_support_format_tar(a);
	if (archive_read_open_memory(a, archive, sizeof(archive)) == ARCHIVE_OK && archive_read_next_header(a, &e) == ARCHIVE_OK)
		naive = archive_entry_mtime(e) == -1 && archive_entry_mtime_nsec(e) == NANOSECONDS / 4;
	archive_read_free(a);
	return naive;
}

bool pax_time_is_naive(void)
{
	static int answer = -1;

	if (answer < 0)
		answer = try_library();
	return answer;
}

void pax_time_get(struct archive_entry *e, int64_t *ret_seconds, uint32_t *ret_nanoseconds)
{
	int64_t seconds = archive_entry_mtime(e);
	long nanoseconds = archive_entry_mtime_nsec(e);

	if (nanoseconds < 0 || nanoseconds >= NANOSECONDS)
		nanoseconds = 0;
	if (seconds < 0 && nanoseconds > 0 && pax_time_is_naive()) {
		seconds--;
		nanoseconds = NANOSECONDS - nanoseconds;
	}
	*ret_seconds = seconds;
	*ret_nanoseconds = (uint32_t)nanoseconds;
}

void pax_time_set(struct archive_entry *e, int64_t seconds, uint32_t nanoseconds)
{
	if (seconds < 0 && nanoseconds > 0 && pax_time_is_naive()) {
		if (seconds == -1) {
			nanoseconds = 0;
		} else {
			seconds++;
			nanoseconds = NANOSECONDS - nanoseconds;
		}
	}
	archive_entry_set_mtime(e, (time_t)seconds, (long)nanoseconds);
}
