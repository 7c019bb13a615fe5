/* SPDX-License-Identifier: MIT */
/*
 * Lower caches: directories of the same layout that are only read, beneath the cache that is written: preloaded on an image, or of another machine on NFS or
 * virtiofs. Nobody can tell who else writes there, so that each content is verified before its first use here; what was verified is remembered.
 */
#include "fetchfs/client/cache_private.h"

#include <fcntl.h>

static unsigned slot_of(const struct digest *key)
{
	return le32_get(key->bytes) % CACHE_LOWER_KNOWN;
}

/* The rest of the digest: never 0 for all that anybody will see. */
static uint64_t mark_of(const struct digest *key)
{
	return le64_get(key->bytes + 4);
}

bool cache_lower_is_verified(struct cache *c, const struct digest *key)
{
	return atomic_load(&c->lower_verified[slot_of(key)]) == mark_of(key);
}

void cache_lower_verified(struct cache *c, const struct digest *key)
{
	atomic_store(&c->lower_verified[slot_of(key)], mark_of(key));
}

/* What was damaged is not looked at again; what shares the slot takes its turn. */
static bool is_bad(struct cache *c, const struct digest *key)
{
	return atomic_load(&c->lower_bad[slot_of(key)]) == mark_of(key);
}

void cache_lower_bad(struct cache *c, const struct digest *key)
{
	atomic_store(&c->lower_bad[slot_of(key)], mark_of(key));
	stats_add(c->stats, cache_bad, 1);
}

errint_t cache_lower_open(struct cache *c, const char *paths)
{
	_cleanup_free_ char *copy = strdup(paths);
	char *next = copy, *path;

	if (!copy)
		return -ENOMEM;
	while ((path = strsep(&next, ":"))) {
		int fd;
		if (!*path)
			continue;
		if (c->lower_count == CACHE_MAX_LOWER)
			return -E2BIG;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		c->lower[c->lower_count++] = fd;
	}
	return 0;
}

void cache_lower_close(struct cache *c)
{
	while (c->lower_count > 0)
		close(c->lower[--c->lower_count]);
}

static int open_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(dir, name, O_RDONLY | O_CLOEXEC) : fd;
}

static int open_in_any(struct cache *c, const char *name, uint64_t size)
{
	for (unsigned i = 0; i < c->lower_count; i++) {
		_cleanup_close_ int fd = open_file(c->lower[i], name);
		struct stat s;
		if (fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && (uint64_t)s.st_size == size)
			return steal_fd(&fd);
	}
	return -ENOENT;
}

errint_t cache_lower_find(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd)
{
	char name[CACHE_NAME_SIZE];
	int fd;

	if (c->lower_count == 0 || is_bad(c, key))
		return -ENOENT;
	cache_name(CACHE_FILES, key, "", name);
	fd = open_in_any(c, name, size);
	if (fd < 0) {
		/* It ended uncleanly, or is in use. */
		cache_name(CACHE_SUSPECT, key, "", name);
		fd = open_in_any(c, name, size);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

errint_t cache_lower_find_name(struct cache *c, const char *name, uint64_t size, int *ret_fd)
{
	int fd = open_in_any(c, name, size);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
