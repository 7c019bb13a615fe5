/* SPDX-License-Identifier: MIT */
/*
 * Catalogs: files of the cache like others, but what is used of them is a copy, verified in memory and read-only from then on. So a file that is cut short,
 * altered or removed, or a disk that fails, costs a download at the next mount and nothing now; a mapping of the file would show the one and end the
 * program for the other (SIGBUS). Beyond the budget the copy is in a file too, but in one that has no name: only a disk that fails can do harm then.
 */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/mman.h>

#define CATALOGS_SHARE 4	/* of the quota */

static void catalog_name(const struct digest *d, char ret[CACHE_NAME_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(d, text);
	snprintf(ret, CACHE_NAME_SIZE, CACHE_CATALOGS "/%s", text);
}

void cache_free_catalog(struct cache_catalog *catalog)
{
	if (!catalog->data)
		return;
	munmap((void *)(uintptr_t)catalog->data, catalog->size);
	memory_give(catalog->charged, MEMORY_CATALOGS, catalog->size);
	catalog->data = NULL;
}

static void *allocate(size_t size)
{
	void *data = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	return data == MAP_FAILED ? NULL : data;
}

/* A mapped copy in a file without a name, whose pages the kernel may take back. */
static errint_t put_aside(struct cache *c, const void *data, size_t size, void **ret)
{
	char name[CACHE_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	errint_t r;

	cache_temporary(c, CACHE_CATALOGS "/aside", name, sizeof(name));
	fd = openat(c->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(c->fd, name, 0);
	r = io_write_full(fd, data, size);
	if (r < 0)
		return r;
	*ret = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	return *ret == MAP_FAILED ? -errno : 0;
}

/* data: of allocate and verified; taken over. */
static void finish(struct cache *c, void *data, size_t size, struct cache_catalog *ret)
{
	void *aside = NULL;

	*ret = (struct cache_catalog){ .data = data, .size = size, .charged = c->memory };
	if (!memory_take(c->memory, MEMORY_CATALOGS, size, 100)) {
		if (c->on_disk && put_aside(c, data, size, &aside) == 0) {
			munmap(data, size);
			ret->data = aside;
			ret->charged = NULL;
			return;
		}
		memory_add(c->memory, MEMORY_CATALOGS, size);
	}
	(void)mprotect(data, size, PROT_READ);
}

/* -EBADMSG: it is another content, or cannot be read. */
static errint_t read_verified(struct cache *c, int fd, const struct digest *d, size_t size, struct cache_catalog *ret)
{
	void *data = allocate(size);
	struct digest found;

	if (!data)
		return -ENOMEM;
	if (io_pread_full(fd, data, size, 0) == (ssize_t)size) {
		digest_of(data, size, &found);
		if (digest_equal(&found, d)) {
			finish(c, data, size, ret);
			return 0;
		}
	}
	munmap(data, size);
	return -EBADMSG;
}

static errint_t get_lower(struct cache *c, const char *name, const struct digest *d, size_t size, struct cache_catalog *ret)
{
	_cleanup_close_ int fd = -1;
	errint_t r = cache_lower_find_name(c, name, size, &fd);

	if (r == 0)
		r = read_verified(c, fd, d, size, ret);
	if (r == -EBADMSG)
		stats_add(c->stats, cache_bad, 1);
	if (r == 0)
		(void)cache_put_catalog(c, d, ret->data, size, NULL);
	return r == -ENOMEM ? r : r < 0 ? -ENOENT : 0;
}

errint_t cache_get_catalog(struct cache *c, const struct digest *d, size_t size, struct cache_catalog *ret)
{
	char name[CACHE_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	errint_t r;

	catalog_name(d, name);
	r = cache_open_whole(c, name, size, &fd);
	if (r == 0)
		r = read_verified(c, fd, d, size, ret);
	if (r == -EBADMSG) {
		(void)unlinkat(c->fd, name, 0);
		stats_add(c->stats, cache_bad, 1);
		r = -ENOENT;
	}
	return r < 0 && r != -ENOMEM && get_lower(c, name, d, size, ret) == 0 ? 0 : r;
}

/* Revision after revision brings catalogs: they may take a part of the cache, and those that are not mounted go. */
static void limit_catalogs(struct cache *c, size_t size)
{
	uint64_t limit = c->room.quota / CATALOGS_SHARE, taken = (uint64_t)MAX(atomic_load(&c->room.folders[CACHE_ROOM_CATALOGS]), 0);

	if (taken + size <= limit)
		return;
	pthread_mutex_lock(&c->evict_lock);
	cache_evict_catalogs(c, limit / 2 > size ? limit / 2 - size : 0);
	pthread_mutex_unlock(&c->evict_lock);
}

errint_t cache_put_catalog(struct cache *c, const struct digest *d, const void *data, size_t size, struct cache_catalog *ret)
{
	char name[CACHE_NAME_SIZE];
	void *copy;

	catalog_name(d, name);
	limit_catalogs(c, size);
	(void)cache_write_file(c, CACHE_ROOM_CATALOGS, name, data, size, NULL);
	if (!ret)
		return 0;
	copy = allocate(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	finish(c, copy, size, ret);
	return 0;
}

bool cache_has_catalog(struct cache *c, const struct digest *d)
{
	char name[CACHE_NAME_SIZE];

	catalog_name(d, name);
	return faccessat(c->fd, name, F_OK, 0) == 0;
}
