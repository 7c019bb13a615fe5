/* SPDX-License-Identifier: MIT */
/*
 * Files over HTTP for the host's tools: one request after the other, with a few retries. (The mounted client's transport is another
 * affair: it never gives up; these tools do, and say why.) Knows URLs; must not know what the files mean.
 */
#ifndef SPORE_FETCHFS_PUBLISH_REMOTE_H
#define SPORE_FETCHFS_PUBLISH_REMOTE_H

#include "fetchfs/publish/trouble.h"

struct remote;

errint_t remote_open(const char *url, struct remote **ret, struct trouble *t);
void remote_close(struct remote *r);
/* A whole file of at most max bytes, followed by a NUL (free). 404 and 410: -ENOENT without a trouble. */
errint_t remote_get(struct remote *r, const char *name, size_t max, char **ret_data, size_t *ret_size, struct trouble *t);

#endif
