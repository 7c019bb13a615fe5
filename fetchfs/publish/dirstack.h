/* SPDX-License-Identifier: MIT */
/*
 * The directories from a root to where a walk is, as descriptors, of which only the innermost stay open: so depth and path length have no limit.
 * One that was closed is opened again through "..", and must be the same directory still. Knows nothing of what the walk is for.
 */
#ifndef SPORE_FETCHFS_PUBLISH_DIRSTACK_H
#define SPORE_FETCHFS_PUBLISH_DIRSTACK_H

#include "common/base.h"

#include <sys/types.h>

struct dirstack {
	struct dirstack_level {
		int fd;		/* -1: closed for now */
		dev_t dev;
		ino_t ino;
	} *levels;
	size_t depth, room;
};

/* Takes the descriptor, also on failure. */
errint_t dirstack_push(struct dirstack *s, int fd);
/* The innermost directory. */
int dirstack_fd(const struct dirstack *s);
/* Leaves it. -ESTALE where the directory above is not the one that it was. */
errint_t dirstack_pop(struct dirstack *s);
void dirstack_done(struct dirstack *s);

#endif
