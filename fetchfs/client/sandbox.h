/* SPDX-License-Identifier: MIT */
/*
 * Giving privileges away for good: another user, no capabilities, no new privileges, and a list of system calls beyond which nothing goes. For a process of one
 * thread. Knows the kernel; must not know what the process does, save which system calls that takes.
 */
#ifndef SPORE_FETCHFS_CLIENT_SANDBOX_H
#define SPORE_FETCHFS_CLIENT_SANDBOX_H

#include "common/base.h"

#include <sys/types.h>

/* uid and gid count for root only (0: stays root's, without a capability). -errno: the process must not go on. */
errint_t sandbox_enter(uid_t uid, gid_t gid);
/* What keeps this process in, in a word for people. */
const char *sandbox_name(void);

/* sandbox_filter.c: the list of system calls (seccomp). -errno. */
errint_t sandbox_filter(void);

#endif
