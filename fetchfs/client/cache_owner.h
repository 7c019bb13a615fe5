/* SPDX-License-Identifier: MIT */
/* A cache directory for another user. Knows names and owners; must not know what is in the files. */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_OWNER_H
#define SPORE_FETCHFS_CLIENT_CACHE_OWNER_H

#include "common/base.h"

#include <sys/types.h>

/*
 * Gives the directory and what is below it to that user, where it is not his already. Only what had the same owner as the directory changes hands, no symbolic link is
 * followed, no other file system entered: whoever could put something into the directory gains nothing by it. Begun and interrupted, it is done again. -errno.
 */
errint_t cache_give(int directory, uid_t uid, gid_t gid);

#endif
