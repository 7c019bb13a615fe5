/* SPDX-License-Identifier: MIT */
/*
 * Profiles: lists of the files that machines read when they boot, one absolute path a line, '#' for comments. Their contents share packs, so that a
 * machine does not fetch what only lies beside them. Knows paths; must not know packs.
 */
#ifndef SPORE_FETCHFS_PUBLISH_PROFILE_H
#define SPORE_FETCHFS_PUBLISH_PROFILE_H

#include "fetchfs/publish/tree.h"
#include "fetchfs/publish/trouble.h"

struct profile;

/* A file without a path in it is no profile. Paths that the tree does not have do no harm. */
errint_t profile_read(const char *file, struct profile **ret, struct trouble *t);
void profile_free(struct profile *p);

/* p may be NULL: nothing is in it. */
bool profile_has(const struct profile *p, const struct tree_node *node);

#endif
