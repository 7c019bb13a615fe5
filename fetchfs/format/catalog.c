/* SPDX-License-Identifier: MIT */
/*
 * Reading catalogs in place; see catalog.h. Each accessor checks the index it is given and what the record points at;
 * whether the records fit each other is catalog_check's affair (catalog-check.c).
 */
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/catalog-disk.h"
#include "fetchfs/format/object.h"

#include <sys/stat.h>

/* Moves *at behind a section of count records, to the next multiple of 8. 32-bit counts of small records cannot overflow 64 bits. */
static size_t take_section(uint64_t *at, uint64_t count, uint64_t record)
{
	uint64_t start = *at;

	*at = align_up(start + count * record, 8);
	/* Beyond the maximum the sum is refused below; the cut value is never used. */
	return (size_t)start;
}

static errint_t lay_out(struct catalog *c)
{
	uint64_t at = CATALOG_HEADER_SIZE;

	c->at_inodes = take_section(&at, c->inodes, CATALOG_INODE_SIZE);
	c->at_dirents = take_section(&at, c->dirents, CATALOG_DIRENT_SIZE);
	c->at_extents = take_section(&at, c->extents, CATALOG_EXTENT_SIZE);
	c->at_objects = take_section(&at, c->objects, CATALOG_OBJECT_SIZE);
	c->at_nested = take_section(&at, c->nested, CATALOG_NESTED_SIZE);
	c->at_foreign = take_section(&at, c->foreign, CATALOG_FOREIGN_SIZE);
	c->at_xattr_offsets = take_section(&at, (uint64_t)c->xattr_sets + 1, 4);
	c->at_xattrs = take_section(&at, c->xattr_size, 1);
	c->at_strings = take_section(&at, c->strings_size, 1);
	return at == c->size ? 0 : -EBADMSG;
}

errint_t catalog_open(const void *data, size_t size, struct catalog *ret)
{
	const uint8_t *p = data;
	struct catalog c = { .data = p, .size = size };

	if (size < CATALOG_HEADER_SIZE || size > OBJECT_MAX_SIZE || memcmp(p, CATALOG_MAGIC, 8) != 0)
		return -EBADMSG;
	if (le32_get(p + 8) > CATALOG_VERSION)
		return -EPROTONOSUPPORT;
	if (le32_get(p + 8) != CATALOG_VERSION || le32_get(p + 12) != CATALOG_HEADER_SIZE || le64_get(p + 16) != size)
		return -EBADMSG;
	if (le32_get(p + 60) != CATALOG_DIGEST_BLAKE2B)
		return -EPROTONOSUPPORT;
	c.inodes = le32_get(p + 24);
	c.dirents = le32_get(p + 28);
	c.extents = le32_get(p + 32);
	c.objects = le32_get(p + 36);
	c.nested = le32_get(p + 40);
	c.foreign = le32_get(p + 44);
	c.xattr_sets = le32_get(p + 48);
	c.xattr_size = le32_get(p + 52);
	c.strings_size = le32_get(p + 56);
	c.subtree_inodes = le64_get(p + 64);
	if (c.inodes == 0 || c.subtree_inodes < c.inodes || lay_out(&c) < 0)
		return -EBADMSG;
	if (!S_ISDIR(le32_get(p + c.at_inodes)))
		return -EBADMSG;
	*ret = c;
	return 0;
}

errint_t catalog_inode(const struct catalog *c, uint32_t index, struct catalog_inode *ret)
{
	const uint8_t *p;

	if (index >= c->inodes)
		return -EBADMSG;
	p = c->data + c->at_inodes + (size_t)index * CATALOG_INODE_SIZE;
	ret->mode = le32_get(p);
	ret->uid = le32_get(p + 4);
	ret->gid = le32_get(p + 8);
	ret->nlink = le32_get(p + 12);
	ret->size = le64_get(p + 16);
	ret->mtime_sec = (int64_t)le64_get(p + 24);
	ret->mtime_nsec = le32_get(p + 32);
	ret->xattr_set = le32_get(p + 36);
	ret->first = le32_get(p + 40);
	ret->count = le32_get(p + 44);
	ret->nested = le32_get(p + 48);
	ret->parent = le32_get(p + 52);
	ret->allocated = le64_get(p + 56);
	return 0;
}

