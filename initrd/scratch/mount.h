/* SPDX-License-Identifier: MIT */
/*
 * Scratch as a mounted file system: checking, mounting, memory in its place, growing it while mounted. Knows ext4's and tmpfs's ways; must not know
 * how the place was chosen.
 */
#ifndef SPORE_INITRD_MOUNT_H
#define SPORE_INITRD_MOUNT_H

#include "initrd/scratch/make.h"

/* Checks (e2fsck -p, when it was not unmounted properly) and mounts the device path at dir. */
errint_t mount_scratch(const char *path, const char *dir, struct make_problem *problem);

/* A tmpfs at dir that may take MOUNT_RAM_PERCENT of memory. *ret_bytes: how much that is. */
#define MOUNT_RAM_PERCENT 60
errint_t mount_ram(const char *dir, uint64_t *ret_bytes, struct make_problem *problem);

/* How much of the file system at dir is free: what programs of root may still write. */
errint_t mount_free(const char *dir, uint64_t *ret_bytes);

/* Lets the ext4 mounted at dir take up all of its partition of that size. *ret_bytes: what it has now; *ret_grown: whether it grew. */
errint_t mount_grow(const char *dir, uint64_t partition_bytes, uint64_t *ret_bytes, bool *ret_grown, struct make_problem *problem);

#endif
