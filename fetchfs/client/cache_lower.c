/* SPDX-License-Identifier: MIT */
/*
 * Lower caches: directories of the same layout that are only read, beneath the cache that is written: preloaded on an image, or of another machine on NFS or
 * virtiofs. Nobody can tell who else writes there, so that each content is verified before its first use here; what was verified is remembered.
 */
#include "fetchfs/client/cache_private.h"
#include "fetchfs/client/broker.h"

#include <fcntl.h>

/* Four places for each content. */
static atomic_ullong *bucket_of(atomic_ullong *table, const struct digest *key)
{
	return table + (le32_get(key->bytes) % CACHE_LOWER_KNOWN & ~3u);
}

/* The rest of the digest: never 0 for all that anybody will see. */
static uint64_t mark_of(const struct digest *key)
{
	return le64_get(key->bytes + 4);
}

static bool is_known(atomic_ullong *table, const struct digest *key)
{
	atomic_ullong *bucket = bucket_of(table, key);

	for (unsigned i = 0; i < 4; i++)
		if (atomic_load(&bucket[i]) == mark_of(key))
			return true;
	return false;
}

/* What is forgotten for it is looked at once more. */
static void note(atomic_ullong *table, const struct digest *key)
{
	atomic_ullong *bucket = bucket_of(table, key);

	if (is_known(table, key))
		return;
	for (unsigned i = 3; i > 0; i--)
		atomic_store(&bucket[i], atomic_load(&bucket[i - 1]));
	atomic_store(&bucket[0], mark_of(key));
}

bool cache_lower_is_verified(struct cache *c, const struct digest *key)
{
	return is_known(c->lower_verified, key);
}

void cache_lower_verified(struct cache *c, const struct digest *key)
{
	note(c->lower_verified, key);
}

void cache_lower_bad(struct cache *c, const struct digest *key)
{
	note(c->lower_bad, key);
	stats_add(c->stats, cache_bad, 1);
}

errint_t cache_lower_open(struct cache *c, const char *paths)
{
	_cleanup_free_ char *copy = strdup(paths);
	char *next = copy, *path;

	if (!copy)
		return -ENOMEM;
	while ((path = strsep(&next, ":"))) {
		_cleanup_close_ int fd = -1;
		struct stat s;
		if (!*path)
			continue;
		if (c->lower_count == CACHE_MAX_LOWER)
			return -E2BIG;
		fd = broker_open(path);
		if (fd < 0)
			return fd;
		if (fstat(fd, &s) < 0 || !S_ISDIR(s.st_mode))
			return -ENOTDIR;
		/* It was opened by who may more. */
		if (faccessat(fd, ".", X_OK, 0) < 0 || (faccessat(fd, CACHE_FILES, X_OK, 0) < 0 && errno != ENOENT))
			return -errno;
		c->lower[c->lower_count++] = steal_fd(&fd);
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

	if (c->lower_count == 0 || is_known(c->lower_bad, key))
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

bool cache_lower_has(struct cache *c, const struct digest *key)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILES, key, "", name);
	for (unsigned i = 0; i < c->lower_count; i++)
		if (faccessat(c->lower[i], name, F_OK, 0) == 0)
			return !is_known(c->lower_bad, key);
	return false;
}

errint_t cache_lower_find_name(struct cache *c, const char *name, uint64_t size, int *ret_fd)
{
	int fd = open_in_any(c, name, size);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
