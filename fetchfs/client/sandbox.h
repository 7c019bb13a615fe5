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
/*
 * Before it, for one who stays root: from now on there are no files, save what is open and the copies of /etc/resolv.conf and /etc/hosts. -errno: all is as before (Linux
 * before 5.8, or a container that forbids it).
 */
errint_t sandbox_hide_files(void);
bool sandbox_hides_files(void);
/*
 * The same directory as a mount of its own that is mounted nowhere: above it there is nothing, so that who has it open and no other files cannot leave it by "..". What is
 * renamed or linked must be reached through one and the same. Needs CAP_SYS_ADMIN and Linux 5.2. -errno.
 */
errint_t sandbox_detach(int directory, int *ret_fd);
/* Whether ".." of a directory leads nowhere. */
bool sandbox_is_detached(int directory);
/* "123/status" of /proc, or its own "self/...", also when files are hidden. A descriptor, or -1. */
int sandbox_open_proc(const char *path);
/* What keeps this process in, in a word for people. */
const char *sandbox_name(void);

/* sandbox_filter.c: the list of system calls (seccomp). -errno. */
errint_t sandbox_filter(void);

#endif
