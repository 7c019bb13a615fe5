/* SPDX-License-Identifier: MIT */
/* Lists of what to fetch; see profile_list.h. */
#include "fetchfs/format/profile_list.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/object.h"

bool profile_list_get(const struct profile_list *l, uint32_t index, struct profile_list_object *ret)
{
	const uint8_t *p = l->data + PROFILE_LIST_HEADER_SIZE + (size_t)index * PROFILE_LIST_OBJECT_SIZE;

	if (index >= l->count)
		return false;
	memcpy(ret->digest.bytes, p, DIGEST_SIZE);
	ret->stored_size = le32_get(p + 32);
	ret->size = le32_get(p + 36);
	ret->kind = le32_get(p + 40);
	ret->extent = le32_get(p + 44);
	ret->inode = le64_get(p + 48);
	return true;
}

static bool object_is_good(const struct profile_list_object *o)
{
	if (o->stored_size == 0 || o->stored_size > 2 * OBJECT_MAX_SIZE || o->size == 0 || o->size > OBJECT_MAX_SIZE)
		return false;
	if (o->kind == CATALOG_OBJECT_CHUNK)
		return o->inode > 0;
	return (o->kind == CATALOG_OBJECT_PACK || o->kind == PROFILE_LIST_CATALOG) && o->inode == 0 && o->extent == 0;
}

errint_t profile_list_open(const void *data, size_t size, struct profile_list *ret)
{
	static const uint8_t zeros[16];
	const uint8_t *p = data;
	struct profile_list l = { .data = data };
	struct profile_list_object o;

	if (size < PROFILE_LIST_HEADER_SIZE || memcmp(p, PROFILE_LIST_MAGIC, 8) != 0)
		return -EBADMSG;
	if (le32_get(p + 8) > PROFILE_LIST_VERSION)
		return -EPROTONOSUPPORT;
	l.count = le32_get(p + 12);
	if (le32_get(p + 8) != PROFILE_LIST_VERSION || l.count > PROFILE_LIST_MAX_OBJECTS || memcmp(p + 16, zeros, sizeof(zeros)) != 0)
		return -EBADMSG;
	if (PROFILE_LIST_HEADER_SIZE + (uint64_t)l.count * PROFILE_LIST_OBJECT_SIZE != size)
		return -EBADMSG;
	for (uint32_t i = 0; profile_list_get(&l, i, &o); i++)
		if (!object_is_good(&o))
			return -EBADMSG;
	*ret = l;
	return 0;
}

errint_t profile_list_make(const struct profile_list_object *objects, size_t count, void **ret, size_t *ret_size)
{
	size_t size = PROFILE_LIST_HEADER_SIZE + count * PROFILE_LIST_OBJECT_SIZE;
	uint8_t *data, *p;

	if (count > PROFILE_LIST_MAX_OBJECTS)
		return -EFBIG;
	data = p = calloc(1, size);
	if (!data)
		return -ENOMEM;
	memcpy(p, PROFILE_LIST_MAGIC, 8);
	le32_put(p + 8, PROFILE_LIST_VERSION);
	le32_put(p + 12, (uint32_t)count);
	p += PROFILE_LIST_HEADER_SIZE;
	for (size_t i = 0; i < count; i++, p += PROFILE_LIST_OBJECT_SIZE) {
		memcpy(p, objects[i].digest.bytes, DIGEST_SIZE);
		le32_put(p + 32, objects[i].stored_size);
		le32_put(p + 36, objects[i].size);
		le32_put(p + 40, objects[i].kind);
		le32_put(p + 44, objects[i].extent);
		le64_put(p + 48, objects[i].inode);
	}
	*ret = data;
	*ret_size = size;
	return 0;
}
