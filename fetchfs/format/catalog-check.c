/* SPDX-License-Identifier: MIT */
/*
 * The whole check of one catalog, for fsck and tests: every record, and that records fit each other. Needs two small tables of memory
 * (one byte for each inode and nested record). What lies in other catalogs is the caller's affair.
 */
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/catalog-disk.h"

#include <dirent.h>
#include <sys/stat.h>

#define NANOSECONDS 1000000000

struct check {
	const struct catalog *c;
	uint8_t *named;		/* for each inode: is a dirent pointing at it */
	uint8_t *mounted;	/* for each nested record: does a directory point at it */
	const char *what;	/* what was found wrong */
};

static bool wrong(struct check *k, const char *what)
{
	k->what = what;
	return false;
}

static uint8_t type_of_mode(uint32_t mode)
{
	return (uint8_t)((mode & S_IFMT) >> 12);
}

static bool name_fits(const struct catalog_dirent *d)
{
	if (memchr(d->name, '/', d->name_length) || memchr(d->name, '\0', d->name_length))
		return false;
	if (d->name[0] != '.')
		return true;
	return d->name_length > 2 || (d->name_length == 2 && d->name[1] != '.');
}

static bool check_target(struct check *k, uint32_t dir_index, const struct catalog_dirent *d, uint32_t *subdirectories)
{
	struct catalog_inode i;

	if (d->is_foreign)
		return d->type != DT_DIR || wrong(k, "a foreign directory");
	if (catalog_inode(k->c, d->inode, &i) < 0)
		return wrong(k, "a directory entry's inode");
	if (type_of_mode(i.mode) != d->type)
		return wrong(k, "a directory entry's type");
	if (S_ISDIR(i.mode)) {
		if (k->named[d->inode] || d->inode == 0)
			return wrong(k, "a directory that has two names");
		if (i.parent != dir_index || d->inode <= dir_index)
			return wrong(k, "a directory's parent");
		++*subdirectories;
	}
	k->named[d->inode] = 1;
	return true;
}

static bool check_mount_point(struct check *k, uint32_t index, const struct catalog_inode *dir)
{
	struct catalog_nested n;

	if (index == 0 || dir->count != 0)
		return wrong(k, "the directory of a nested catalog");
	if (catalog_nested(k->c, dir->nested, &n) < 0 || n.inode != index || k->mounted[dir->nested])
		return wrong(k, "a nested catalog's record");
	k->mounted[dir->nested] = 1;
	return true;
}

static bool check_directory(struct check *k, uint32_t index, const struct catalog_inode *dir)
{
	struct catalog_dirent last, d;
	uint32_t subdirectories = 0;

	if (index == 0 && dir->parent != 0)
		return wrong(k, "the root's parent");
	if (dir->nested != CATALOG_NONE)
		return check_mount_point(k, index, dir);
	for (uint32_t n = 0; n < dir->count; n++) {
		if (catalog_dirent(k->c, dir, n, &d) < 0)
			return wrong(k, "a directory entry");
		if (!name_fits(&d))
			return wrong(k, "a name");
		if (n > 0 && catalog_name_compare(last.name, last.name_length, d.name, d.name_length) >= 0)
			return wrong(k, "the order of a directory's entries");
		if (!check_target(k, index, &d, &subdirectories))
			return false;
		last = d;
	}
	return dir->nlink == subdirectories + 2 || wrong(k, "a directory's link count");
}

static bool check_file(struct check *k, const struct catalog_inode *file)
{
	uint64_t size = 0, allocated = 0;

	for (uint32_t n = 0; n < file->count; n++) {
		struct catalog_extent e;
		struct catalog_object o;
		if (catalog_extent(k->c, file, n, &e) < 0)
			return wrong(k, "an extent");
		if (e.length > file->size - size)
			return wrong(k, "extents beyond a file's size");
		size += e.length;
		if (e.object == CATALOG_NONE)
			continue;
		allocated += e.length;
		if (catalog_object(k->c, e.object, &o) < 0)
			return wrong(k, "an extent's object");
		if (o.kind == CATALOG_OBJECT_CHUNK && (e.offset != 0 || e.length != o.size || !digest_equal(&e.digest, &o.digest)))
			return wrong(k, "an extent in a chunk");
	}
	if (size != file->size)
		return wrong(k, "extents that do not cover a file");
	return allocated == file->allocated || wrong(k, "a file's allocated size");
}

