/* SPDX-License-Identifier: MIT */
/* What a mount's two processes say, and do, where the cache cannot be used as the settings want it. Knows words; must not know the cache. */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_TROUBLE_H
#define SPORE_FETCHFS_CLIENT_CACHE_TROUBLE_H

#include "common/base.h"

/* Whether memory can take the place of the directory after this error. Then people have been told. */
bool cache_can_be_memory(const char *path, errint_t r);
/* The exit code, after a message. path: NULL: in memory. lower: as in the settings, or NULL. */
int cache_refuse(const char *path, const char *lower, errint_t r);

#endif
