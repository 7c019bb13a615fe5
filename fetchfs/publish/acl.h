/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs between an archive's entries and the system.posix_acl_* attributes as Linux stores them (include/uapi/linux/posix_acl_xattr.h: u32 version 2, then
 * for each entry u16 tag, u16 permissions, u32 id, little-endian, sorted by tag and id).
 */
#ifndef SPORE_FETCHFS_PUBLISH_ACL_H
#define SPORE_FETCHFS_PUBLISH_ACL_H

#include "common/base.h"

#include <archive_entry.h>

#define ACL_ACCESS_NAME "system.posix_acl_access"
#define ACL_DEFAULT_NAME "system.posix_acl_default"

/*
 * type: ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT. -ENODATA where the entry has none beyond its mode; -ENOENT: a user or group is given by a name
 * that this system does not know. *ret_mask: the permissions that stand in the mode's group bits.
 */
errint_t acl_from_entry(struct archive_entry *e, int type, void **ret_data, uint32_t *ret_size, unsigned *ret_mask);
/* -EBADMSG where the attribute is no ACL. */
errint_t acl_to_entry(struct archive_entry *e, int type, const void *data, uint32_t size);

#endif
