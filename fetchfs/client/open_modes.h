/* SPDX-License-Identifier: MIT */
/*
 * Which inodes the kernel has open, and how: it demands that all opens of an inode that overlap are of one mode, with one backing file where they are passed through,
 * whichever worker answered them. In a memfd, therefore. Only where there is passthrough at all. Knows numbers; must not know files.
 */
#ifndef SPORE_FETCHFS_CLIENT_OPEN_MODES_H
#define SPORE_FETCHFS_CLIENT_OPEN_MODES_H

#include "common/base.h"

struct open_modes;

errint_t open_modes_make(int *ret_fd);
errint_t open_modes_map(int fd, struct open_modes **ret);
void open_modes_unmap(struct open_modes *m);

/*
 * Another open. choose is asked for the mode where the inode is not open: a backing file's number, or 0 for cached. *ret: the mode that all opens have.
 * -ENFILE: too many inodes are open. Killed in the middle, a worker leaves an inode counted as open once too often, which holds its mode, never the reverse.
 */
errint_t open_modes_open(struct open_modes *m, uint64_t ino, uint32_t (*choose)(void *context), void *context, uint32_t *ret);
/* The kernel has let go of one. The number of a backing file that nobody needs any more, or 0. */
uint32_t open_modes_close(struct open_modes *m, uint64_t ino);

#endif
