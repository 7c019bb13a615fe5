/* SPDX-License-Identifier: MIT */
/* The fetchfs mounts of this machine, as /proc/self/mountinfo and their roots' extended attributes tell. Knows no protocol. */
#ifndef SPORE_FETCHFS_CLIENT_MOUNTS_H
#define SPORE_FETCHFS_CLIENT_MOUNTS_H

#include "common/base.h"

struct mounts {
	char **paths;
	size_t count;
};

/* All that this process can see, in the order of mounting. */
errint_t mounts_list(struct mounts *ret);
void mounts_done(struct mounts *m);

/*
 * The root of the fetchfs mount that holds path: the mount that path is in or, where that is an overlay, the first of its layers that is one
 * (free). -ENODATA: there is none; errors of looking at path.
 */
errint_t mounts_find(const char *path, char **ret);
/* An extended attribute user.fetchfs.NAME of a mount's root (free). -ENODATA. */
errint_t mounts_attribute(const char *mountpoint, const char *name, char **ret);

/* One line of mountinfo, taken apart in place: mount point and options are unescaped. -EINVAL. For tests and fuzzing too. */
struct mounts_line {
	char *path, *type, *options;	/* of the superblock */
};
errint_t mounts_parse(char *line, struct mounts_line *ret);

#endif
