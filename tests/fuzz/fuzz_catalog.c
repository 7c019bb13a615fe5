/* SPDX-License-Identifier: MIT */
/*
 * Catalogs: every accessor on every record of whatever opens, checked or not; the bytes that are given out are touched, so that the sanitizers see one that lies
 * elsewhere. What passes the check must be consistent.
 */
#include "fetchfs/format/catalog.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_RECORDS 4096	/* of one kind, so that a run stays short */

static volatile unsigned touched;

static void touch(const void *data, size_t size)
{
	const uint8_t *p = data;

	if (size > 0)
		touched += (unsigned)p[0] + p[size - 1];
}

static void read_directory(const struct catalog *c, const struct catalog_inode *dir, bool checked)
{
	struct catalog_dirent d, found;

	for (uint32_t n = 0; n < MIN(dir->count, MAX_RECORDS); n++) {
		if (catalog_dirent(c, dir, n, &d) < 0) {
			if (checked)
				abort();
			break;
		}
		touch(d.name, d.name_length);
		if (catalog_lookup(c, dir, d.name, d.name_length, &found) < 0 && checked)
			abort();
	}
	catalog_lookup(c, dir, "", 0, &found);
	catalog_lookup(c, dir, "usr", 3, &found);
}

static void read_file(const struct catalog *c, const struct catalog_inode *file, bool checked)
{
	struct catalog_extent e;
	struct catalog_object o;
	uint64_t sum = 0;
	uint32_t n = 0;

	for (; n < MIN(file->count, MAX_RECORDS) && catalog_extent(c, file, n, &e) == 0; n++) {
		sum += e.length;
		if (e.object != CATALOG_NONE && catalog_object(c, e.object, &o) < 0 && checked)
			abort();
	}
	if (checked && n == file->count && sum != file->size)
		abort();
}

static void read_xattrs(const struct catalog *c, uint32_t set)
{
	uint32_t cursor = 0, size, count = 0;
	const char *name;
	uint16_t length;
	const void *value;

	while (count++ < MAX_RECORDS && catalog_xattr_next(c, set, &cursor, &name, &length, &value, &size) == 0) {
		touch(name, length);
		touch(value, size);
	}
	catalog_xattr(c, set, "security.capability", 19, &value, &size);
}

static void read_inode(const struct catalog *c, uint32_t index, bool checked)
{
	struct catalog_inode i;
	struct catalog_nested n;
	const char *target;
	size_t length;

	if (catalog_inode(c, index, &i) < 0)
		return;
	read_xattrs(c, i.xattr_set);
	if (S_ISDIR(i.mode)) {
		read_directory(c, &i, checked);
		if (i.nested != CATALOG_NONE && catalog_nested(c, i.nested, &n) < 0 && checked)
			abort();
	}
	read_file(c, &i, checked && S_ISREG(i.mode));
	if (catalog_symlink(c, &i, &target, &length) == 0)
		touch(target, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct catalog c;
	struct catalog_foreign f;
	const char *what;
	bool checked;

	if (catalog_open(data, size, &c) < 0)
		return 0;
	checked = catalog_check(&c, &what) == 0;
	for (uint32_t i = 0; i < MIN(c.inodes, MAX_RECORDS); i++)
		read_inode(&c, i, checked);
	for (uint32_t i = 0; i < MIN(c.foreign, MAX_RECORDS); i++)
		catalog_foreign(&c, i, &f);
	return 0;
}
