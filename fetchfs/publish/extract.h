/* SPDX-License-Identifier: MIT */
/*
 * Published files as real ones, below a directory: with everything that they have where the user may set it, and an account of what was not set.
 * Relative to descriptors throughout; follows no symbolic link. Must not know where the tree comes from.
 */
#ifndef SPORE_FETCHFS_PUBLISH_EXTRACT_H
#define SPORE_FETCHFS_PUBLISH_EXTRACT_H

#include "fetchfs/publish/walk.h"

/* What could not be made for want of privilege. */
struct extract_missed {
	uint64_t owners, devices, xattrs, modes;
};

/* directory: an empty directory. */
errint_t extract_tree(struct view *v, const struct view_place *start, int directory, struct extract_missed *ret_missed, struct trouble *t);

#endif
