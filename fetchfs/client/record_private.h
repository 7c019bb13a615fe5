/* SPDX-License-Identifier: MIT */
/* What record.c (taking notes) and record_write.c (making a profile of them) share. */
#ifndef SPORE_FETCHFS_CLIENT_RECORD_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_RECORD_PRIVATE_H

#include "fetchfs/client/record.h"

/* The part of an event that is no multiple of CHUNK_SIZE's number. */
#define RECORD_WHOLE UINT32_MAX		/* a file, all of it */
#define RECORD_DIRECTORY (UINT32_MAX - 1)

/* What was read, once. */
struct record_event {
	uint64_t ino;
	uint32_t part;		/* bytes part * CHUNK_SIZE and on; or one of the above */
};

/* The text of a profile (free): names are looked up in the catalogs that are loaded; what has none any more is left out. -ENOMEM. */
errint_t record_format(struct snapshot *s, const struct record_event *events, size_t count, char **ret_text, size_t *ret_size);

#endif