static bool check_link(struct check *k, const struct catalog_inode *link)
{
	const char *target;
	size_t length;

	if (catalog_symlink(k->c, link, &target, &length) < 0 || length == 0 || length != link->size || memchr(target, '\0', length))
		return wrong(k, "a symbolic link's target");
	return true;
}

static bool check_inode(struct check *k, uint32_t index)
{
	struct catalog_inode i;

	if (catalog_inode(k->c, index, &i) < 0)
		return wrong(k, "an inode");
	if (i.mtime_nsec >= NANOSECONDS)
		return wrong(k, "a time");
	if (i.xattr_set != CATALOG_NONE && i.xattr_set >= k->c->xattr_sets)
		return wrong(k, "an inode's extended attributes");
	if (i.nlink == 0)
		return wrong(k, "a link count");
	switch (i.mode & S_IFMT) {
	case S_IFDIR:
		return check_directory(k, index, &i);
	case S_IFREG:
		return check_file(k, &i);
	case S_IFLNK:
		return check_link(k, &i);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return wrong(k, "an inode's type");
	}
}

static bool check_xattr_set(struct check *k, uint32_t set)
{
	uint32_t cursor = 0, size, found = 0;
	const char *name, *last = NULL;
	uint16_t length, last_length = 0;
	const void *value;
	errint_t r;

	while ((r = catalog_xattr_next(k->c, set, &cursor, &name, &length, &value, &size)) == 0) {
		if (memchr(name, '\0', length) || (last && catalog_name_compare(last, last_length, name, length) >= 0))
			return wrong(k, "the name of an extended attribute");
		last = name;
		last_length = length;
		found++;
	}
	if (r != -ENODATA)
		return wrong(k, "a set of extended attributes");
	const uint8_t *offset = k->c->data + k->c->at_xattr_offsets + (size_t)set * 4;
	return found == le32_get(k->c->data + k->c->at_xattrs + le32_get(offset)) || wrong(k, "the number of extended attributes");
}

static bool check_all(struct check *k)
{
	const struct catalog *c = k->c;
	uint64_t inodes = c->inodes;

	for (uint32_t i = 0; i < c->inodes; i++)
		if (!check_inode(k, i))
			return false;
	/* Inodes that only catalogs below name have no dirent here; directories must. */
	for (uint32_t i = 1; i < c->inodes; i++) {
		struct catalog_inode inode;
		if (catalog_inode(c, i, &inode) < 0 || (S_ISDIR(inode.mode) && !k->named[i]))
			return wrong(k, "a directory without a name");
	}
	for (uint32_t i = 0; i < c->nested; i++) {
		struct catalog_nested n;
		if (catalog_nested(c, i, &n) < 0 || !k->mounted[i] || n.inode_base != inodes)
			return wrong(k, "a nested catalog's record");
		inodes += n.subtree_inodes;
	}
	if (inodes != c->subtree_inodes)
		return wrong(k, "the number of inodes of the subtree");
	for (uint32_t i = 0; i < c->objects; i++) {
		struct catalog_object o;
		if (catalog_object(c, i, &o) < 0)
			return wrong(k, "an object's record");
	}
	for (uint32_t i = 0; i < c->foreign; i++) {
		struct catalog_foreign f;
		if (catalog_foreign(c, i, &f) < 0)
			return wrong(k, "a foreign link's record");
	}
	for (uint32_t i = 0; i < c->xattr_sets; i++)
		if (!check_xattr_set(k, i))
			return false;
	return true;
}

errint_t catalog_check(const struct catalog *c, const char **ret_what)
{
	_cleanup_free_ uint8_t *named = calloc(c->inodes, 1);
	_cleanup_free_ uint8_t *mounted = calloc((size_t)c->nested + 1, 1);
	struct check k = { .c = c, .named = named, .mounted = mounted };

	if (!named || !mounted)
		return -ENOMEM;
	if (check_all(&k))
		return 0;
	*ret_what = k.what;
	return -EBADMSG;
}
