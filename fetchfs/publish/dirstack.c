/* SPDX-License-Identifier: MIT */
/* The directories from a root to where a walk is; see dirstack.h. */
#include "fetchfs/publish/dirstack.h"

#include <fcntl.h>
#include <sys/stat.h>

#define OPEN_LEVELS 32

errint_t dirstack_push(struct dirstack *s, int fd)
{
	struct stat st;

	if (s->depth == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct dirstack_level *larger = realloc(s->levels, room * sizeof(*larger));
		if (!larger) {
			close(fd);
			return -ENOMEM;
		}
		s->levels = larger;
		s->room = room;
	}
	if (fstat(fd, &st) < 0) {
		errint_t r = -errno;
		close(fd);
		return r;
	}
	s->levels[s->depth++] = (struct dirstack_level){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
	if (s->depth > OPEN_LEVELS) {
		struct dirstack_level *outer = &s->levels[s->depth - 1 - OPEN_LEVELS];
		if (outer->fd >= 0)
			close(steal_fd(&outer->fd));
	}
	return 0;
}

int dirstack_fd(const struct dirstack *s)
{
	return s->levels[s->depth - 1].fd;
}

static errint_t reopen(struct dirstack_level *l, int below)
{
	struct stat st;

	l->fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->fd < 0)
		return -errno;
	if (fstat(l->fd, &st) < 0)
		return -errno;
	return st.st_dev == l->dev && st.st_ino == l->ino ? 0 : -ESTALE;
}

errint_t dirstack_pop(struct dirstack *s)
{
	struct dirstack_level *l = &s->levels[s->depth - 1];
	errint_t r = 0;

	if (s->depth > 1 && l[-1].fd < 0)
		r = reopen(l - 1, l->fd);
	close(l->fd);
	s->depth--;
	return r;
}

void dirstack_done(struct dirstack *s)
{
	while (s->depth > 0)
		if (s->levels[--s->depth].fd >= 0)
			close(s->levels[s->depth].fd);
	free(s->levels);
	*s = (struct dirstack){ .levels = NULL };
}
