/* SPDX-License-Identifier: MIT */
/* Writing a catalog's bytes; see catalog_writer.h. */
#include "fetchfs/publish/catalog_writer.h"
#include "fetchfs/format/catalog-disk.h"
#include "fetchfs/format/object.h"

static const uint8_t record_sizes[SECTION_COUNT] = {
	[SECTION_INODES] = CATALOG_INODE_SIZE,
	[SECTION_DIRENTS] = CATALOG_DIRENT_SIZE,
	[SECTION_EXTENTS] = CATALOG_EXTENT_SIZE,
	[SECTION_OBJECTS] = CATALOG_OBJECT_SIZE,
	[SECTION_NESTED] = CATALOG_NESTED_SIZE,
	[SECTION_FOREIGN] = CATALOG_FOREIGN_SIZE,
	[SECTION_XATTR_OFFSETS] = 4,
	[SECTION_XATTRS] = 1,
	[SECTION_STRINGS] = 1,
};

void catalog_writer_init(struct catalog_writer *w)
{
	*w = (struct catalog_writer){ .error = 0 };
}

void catalog_writer_done(struct catalog_writer *w)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		free(w->sections[i].data);
	catalog_writer_init(w);
}

uint32_t catalog_writer_count(const struct catalog_writer *w, enum catalog_section section)
{
	return (uint32_t)(w->sections[section].size / record_sizes[section]);
}

/* Zeroed room at a section's end; NULL after an error. */
static uint8_t *append(struct catalog_writer *w, enum catalog_section section, size_t size)
{
	size_t at = w->sections[section].size, room = w->sections[section].room;

	if (w->error)
		return NULL;
	if (size > OBJECT_MAX_SIZE || at + size > OBJECT_MAX_SIZE) {
		w->error = -EFBIG;
		return NULL;
	}
	if (at + size > room) {
		room = MAX(2 * room, at + size + 4096);
		uint8_t *larger = realloc(w->sections[section].data, room);
		if (!larger) {
			w->error = -ENOMEM;
			return NULL;
		}
		w->sections[section].data = larger;
		w->sections[section].room = room;
	}
	w->sections[section].size += size;
	return memset(w->sections[section].data + at, 0, size);
}

uint32_t catalog_writer_reserve_inode(struct catalog_writer *w)
{
	uint32_t index = catalog_writer_count(w, SECTION_INODES);

	append(w, SECTION_INODES, CATALOG_INODE_SIZE);
	return index;
}

void catalog_writer_set_inode(struct catalog_writer *w, uint32_t index, const struct catalog_inode *i)
{
	uint8_t *p;

	if (w->error)
		return;
	p = w->sections[SECTION_INODES].data + (size_t)index * CATALOG_INODE_SIZE;
	le32_put(p, i->mode);
	le32_put(p + 4, i->uid);
	le32_put(p + 8, i->gid);
	le32_put(p + 12, i->nlink);
	le64_put(p + 16, i->size);
	le64_put(p + 24, (uint64_t)i->mtime_sec);
	le32_put(p + 32, i->mtime_nsec);
	le32_put(p + 36, i->xattr_set);
	le32_put(p + 40, i->first);
	le32_put(p + 44, i->count);
	le32_put(p + 48, i->nested);
	le32_put(p + 52, i->parent);
	le64_put(p + 56, i->allocated);
}

void catalog_writer_add_dirent(struct catalog_writer *w, const char *name, size_t length, uint8_t type, uint32_t inode, bool foreign)
{
	uint32_t at = catalog_writer_add_string(w, name, length);
	uint8_t *p = append(w, SECTION_DIRENTS, CATALOG_DIRENT_SIZE);

	if (!p)
		return;
	le32_put(p, at);
	le32_put(p + 4, foreign ? inode | CATALOG_FOREIGN : inode);
	le16_put(p + 8, (uint16_t)length);
	p[10] = type;
}

void catalog_writer_add_extent(struct catalog_writer *w, const struct catalog_extent *e)
{
	uint8_t *p = append(w, SECTION_EXTENTS, CATALOG_EXTENT_SIZE);

	if (!p)
		return;
	memcpy(p, e->digest.bytes, DIGEST_SIZE);
	le64_put(p + 32, e->length);
	le32_put(p + 40, e->object);
	le32_put(p + 44, e->offset);
}

uint32_t catalog_writer_add_object(struct catalog_writer *w, const struct catalog_object *o)
{
	uint32_t index = catalog_writer_count(w, SECTION_OBJECTS);
	uint8_t *p = append(w, SECTION_OBJECTS, CATALOG_OBJECT_SIZE);

	if (!p)
		return index;
	memcpy(p, o->digest.bytes, DIGEST_SIZE);
	le32_put(p + 32, o->stored_size);
	le32_put(p + 36, o->size);
	le32_put(p + 40, o->kind);
	return index;
}

