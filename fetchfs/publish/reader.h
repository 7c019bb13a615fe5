/* SPDX-License-Identifier: MIT */
/*
 * Reading a repository's files by name, wherever it is: a local directory, or a URL through the client's transport.
 * Knows places and sizes; must not know what the files mean.
 */
#ifndef SPORE_FETCHFS_PUBLISH_READER_H
#define SPORE_FETCHFS_PUBLISH_READER_H

#include "common/digest.h"
#include "fetchfs/publish/trouble.h"

struct reader;

/* where: a path, file:///PATH, or http(s)://... */
errint_t reader_open(const char *where, struct reader **ret, struct trouble *t);
void reader_close(struct reader *r);
void reader_close_ptr(struct reader **r);
const char *reader_where(const struct reader *r);
/* Descriptor of the directory where the repository is local; -1 otherwise. */
int reader_directory(const struct reader *r);

/* A whole file of at most max bytes, followed by a NUL (free). -ENOENT where there is none (no trouble is noted for that). */
errint_t reader_get(struct reader *r, const char *name, size_t max, char **ret_data, size_t *ret_size, struct trouble *t);

/* An object, verified. Damage and absence are noted as trouble with the object's name. */
errint_t reader_get_object(struct reader *r, const struct digest *d, uint64_t stored_size, uint64_t size, void **ret_data, struct trouble *t);

#endif