/* first + position, where that is a record of the inode and of the section. */
static errint_t record_of(const struct catalog_inode *i, uint32_t position, uint32_t records, uint32_t *ret)
{
	uint64_t index = (uint64_t)i->first + position;

	if (position >= i->count)
		return -ENOENT;
	if (index >= records)
		return -EBADMSG;
	*ret = (uint32_t)index;
	return 0;
}

static errint_t string_at(const struct catalog *c, uint32_t offset, uint32_t length, const char **ret)
{
	if (offset > c->strings_size || length > c->strings_size - offset)
		return -EBADMSG;
	*ret = (const char *)c->data + c->at_strings + offset;
	return 0;
}

errint_t catalog_dirent(const struct catalog *c, const struct catalog_inode *dir, uint32_t position, struct catalog_dirent *ret)
{
	const uint8_t *p;
	uint32_t index;
	errint_t r;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	r = record_of(dir, position, c->dirents, &index);
	if (r < 0)
		return r;
	p = c->data + c->at_dirents + (size_t)index * CATALOG_DIRENT_SIZE;
	ret->name_length = le16_get(p + 8);
	ret->type = p[10];
	if (ret->name_length == 0 || ret->name_length > CATALOG_NAME_MAX)
		return -EBADMSG;
	r = string_at(c, le32_get(p), ret->name_length, &ret->name);
	if (r < 0)
		return r;
	ret->is_foreign = le32_get(p + 4) & CATALOG_FOREIGN;
	ret->inode = le32_get(p + 4) & ~CATALOG_FOREIGN;
	return ret->inode < (ret->is_foreign ? c->foreign : c->inodes) ? 0 : -EBADMSG;
}

int catalog_name_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, MIN(a_length, b_length));

	if (order != 0)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

