/* SPDX-License-Identifier: MIT */
/* Reads initrd archives that may be anything, by libarchive, counting what comes out; see initrd.h. */
#include "mkimage/initrd.h"

#include <archive.h>
#include <archive_entry.h>

/* Longer ones the kernel would not take (PATH_MAX). */
#define MAX_NAME 4096

static errint_t add_item(struct initrd_content *c, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e), *target = archive_entry_symlink(e);
	struct initrd_item item = { .mode = archive_entry_mode(e), .size = (uint64_t)archive_entry_size(e) };

	if (!path || strlen(path) > MAX_NAME || (target && strlen(target) > MAX_NAME))
		return -EBADMSG;
	if (c->count == INITRD_MAX_ENTRIES)
		return -E2BIG;
	if ((c->count & (c->count - 1)) == 0) {
		struct initrd_item *larger = realloc(c->items, MAX(2 * c->count, (size_t)1) * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		c->items = larger;
	}
	while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	item.path = strdup(path);
	item.target = target ? strdup(target) : NULL;
	if (!item.path || (target && !item.target)) {
		free(item.path);
		free(item.target);
		return -ENOMEM;
	}
	c->items[c->count++] = item;
	return 0;
}

static errint_t drain(struct archive *a, uint64_t max, uint64_t *total)
{
	const void *block;
	size_t size;
	int64_t offset;

	for (;;) {
		int r = archive_read_data_block(a, &block, &size, &offset);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK)
			return -EBADMSG;
		*total += size;
		if (*total > max)
			return -E2BIG;
	}
}

static errint_t read_all(struct archive *a, uint64_t max, struct initrd_content *ret)
{
	struct archive_entry *e;
	uint64_t total = 0;

	for (;;) {
		int r = archive_read_next_header(a, &e);
		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return -EBADMSG;
		errint_t error = add_item(ret, e);
		if (error == 0)
			error = drain(a, max, &total);
		if (error < 0)
			return error;
	}
	ret->unpacked = (uint64_t)MAX(archive_filter_bytes(a, 0), (int64_t)0);
	return 0;
}

/* libarchive's filter name as people write it. */
static const char *compression_name(struct archive *a)
{
	int code = archive_filter_count(a) > 1 ? archive_filter_code(a, 0) : ARCHIVE_FILTER_NONE;

	switch (code) {
	case ARCHIVE_FILTER_XZ: return "xz";
	case ARCHIVE_FILTER_ZSTD: return "zstd";
	case ARCHIVE_FILTER_GZIP: return "gzip";
	default: return "none";
	}
}

errint_t initrd_read(const void *data, size_t size, uint64_t max_unpacked, struct initrd_content *ret, char ret_why[256])
{
	struct archive *a = archive_read_new();
	errint_t error;

	*ret = (struct initrd_content){ .compression = "none" };
	ret_why[0] = '\0';
	if (!a)
		return -ENOMEM;
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_format_cpio(a);
	error = archive_read_open_memory(a, data, size) == ARCHIVE_OK ? read_all(a, max_unpacked, ret) : -EBADMSG;
	if (error == 0)
		ret->compression = compression_name(a);
	if (error == -EBADMSG)
		snprintf(ret_why, 256, "%s", archive_error_string(a) ? archive_error_string(a) : "it is no cpio archive");
	if (error == 0 && ret->count == 0) {
		snprintf(ret_why, 256, "the archive is empty");
		error = -EBADMSG;
	}
	if (error == -E2BIG)
		snprintf(ret_why, 256, "it unpacks to more than %llu MiB, or %d entries", (unsigned long long)(max_unpacked / MIB), INITRD_MAX_ENTRIES);
	archive_read_free(a);
	if (error < 0)
		initrd_content_done(ret);
	return error;
}

void initrd_content_done(struct initrd_content *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->items[i].path);
		free(c->items[i].target);
	}
	free(steal_ptr(c->items));
	c->count = 0;
}

const struct initrd_item *initrd_find(const struct initrd_content *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->items[i].path, path) == 0)
			return &c->items[i];
	return NULL;
}
