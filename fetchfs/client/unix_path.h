/* SPDX-License-Identifier: MIT */
/* Unix sockets under paths of any length: one that is too long for an address is reached through its directory in /proc/self/fd. */
#ifndef SPORE_FETCHFS_CLIENT_UNIX_PATH_H
#define SPORE_FETCHFS_CLIENT_UNIX_PATH_H

#include "common/base.h"

/* A socket (type: SOCK_STREAM or SOCK_SEQPACKET) that does not block. Errors of socket(2), connect(2) and bind(2); -ENAMETOOLONG where even the last component is too long. */
errint_t unix_path_connect(const char *path, int type, int *ret);
errint_t unix_path_bind(const char *path, int type, int *ret);

#endif