errint_t catalog_lookup(const struct catalog *c, const struct catalog_inode *dir, const char *name, size_t length,
			struct catalog_dirent *ret)
{
	uint32_t low = 0, high = dir->count;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		errint_t r = catalog_dirent(c, dir, middle, ret);
		if (r < 0)
			return -EBADMSG;
		int order = catalog_name_compare(name, length, ret->name, ret->name_length);
		if (order == 0)
			return 0;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

errint_t catalog_extent(const struct catalog *c, const struct catalog_inode *file, uint32_t position, struct catalog_extent *ret)
{
	const uint8_t *p;
	uint32_t index;
	errint_t r;

	if (!S_ISREG(file->mode))
		return -EINVAL;
	r = record_of(file, position, c->extents, &index);
	if (r < 0)
		return r;
	p = c->data + c->at_extents + (size_t)index * CATALOG_EXTENT_SIZE;
	memcpy(ret->digest.bytes, p, DIGEST_SIZE);
	ret->length = le64_get(p + 32);
	ret->object = le32_get(p + 40);
	ret->offset = le32_get(p + 44);
	if (ret->length == 0)
		return -EBADMSG;
	if (ret->object == CATALOG_NONE)
		return 0;
	if (ret->object >= c->objects)
		return -EBADMSG;
	/* The data lies within its object. */
	uint32_t size = le32_get(c->data + c->at_objects + (size_t)ret->object * CATALOG_OBJECT_SIZE + 36);
	return ret->offset <= size && ret->length <= size - ret->offset ? 0 : -EBADMSG;
}

errint_t catalog_object(const struct catalog *c, uint32_t index, struct catalog_object *ret)
{
	const uint8_t *p;

	if (index >= c->objects)
		return -EBADMSG;
	p = c->data + c->at_objects + (size_t)index * CATALOG_OBJECT_SIZE;
	memcpy(ret->digest.bytes, p, DIGEST_SIZE);
	ret->stored_size = le32_get(p + 32);
	ret->size = le32_get(p + 36);
	ret->kind = le32_get(p + 40);
	if (ret->kind != CATALOG_OBJECT_PACK && ret->kind != CATALOG_OBJECT_CHUNK)
		return -EBADMSG;
	return ret->size <= OBJECT_MAX_SIZE ? 0 : -EBADMSG;
}

errint_t catalog_nested(const struct catalog *c, uint32_t index, struct catalog_nested *ret)
{
	const uint8_t *p;

	if (index >= c->nested)
		return -EBADMSG;
	p = c->data + c->at_nested + (size_t)index * CATALOG_NESTED_SIZE;
	memcpy(ret->digest.bytes, p, DIGEST_SIZE);
	ret->stored_size = le32_get(p + 32);
	ret->size = le32_get(p + 36);
	ret->inode_base = le64_get(p + 40);
	ret->subtree_inodes = le64_get(p + 48);
	ret->inode = le32_get(p + 56);
	if (ret->inode >= c->inodes || ret->size > OBJECT_MAX_SIZE)
		return -EBADMSG;
	/* Inode numbers of different subtrees must not meet. */
	if (ret->inode_base < c->inodes || ret->inode_base > c->subtree_inodes ||
	    ret->subtree_inodes > c->subtree_inodes - ret->inode_base)
		return -EBADMSG;
	return 0;
}

errint_t catalog_foreign(const struct catalog *c, uint32_t index, struct catalog_foreign *ret)
{
	const uint8_t *p;

	if (index >= c->foreign)
		return -EBADMSG;
	p = c->data + c->at_foreign + (size_t)index * CATALOG_FOREIGN_SIZE;
	ret->levels_up = le32_get(p);
	ret->inode = le32_get(p + 4);
	return ret->levels_up > 0 ? 0 : -EBADMSG;
}

errint_t catalog_symlink(const struct catalog *c, const struct catalog_inode *link, const char **ret_target, size_t *ret_length)
{
	errint_t r;

	if (!S_ISLNK(link->mode))
		return -EINVAL;
	r = string_at(c, link->first, link->count, ret_target);
	if (r < 0)
		return r;
	*ret_length = link->count;
	return 0;
}

/* The bytes of a set: behind its number of attributes. */
static errint_t xattr_set_at(const struct catalog *c, uint32_t set, const uint8_t **ret, uint32_t *ret_size, uint32_t *ret_count)
{
	const uint8_t *offsets = c->data + c->at_xattr_offsets;
	uint32_t start, end;

	if (set == CATALOG_NONE)
		return -ENODATA;
	if (set >= c->xattr_sets)
		return -EBADMSG;
	start = le32_get(offsets + (size_t)set * 4);
	end = le32_get(offsets + (size_t)set * 4 + 4);
	if (end > c->xattr_size || start > end || end - start < 4)
		return -EBADMSG;
	*ret = c->data + c->at_xattrs + start;
	*ret_size = end - start;
	*ret_count = le32_get(*ret);
	return 0;
}

/* The cursor counts bytes of the set; 0 stands for the first attribute (behind the count). */
errint_t catalog_xattr_next(const struct catalog *c, uint32_t set, uint32_t *cursor, const char **ret_name, uint16_t *ret_name_length,
			    const void **ret_value, uint32_t *ret_size)
{
	const uint8_t *p;
	uint32_t size, count, at, left;
	errint_t r = xattr_set_at(c, set, &p, &size, &count);

	if (r < 0)
		return r;
	at = *cursor ? *cursor : 4;
	if (at >= size)
		return -ENODATA;
	left = size - at;
	if (left < CATALOG_XATTR_SIZE)
		return -EBADMSG;
	p += at;
	*ret_name_length = le16_get(p);
	*ret_size = le32_get(p + 4);
	left -= CATALOG_XATTR_SIZE;
	if (*ret_name_length == 0 || *ret_name_length > left || *ret_size > left - *ret_name_length)
		return -EBADMSG;
	*ret_name = (const char *)p + CATALOG_XATTR_SIZE;
	*ret_value = p + CATALOG_XATTR_SIZE + *ret_name_length;
	*cursor = at + CATALOG_XATTR_SIZE + *ret_name_length + *ret_size;
	return 0;
}

errint_t catalog_xattr(const struct catalog *c, uint32_t set, const char *name, size_t name_length, const void **ret_value,
		       uint32_t *ret_size)
{
	uint32_t cursor = 0;

	for (;;) {
		const char *found;
		uint16_t length;
		errint_t r = catalog_xattr_next(c, set, &cursor, &found, &length, ret_value, ret_size);
		if (r < 0)
			return r;
		int order = catalog_name_compare(found, length, name, name_length);
		if (order == 0)
			return 0;
		if (order > 0)
			return -ENODATA;
	}
}
