/* SPDX-License-Identifier: MIT */
/* POSIX ACLs between archives and attributes; see acl.h. */
#include "fetchfs/publish/acl.h"

#include <archive.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>

#define ACL_VERSION 2
#define ACL_HEADER 4
#define ACL_ENTRY 8
#define ACL_NO_ID UINT32_MAX

static const struct {
	int archive;
	uint16_t linux_tag;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01 }, { ARCHIVE_ENTRY_ACL_USER, 0x02 }, { ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04 },
	{ ARCHIVE_ENTRY_ACL_GROUP, 0x08 }, { ARCHIVE_ENTRY_ACL_MASK, 0x10 }, { ARCHIVE_ENTRY_ACL_OTHER, 0x20 },
};

static bool is_named(int tag)
{
	return tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
}

/* Archives give a number, a name, or both. */
static errint_t id_of(int tag, int number, const char *name, uint32_t *ret)
{
	const struct passwd *user;
	const struct group *group;

	*ret = ACL_NO_ID;
	if (!is_named(tag))
		return 0;
	if (number >= 0 || !name || !*name) {
		*ret = (uint32_t)number;
		return number >= 0 ? 0 : -ENOENT;
	}
	if (tag == ARCHIVE_ENTRY_ACL_USER && (user = getpwnam(name)))
		*ret = user->pw_uid;
	if (tag == ARCHIVE_ENTRY_ACL_GROUP && (group = getgrnam(name)))
		*ret = group->gr_gid;
	return *ret == ACL_NO_ID ? -ENOENT : 0;
}

static int compare_entries(const void *a, const void *b)
{
	uint16_t x = le16_get(a), y = le16_get(b);
	uint32_t i = le32_get((const uint8_t *)a + 4), j = le32_get((const uint8_t *)b + 4);

	if (x != y)
		return x < y ? -1 : 1;
	return i < j ? -1 : i > j;
}

static errint_t put_entry(uint8_t *p, int permissions, int tag, int number, const char *name)
{
	uint32_t id;
	errint_t r = id_of(tag, number, name, &id);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (tags[i].archive == tag)
			le16_put(p, tags[i].linux_tag);
	le16_put(p + 2, (uint16_t)(permissions & 7));
	le32_put(p + 4, id);
	return 0;
}

errint_t acl_from_entry(struct archive_entry *e, int type, void **ret_data, uint32_t *ret_size, unsigned *ret_mask)
{
	_cleanup_free_ uint8_t *data = NULL;
	int count = archive_entry_acl_reset(e, type), got_type, permissions, tag, number;
	const char *name;
	size_t used = 0;

	if (count <= 0)
		return -ENODATA;
	data = calloc(1, ACL_HEADER + (size_t)count * ACL_ENTRY);
	if (!data)
		return -ENOMEM;
	le32_put(data, ACL_VERSION);
	*ret_mask = UINT_MAX;
	while (used < (size_t)count && archive_entry_acl_next(e, type, &got_type, &permissions, &tag, &number, &name) == ARCHIVE_OK) {
		errint_t r = put_entry(data + ACL_HEADER + used * ACL_ENTRY, permissions, tag, number, name);
		if (r < 0)
			return r;
		if (tag == ARCHIVE_ENTRY_ACL_MASK)
			*ret_mask = (unsigned)permissions & 7;
		used++;
	}
	qsort(data + ACL_HEADER, used, ACL_ENTRY, compare_entries);
	*ret_size = (uint32_t)(ACL_HEADER + used * ACL_ENTRY);
	*ret_data = steal_ptr(data);
	return 0;
}

static int archive_tag(uint16_t linux_tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (tags[i].linux_tag == linux_tag)
			return tags[i].archive;
	return 0;
}

errint_t acl_to_entry(struct archive_entry *e, int type, const void *data, uint32_t size)
{
	const uint8_t *p = data;

	if (size < ACL_HEADER || (size - ACL_HEADER) % ACL_ENTRY != 0 || le32_get(p) != ACL_VERSION)
		return -EBADMSG;
	for (uint32_t at = ACL_HEADER; at < size; at += ACL_ENTRY) {
		int tag = archive_tag(le16_get(p + at));
		uint32_t id = le32_get(p + at + 4);
		/* The archive library keeps numbers as int. */
		if (!tag || (is_named(tag) && id > INT32_MAX))
			return -EBADMSG;
		if (archive_entry_acl_add_entry(e, type, le16_get(p + at + 2) & 7, tag, is_named(tag) ? (int)id : -1, "") != ARCHIVE_OK)
			return -EBADMSG;
	}
	return 0;
}
