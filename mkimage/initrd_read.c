/* SPDX-License-Identifier: MIT */
/* Reads initrd archives that may be anything, by libarchive, in bounded memory; see initrd.h. */
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

static errint_t read_entries(struct archive *a, struct initrd_content *ret)
{
	struct archive_entry *e;

	for (;;) {
		int r = archive_read_next_header(a, &e);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return -EBADMSG;
		errint_t error = add_item(ret, e);
		if (error < 0)
			return error;
		if (archive_read_data_skip(a) != ARCHIVE_OK)
			return -EBADMSG;
	}
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

static errint_t grow(char **data, size_t *room, size_t wanted)
{
	size_t larger = MAX(2 * *room, wanted);
	char *p = realloc(*data, larger);

	if (!p)
		return -ENOMEM;
	*data = p;
	*room = larger;
	return 0;
}

/* Unpacks into memory first: of a name that is said to be long, libarchive would unpack gigabytes. */
static errint_t unpack(struct archive *a, uint64_t max, char **ret, size_t *ret_size)
{
	struct archive_entry *e;
	size_t room = 0, size;
	const void *block;
	errint_t error = 0;
	int64_t offset;
	int r;

	*ret_size = 0;
	if (archive_read_next_header(a, &e) != ARCHIVE_OK)
		return -EBADMSG;
	while (error == 0 && (r = archive_read_data_block(a, &block, &size, &offset)) == ARCHIVE_OK) {
		if (size > max - *ret_size)
			return -E2BIG;
		if (size > room - *ret_size)
			error = grow(ret, &room, *ret_size + size);
		if (error == 0 && size > 0)
			memcpy(*ret + *ret_size, block, size);
		*ret_size += error == 0 ? size : 0;
	}
	return error < 0 ? error : r == ARCHIVE_EOF ? 0 : -EBADMSG;
}

static void explain(struct archive *a, char ret_why[256])
{
	snprintf(ret_why, 256, "%s", archive_error_string(a) ? archive_error_string(a) : "it is no cpio archive");
}

static errint_t read_compressed(const void *data, size_t size, uint64_t max, struct initrd_content *c, char **ret, size_t *ret_size, char ret_why[256])
{
	struct archive *a = archive_read_new();
	errint_t error;

	if (!a)
		return -ENOMEM;
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_format_raw(a);
	error = archive_read_open_memory(a, data, size) == ARCHIVE_OK ? unpack(a, max, ret, ret_size) : -EBADMSG;
	c->compression = compression_name(a);
	c->unpacked = *ret_size;
	if (error == -EBADMSG)
		explain(a, ret_why);
	archive_read_free(a);
	return error;
}

static errint_t read_cpio(const char *data, size_t size, struct initrd_content *c, char ret_why[256])
{
	struct archive *a = archive_read_new();
	errint_t error;

	if (!a)
		return -ENOMEM;
	archive_read_support_format_cpio(a);
	error = archive_read_open_memory(a, data, size) == ARCHIVE_OK ? read_entries(a, c) : -EBADMSG;
	if (error == -EBADMSG)
		explain(a, ret_why);
	archive_read_free(a);
	return error;
}

errint_t initrd_read(const void *data, size_t size, uint64_t max_unpacked, struct initrd_content *ret, char ret_why[256])
{
	_cleanup_free_ char *unpacked = NULL;
	size_t unpacked_size = 0;
	errint_t error;

	*ret = (struct initrd_content){ .compression = "none" };
	ret_why[0] = '\0';
	error = read_compressed(data, size, max_unpacked, ret, &unpacked, &unpacked_size, ret_why);
	if (error == 0)
		error = read_cpio(unpacked, unpacked_size, ret, ret_why);
	if (error == 0 && ret->count == 0) {
		snprintf(ret_why, 256, "the archive is empty");
		error = -EBADMSG;
	}
	if (error == -E2BIG)
		snprintf(ret_why, 256, "it unpacks to more than %llu MiB, or %d entries", (unsigned long long)(max_unpacked / MIB), INITRD_MAX_ENTRIES);
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