uint32_t catalog_writer_add_nested(struct catalog_writer *w, const struct catalog_nested *n)
{
	uint32_t index = catalog_writer_count(w, SECTION_NESTED);
	uint8_t *p = append(w, SECTION_NESTED, CATALOG_NESTED_SIZE);

	if (!p)
		return index;
	memcpy(p, n->digest.bytes, DIGEST_SIZE);
	le32_put(p + 32, n->stored_size);
	le32_put(p + 36, n->size);
	le64_put(p + 48, n->subtree_inodes);
	le32_put(p + 56, n->inode);
	w->nested_inodes += n->subtree_inodes;
	return index;
}

uint32_t catalog_writer_add_foreign(struct catalog_writer *w, const struct catalog_foreign *f)
{
	uint32_t index = catalog_writer_count(w, SECTION_FOREIGN);
	uint8_t *p = append(w, SECTION_FOREIGN, CATALOG_FOREIGN_SIZE);

	if (!p)
		return index;
	le32_put(p, f->levels_up);
	le32_put(p + 4, f->inode);
	return index;
}

uint32_t catalog_writer_add_xattrs(struct catalog_writer *w, const void *data, uint32_t size)
{
	uint32_t index = catalog_writer_count(w, SECTION_XATTR_OFFSETS);
	uint32_t at = catalog_writer_count(w, SECTION_XATTRS);
	uint8_t *offset = append(w, SECTION_XATTR_OFFSETS, 4);
	uint8_t *p = append(w, SECTION_XATTRS, size);

	if (!offset || !p)
		return index;
	le32_put(offset, at);
	memcpy(p, data, size);
	return index;
}

uint32_t catalog_writer_add_string(struct catalog_writer *w, const char *text, size_t length)
{
	uint32_t at = catalog_writer_count(w, SECTION_STRINGS);
	uint8_t *p = append(w, SECTION_STRINGS, length);

	if (p)
		memcpy(p, text, length);
	return at;
}

/* Behind this catalog's own inodes, one subtree after the other. */
static void number_nested(struct catalog_writer *w)
{
	uint64_t base = catalog_writer_count(w, SECTION_INODES);

	for (uint32_t i = 0; i < catalog_writer_count(w, SECTION_NESTED); i++) {
		uint8_t *p = w->sections[SECTION_NESTED].data + (size_t)i * CATALOG_NESTED_SIZE;
		le64_put(p + 40, base);
		base += le64_get(p + 48);
	}
}

static void put_header(const struct catalog_writer *w, uint32_t xattr_sets, uint64_t total, uint8_t *p)
{
	memcpy(p, CATALOG_MAGIC, 8);
	le32_put(p + 8, CATALOG_VERSION);
	le32_put(p + 12, CATALOG_HEADER_SIZE);
	le64_put(p + 16, total);
	le32_put(p + 24, catalog_writer_count(w, SECTION_INODES));
	le32_put(p + 28, catalog_writer_count(w, SECTION_DIRENTS));
	le32_put(p + 32, catalog_writer_count(w, SECTION_EXTENTS));
	le32_put(p + 36, catalog_writer_count(w, SECTION_OBJECTS));
	le32_put(p + 40, catalog_writer_count(w, SECTION_NESTED));
	le32_put(p + 44, catalog_writer_count(w, SECTION_FOREIGN));
	le32_put(p + 48, xattr_sets);
	le32_put(p + 52, catalog_writer_count(w, SECTION_XATTRS));
	le32_put(p + 56, catalog_writer_count(w, SECTION_STRINGS));
	le32_put(p + 60, CATALOG_DIGEST_BLAKE2B);
	le64_put(p + 64, catalog_writer_count(w, SECTION_INODES) + w->nested_inodes);
}

errint_t catalog_writer_finish(struct catalog_writer *w, void **ret_data, size_t *ret_size)
{
	uint32_t xattr_sets = catalog_writer_count(w, SECTION_XATTR_OFFSETS);
	uint8_t *last = append(w, SECTION_XATTR_OFFSETS, 4);
	uint64_t total = CATALOG_HEADER_SIZE, at = CATALOG_HEADER_SIZE;
	uint8_t *data;

	if (!last)
		return w->error;
	le32_put(last, catalog_writer_count(w, SECTION_XATTRS));
	number_nested(w);
	for (int i = 0; i < SECTION_COUNT; i++)
		total += align_up(w->sections[i].size, 8);
	if (total > OBJECT_MAX_SIZE)
		return -EFBIG;
	data = calloc(1, (size_t)total);
	if (!data)
		return -ENOMEM;
	put_header(w, xattr_sets, total, data);
	for (int i = 0; i < SECTION_COUNT; i++) {
		if (w->sections[i].size)
			memcpy(data + at, w->sections[i].data, w->sections[i].size);
		at += align_up(w->sections[i].size, 8);
	}
	*ret_data = data;
	*ret_size = (size_t)total;
	return 0;
}
