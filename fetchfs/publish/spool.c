/* SPDX-License-Identifier: MIT */
/* Contents that wait for their place; see spool.h. */
#include "fetchfs/publish/spool.h"
#include "common/io.h"

#include <fcntl.h>

/* In the repository's own folder for temporary files, where there is room for contents; a dry run writes nothing there. */
static errint_t open_file(struct spool *s, struct repository *repository)
{
	_cleanup_fclose_ FILE *f = repository ? NULL : tmpfile();

	if (repository)
		s->fd = repository_open_temporary(repository);
	else
		s->fd = f ? fcntl(fileno(f), F_DUPFD_CLOEXEC, 0) : -errno;
	if (s->fd >= 0)
		return 0;
	errint_t r = repository ? s->fd : -errno;
	s->fd = -1;
	return r;
}

static errint_t make_room(struct spool *s)
{
	size_t room = s->room ? 2 * s->room : 256;
	void *larger;

	if (s->count < s->room)
		return 0;
	larger = s->count < UINT32_MAX ? realloc(s->items, room * sizeof(*s->items)) : NULL;
	if (!larger)
		return -ENOMEM;
	s->items = larger;
	s->room = room;
	return 0;
}

errint_t spool_add(struct spool *s, struct repository *repository, struct content *content, const struct profile_rank *rank, const void *data,
		   uint32_t *ret_number)
{
	errint_t r = make_room(s);

	if (r == 0 && s->fd < 0)
		r = open_file(s, repository);
	if (r == 0)
		r = io_pwrite_full(s->fd, data, content->length, s->size);
	if (r < 0)
		return r;
	*ret_number = (uint32_t)s->count;
	s->items[s->count] = (struct spooled){ .content = content, .rank = *rank, .serial = (uint32_t)s->count, .at = s->size };
	s->count++;
	s->size += content->length;
	return 0;
}

static int compare_ranks(const struct profile_rank *a, const struct profile_rank *b)
{
	if (a->profile != b->profile)
		return a->profile < b->profile ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

void spool_raise(struct spool *s, uint32_t number, const struct profile_rank *rank)
{
	if (compare_ranks(rank, &s->items[number].rank) < 0)
		s->items[number].rank = *rank;
}

static int compare_items(const void *a, const void *b)
{
	const struct spooled *x = a, *y = b;
	int order = compare_ranks(&x->rank, &y->rank);

	return order ? order : x->serial < y->serial ? -1 : 1;
}

void spool_sort(struct spool *s)
{
	if (s->count > 0)
		qsort(s->items, s->count, sizeof(*s->items), compare_items);
}

errint_t spool_read(const struct spool *s, const struct spooled *item, void **ret_data)
{
	_cleanup_free_ void *data = malloc(item->content->length ? item->content->length : 1);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = io_pread_full(s->fd, data, item->content->length, item->at);
	if (n != (ssize_t)item->content->length)
		return n < 0 ? (errint_t)n : -EIO;
	*ret_data = steal_ptr(data);
	return 0;
}

void spool_done(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->items);
	*s = (struct spool)SPOOL_INIT;
}
