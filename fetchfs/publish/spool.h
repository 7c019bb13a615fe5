/* SPDX-License-Identifier: MIT */
/*
 * Contents that wait for their place: they come in the order of the source and leave in the order of the profiles. Kept in a temporary file, so that memory does
 * not grow with them. Knows bytes and ranks; must not know packs.
 */
#ifndef SPORE_FETCHFS_PUBLISH_SPOOL_H
#define SPORE_FETCHFS_PUBLISH_SPOOL_H

#include "fetchfs/publish/profile.h"
#include "fetchfs/publish/repository.h"

struct spooled {
	struct content *content;
	struct profile_rank rank;
	uint32_t serial;	/* order of arrival */
	uint64_t at;		/* in the file */
};

struct spool {
	int fd;			/* -1: nothing has come yet */
	struct spooled *items;
	size_t count, room;
	uint64_t size;
};

#define SPOOL_INIT { .fd = -1 }

/* repository NULL: the file is kept elsewhere. The item's number, for spool_raise. */
errint_t spool_add(struct spool *s, struct repository *repository, struct content *content, const struct profile_rank *rank, const void *data,
		   uint32_t *ret_number);
/* The content has been met again: it goes where it is wanted first. Before spool_sort. */
void spool_raise(struct spool *s, uint32_t number, const struct profile_rank *rank);
void spool_sort(struct spool *s);
/* The bytes of a content (free). */
errint_t spool_read(const struct spool *s, const struct spooled *item, void **ret_data);
void spool_done(struct spool *s);

#endif
