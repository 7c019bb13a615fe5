/* SPDX-License-Identifier: MIT */
/* Published files as a tar (pax), with everything that they have. Must not know where the tree comes from. */
#ifndef SPORE_FETCHFS_PUBLISH_TOTAR_H
#define SPORE_FETCHFS_PUBLISH_TOTAR_H

#include "fetchfs/publish/walk.h"

/* path "-": standard output. Compressed where the name ends in .gz, .xz or .zst. *ret_sockets: how many were left out, since tar has none. */
errint_t totar_write(struct view *v, const struct view_place *start, const char *path, uint64_t *ret_sockets, struct trouble *t);

#endif
