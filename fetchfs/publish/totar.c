/* SPDX-License-Identifier: MIT */
/* Published files as a tar; see totar.h. */
#include "fetchfs/publish/totar.h"
#include "common/arena.h"
#include "common/io.h"
#include "fetchfs/publish/acl.h"
#include "fetchfs/publish/pax_time.h"
#include "fetchfs/publish/table.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>

struct first_name {
	uint64_t number;
	const char *path;
};

struct totar {
	struct view *view;
	struct archive *archive;
	struct archive_entry *entry;
	const char *path;
	struct trouble *trouble;
	struct table links;
	struct arena arena;
	uint64_t sockets;	/* left out */
};

static errint_t failed(struct totar *w)
{
	const char *why = archive_error_string(w->archive);

	return trouble_set(w->trouble, -EIO, EXIT_CANNOT_CREATE, "cannot write %s: %s", w->path, why ? why : "the archive library failed");
}

static bool number_equal(const void *value, const void *key)
{
	return ((const struct first_name *)value)->number == *(const uint64_t *)key;
}

/* The path of the first entry with this inode; NULL: this is the first. */
static errint_t first_path(struct totar *w, const struct walk_entry *e, const char *path, const char **ret)
{
	uint64_t number = e->place->number, hash = table_hash(&number, sizeof(number), 0);
	struct first_name *f = table_find(&w->links, hash, &number, number_equal);

	*ret = f ? f->path : NULL;
	if (f)
		return 0;
	f = arena_alloc(&w->arena, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->number = number;
	f->path = arena_string(&w->arena, path);
	return f->path ? table_add(&w->links, hash, f) : -ENOMEM;
}

static errint_t put_xattrs(struct totar *w, const struct view_place *p)
{
	uint32_t cursor = 0, size;
	const char *name;
	uint16_t length;
	const void *value;

	while (catalog_xattr_next(&p->catalog->c, p->inode.xattr_set, &cursor, &name, &length, &value, &size) == 0) {
		char text[256];
		snprintf(text, sizeof(text), "%.*s", (int)length, name);
		if (strcmp(text, ACL_ACCESS_NAME) == 0 && acl_to_entry(w->entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value, size) == 0)
			continue;
		if (strcmp(text, ACL_DEFAULT_NAME) == 0 && acl_to_entry(w->entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value, size) == 0)
			continue;
		archive_entry_xattr_add_entry(w->entry, text, value, size);
	}
	return 0;
}

static errint_t put_content_map(struct totar *w, const struct view_place *p)
{
	struct catalog_extent e;
	uint64_t at = 0;
	errint_t r;

	archive_entry_set_size(w->entry, (la_int64_t)p->inode.size);
	if (p->inode.allocated == p->inode.size)
		return 0;
	for (uint32_t n = 0; (r = catalog_extent(&p->catalog->c, &p->inode, n, &e)) == 0; n++) {
		if (e.object != CATALOG_NONE)
			archive_entry_sparse_add_entry(w->entry, (la_int64_t)at, (la_int64_t)e.length);
		at += e.length;
	}
	/* All hole: an empty stretch at the end says so. */
	if (p->inode.allocated == 0)
		archive_entry_sparse_add_entry(w->entry, (la_int64_t)at, 0);
	return r == -ENOENT ? 0 : r;
}

static errint_t fill_entry(struct totar *w, const struct view_place *p)
{
	const struct catalog_inode *i = &p->inode;
	const char *target;
	size_t length;

	archive_entry_set_mode(w->entry, i->mode);
	archive_entry_set_uid(w->entry, i->uid);
	archive_entry_set_gid(w->entry, i->gid);
	pax_time_set(w->entry, i->mtime_sec, i->mtime_nsec);
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		return put_content_map(w, p);
	case S_IFLNK:
		if (catalog_symlink(&p->catalog->c, i, &target, &length) == 0) {
			char *text = arena_copy(&w->arena, target, length);
			if (!text)
				return -ENOMEM;
			archive_entry_copy_symlink(w->entry, text);
		}
		break;
	case S_IFCHR:
	case S_IFBLK:
		archive_entry_set_rdevmajor(w->entry, i->first);
		archive_entry_set_rdevminor(w->entry, i->count);
		break;
	}
	return 0;
}

