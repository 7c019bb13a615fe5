/* SPDX-License-Identifier: MIT */
/* Extended attributes of a file in a directory, of any type and whether it can be opened or not. For the sources. */
#ifndef SPORE_FETCHFS_PUBLISH_ATTRIBUTES_H
#define SPORE_FETCHFS_PUBLISH_ATTRIBUTES_H

#include "fetchfs/publish/tree.h"

/* Buffers that are used again from file to file; starts zeroed. */
struct attributes {
	char *names;
	size_t names_room;
	char *values;
	size_t values_room;
	struct tree_xattr *list;
	size_t list_room;
};

/* name NULL: the directory itself. *ret: the set's number in the tree. */
errint_t attributes_read(struct attributes *a, int dirfd, const char *name, struct tree *tree, uint32_t *ret);
/* Does the attribute describe the storage below the source rather than the file (overlayfs, fetchfs itself)? Such are left out. */
bool attributes_is_foreign(const char *name);
void attributes_done(struct attributes *a);

#endif
