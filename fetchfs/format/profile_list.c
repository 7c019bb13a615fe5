/* SPDX-License-Identifier: MIT */
/* Lists of what to fetch; see profile_list.h. */
#include "fetchfs/format/profile_list.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/object.h"

static const uint8_t *object_at(const struct profile_list *l, uint32_t index)
{
	return l->data + PROFILE_LIST_HEADER_SIZE + (size_t)index * PROFILE_LIST_OBJECT_SIZE;
}

static void read_object(const uint8_t *p, struct profile_list_object *ret)
{
	memcpy(ret->digest.bytes, p, DIGEST_SIZE);
	ret->stored_size = le32_get(p + 32);
	ret->size = le32_get(p + 36);
	ret->kind = le32_get(p + 40);
	ret->wants = le32_get(p + 44);
}

static bool object_is_good(const struct profile_list_object *o)
{
	if (o->stored_size == 0 || o->stored_size > 2 * OBJECT_MAX_SIZE || o->size == 0 || o->size > OBJECT_MAX_SIZE)
		return false;
	switch (o->kind) {
	case CATALOG_OBJECT_PACK:
		return o->wants > 0;
	case CATALOG_OBJECT_CHUNK:
		return o->wants == 1;
	case PROFILE_LIST_CATALOG:
		return o->wants == 0;
	default:
		return false;
	}
}

static errint_t check_records(const struct profile_list *l)
{
	uint64_t wants = 0;

	for (uint32_t i = 0; i < l->objects; i++) {
		struct profile_list_object o;
		read_object(object_at(l, i), &o);
		if (!object_is_good(&o))
			return -EBADMSG;
		wants += o.wants;
	}
	return wants == l->wants ? 0 : -EBADMSG;
}

errint_t profile_list_open(const void *data, size_t size, struct profile_list *ret)
{
	static const uint8_t zeros[12];
	const uint8_t *p = data;
	struct profile_list l = { .data = data };

	if (size < PROFILE_LIST_HEADER_SIZE || memcmp(p, PROFILE_LIST_MAGIC, 8) != 0)
		return -EBADMSG;
	if (le32_get(p + 8) > PROFILE_LIST_VERSION)
		return -EPROTONOSUPPORT;
	l.objects = le32_get(p + 12);
	l.wants = le32_get(p + 16);
	if (le32_get(p + 8) != PROFILE_LIST_VERSION || l.objects > PROFILE_LIST_MAX_OBJECTS || l.wants > PROFILE_LIST_MAX_WANTS ||
	    memcmp(p + 20, zeros, sizeof(zeros)) != 0)
		return -EBADMSG;
	if (PROFILE_LIST_HEADER_SIZE + (uint64_t)l.objects * PROFILE_LIST_OBJECT_SIZE + (uint64_t)l.wants * PROFILE_LIST_WANT_SIZE != size)
		return -EBADMSG;
	*ret = l;
	return check_records(&l);
}

bool profile_list_next(const struct profile_list *l, uint32_t index, struct profile_list_object *o)
{
	uint32_t first = o->first + o->wants;

	if (index >= l->objects)
		return false;
	read_object(object_at(l, index), o);
	o->first = first;
	return true;
}

void profile_list_want(const struct profile_list *l, uint32_t index, struct profile_list_want *ret)
{
	const uint8_t *p = object_at(l, l->objects) + (size_t)index * PROFILE_LIST_WANT_SIZE;

	ret->inode = le64_get(p);
	ret->extent = le32_get(p + 8);
}

errint_t profile_list_make(const struct profile_list_object *objects, size_t object_count, const struct profile_list_want *wants, size_t want_count,
			   void **ret, size_t *ret_size)
{
	size_t size = PROFILE_LIST_HEADER_SIZE + object_count * PROFILE_LIST_OBJECT_SIZE + want_count * PROFILE_LIST_WANT_SIZE;
	uint8_t *data, *p;

	if (object_count > PROFILE_LIST_MAX_OBJECTS || want_count > PROFILE_LIST_MAX_WANTS)
		return -EFBIG;
	data = p = calloc(1, size);
	if (!data)
		return -ENOMEM;
	memcpy(p, PROFILE_LIST_MAGIC, 8);
	le32_put(p + 8, PROFILE_LIST_VERSION);
	le32_put(p + 12, (uint32_t)object_count);
	le32_put(p + 16, (uint32_t)want_count);
	p += PROFILE_LIST_HEADER_SIZE;
	for (size_t i = 0; i < object_count; i++, p += PROFILE_LIST_OBJECT_SIZE) {
		memcpy(p, objects[i].digest.bytes, DIGEST_SIZE);
		le32_put(p + 32, objects[i].stored_size);
		le32_put(p + 36, objects[i].size);
		le32_put(p + 40, objects[i].kind);
		le32_put(p + 44, objects[i].wants);
	}
	for (size_t i = 0; i < want_count; i++, p += PROFILE_LIST_WANT_SIZE) {
		le64_put(p, wants[i].inode);
		le32_put(p + 8, wants[i].extent);
	}
	*ret = data;
	*ret_size = size;
	return 0;
}