/* Holes are written, too: the library leaves out what the map does not name. */
static errint_t write_content(struct totar *w, const struct view_place *p)
{
	struct catalog_extent e;
	errint_t r;

	for (uint32_t n = 0; (r = catalog_extent(&p->catalog->c, &p->inode, n, &e)) == 0; n++) {
		static const char zeros[65536];
		const void *data = zeros;
		uint64_t left = e.length;
		if (e.object != CATALOG_NONE) {
			r = view_extent(w->view, p, &e, &data);
			if (r < 0)
				return r;
		}
		while (left > 0) {
			size_t size = e.object == CATALOG_NONE ? (size_t)MIN(left, sizeof(zeros)) : (size_t)left;
			if (archive_write_data(w->archive, data, size) != (la_ssize_t)size)
				return failed(w);
			left -= size;
		}
	}
	return r == -ENOENT ? 0 : r;
}

static errint_t visit(void *context, const struct walk_entry *e)
{
	struct totar *w = context;
	const struct catalog_inode *i = &e->place->inode;
	_cleanup_free_ char *path = e->path_length ? io_format("./%s", e->path) : strdup("./");
	const char *first = NULL;
	errint_t r = 0;

	if (!path)
		return -ENOMEM;
	/* Tar has no sockets: whoever listens makes them anew. */
	if (S_ISSOCK(i->mode)) {
		w->sockets++;
		return 0;
	}
	if (!S_ISDIR(i->mode) && i->nlink > 1)
		r = first_path(w, e, path, &first);
	if (r < 0)
		return r;
	archive_entry_clear(w->entry);
	archive_entry_copy_pathname(w->entry, path);
	if (first) {
		archive_entry_set_mode(w->entry, i->mode);
		archive_entry_set_size(w->entry, 0);
		archive_entry_copy_hardlink(w->entry, first);
	} else {
		r = fill_entry(w, e->place);
		if (r == 0)
			r = put_xattrs(w, e->place);
	}
	if (r < 0)
		return r;
	/* A warning is about the character set of a name, which is written as it is. */
	if (archive_write_header(w->archive, w->entry) < ARCHIVE_WARN)
		return failed(w);
	return !first && S_ISREG(i->mode) ? write_content(w, e->place) : 0;
}

static void choose_filter(struct archive *a, const char *path)
{
	size_t length = strlen(path);

	if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
		archive_write_add_filter_gzip(a);
	else if (length > 3 && strcmp(path + length - 3, ".xz") == 0)
		archive_write_add_filter_xz(a);
	else if (length > 4 && strcmp(path + length - 4, ".zst") == 0)
		archive_write_add_filter_zstd(a);
}

static errint_t open_archive(struct totar *w)
{
	w->archive = archive_write_new();
	w->entry = archive_entry_new();
	if (!w->archive || !w->entry)
		return -ENOMEM;
	archive_write_set_format_pax(w->archive);
	/* Each attribute once, in the spelling that GNU tar reads. */
	archive_write_set_format_option(w->archive, "pax", "xattrheader", "SCHILY");
	choose_filter(w->archive, w->path);
	if (strcmp(w->path, "-") == 0 ? archive_write_open_fd(w->archive, STDOUT_FILENO) : archive_write_open_filename(w->archive, w->path))
		return failed(w);
	return 0;
}

errint_t totar_write(struct view *v, const struct view_place *start, const char *path, uint64_t *ret_sockets, struct trouble *t)
{
	static const struct walk_visitor visitor = { .visit = visit };
	struct totar w = { .view = v, .path = path, .trouble = t, .arena = { .max = SIZE_MAX } };
	/* Names in UTF-8 need no remark in the archive then; others get one (hdrcharset) and are written as they are. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	errint_t r = open_archive(&w);

	if (r == 0)
		r = walk(v, start, &visitor, &w);
	if (r == 0 && archive_write_close(w.archive) != ARCHIVE_OK)
		r = failed(&w);
	*ret_sockets = w.sockets;
	archive_write_free(w.archive);
	archive_entry_free(w.entry);
	table_done(&w.links);
	arena_done(&w.arena);
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return r;
}
