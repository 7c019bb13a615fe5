/* SPDX-License-Identifier: MIT */
/*
 * Large files in the cache while they are being filled, extent by extent; see cache.h. What an earlier run has stored is only a claim: the
 * caller verifies each extent by its digest before it uses it.
 */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define OPEN_TRIES 16	/* others may remove what was just made */

static errint_t open_own(struct cache *c, const struct digest *key, uint64_t size, struct cache_part *p)
{
	errint_t r;
	char name[CACHE_NAME_SIZE];
	struct stat s;

	cache_name(CACHE_FILES, key, "", name);
	p->fd = cache_open_file(c, name, O_RDONLY);
	if (p->fd < 0)
		return -errno;
	r = fstat(p->fd, &s) < 0 ? -errno : 0;
	if (r == 0 && (uint64_t)s.st_size == size) {
		p->whole = true;
		cache_touch(p->fd, &s);
		return 0;
	}
	close(p->fd);
	p->fd = -1;
	(void)unlinkat(c->fd, name, 0);
	stats_add(c->stats, cache_bad, 1);
	return r < 0 ? r : -ENOENT;
}

static errint_t open_whole(struct cache *c, const struct digest *key, uint64_t size, struct cache_part *p)
{
	errint_t r = open_own(c, key, size, p);

	if (r == 0 || cache_lower_find(c, key, size, &p->fd) < 0)
		return r;
	p->whole = true;
	p->doubtful = !cache_lower_is_verified(c, key);
	return 0;
}

/*
 * What the crash left behind comes back as a part: a whole file claims all of its extents.
 */
static bool revive(struct cache *c, const struct digest *key, const char *part, const char *map)
{
	char from[CACHE_NAME_SIZE];

	if (!c->has_suspects)
		return false;
	cache_name(CACHE_SUSPECT, key, "", from);
	if (renameat(c->fd, from, c->fd, part) == 0) {
		(void)unlinkat(c->fd, map, 0);
		return true;
	}
	cache_name(CACHE_SUSPECT, key, CACHE_MAP, from);
	if (renameat(c->fd, from, c->fd, map) < 0)
		return false;
	cache_name(CACHE_SUSPECT, key, CACHE_PART, from);
	(void)renameat(c->fd, from, c->fd, part);
	return false;
}

static void read_claims(struct cache_part *p, uint32_t extents, bool all, uint8_t *ret_claimed)
{
	if (all)
		memset(ret_claimed, 1, extents);
	else if (p->map_fd >= 0)
		(void)io_pread_full(p->map_fd, ret_claimed, extents, 0);
}

/* Of another size: it lost its end, and is not worth mending. It is left to those who have it open: growing it again would show them zeros. */
static int open_of_size(struct cache *c, const char *name, uint64_t size)
{
	int fd = cache_open_file(c, name, O_RDWR), error;
	struct stat s;

	if (fd < 0)
		return -errno;
	error = fstat(fd, &s) < 0 ? errno : 0;
	if (error == 0 && S_ISREG(s.st_mode) && (uint64_t)s.st_size == size) {
		cache_touch(fd, &s);
		return fd;
	}
	close(fd);
	(void)unlinkat(c->fd, name, 0);
	stats_add(c->stats, cache_bad, 1);
	return -ENOENT;
}

/* Appears under its name with its full size, a hole, so that nobody ever finds it short. */
static errint_t make_part(struct cache *c, const char *name, uint64_t size)
{
	char temporary[CACHE_NAME_SIZE + 32];
	_cleanup_close_ int fd = -1;
	errint_t r = 0;

	cache_temporary(c, name, temporary, sizeof(temporary));
	fd = openat(c->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		r = -errno;
	else if (linkat(c->fd, temporary, c->fd, name, 0) < 0 && errno != EEXIST)
		/* A file system without hard links. */
		r = errno == EPERM || errno == EOPNOTSUPP ? (renameat(c->fd, temporary, c->fd, name) < 0 ? -errno : 0) : -errno;
	(void)unlinkat(c->fd, temporary, 0);
	return r;
}

static errint_t open_part(struct cache *c, const char *part, const char *map, uint64_t size, int *ret_fd, bool *ret_fresh)
{
	for (unsigned tries = 0; tries < OPEN_TRIES; tries++) {
		errint_t r;
		int fd = open_of_size(c, part, size);
		*ret_fd = fd;
		*ret_fresh = tries > 0;
		if (fd != -ENOENT)
			return MIN(fd, 0);
		(void)unlinkat(c->fd, map, 0);
		r = make_part(c, part, size);
		if (cache_is_full(r) && cache_make_room(c, 0) == 0)
			r = make_part(c, part, size);
		if (r < 0)
			return r;
	}
	return -EAGAIN;
}

errint_t cache_part_open(struct cache *c, const struct digest *key, uint64_t size, uint32_t extents, struct cache_part *ret,
			 uint8_t *ret_claimed)
{
	struct cache_part p = { .key = *key, .fd = -1, .map_fd = -1 };
	char part[CACHE_NAME_SIZE], map[CACHE_NAME_SIZE];
	bool all, fresh;
	errint_t r = open_whole(c, key, size, &p);

	memset(ret_claimed, 0, extents);
	if (r == 0) {
		*ret = p;
		return 0;
	}
	cache_name(CACHE_FILES, key, CACHE_PART, part);
	cache_name(CACHE_FILES, key, CACHE_MAP, map);
	all = revive(c, key, part, map);
	r = open_part(c, part, map, size, &p.fd, &fresh);
	if (r < 0)
		return r;
	p.map_fd = openat(c->fd, map, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	read_claims(&p, extents, all && !fresh, ret_claimed);
	*ret = p;
	return 0;
}

void cache_part_peek(struct cache *c, const struct digest *key, uint32_t extents, uint8_t *ret_claimed)
{
	char map[CACHE_NAME_SIZE];
	_cleanup_close_ int fd = -1;

	memset(ret_claimed, 0, extents);
	cache_name(CACHE_FILES, key, CACHE_MAP, map);
	fd = openat(c->fd, map, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)io_pread_full(fd, ret_claimed, extents, 0);
}

errint_t cache_part_write(struct cache *c, struct cache_part *p, uint32_t extent, const void *data, size_t size, uint64_t offset)
{
	static const uint8_t present = 1;
	unsigned folder = cache_room_folder(CACHE_FILES, &p->key);
	errint_t r = cache_reserve(c, folder, size);

	if (r == 0) {
		r = io_pwrite_full(p->fd, data, size, offset);
		if (cache_is_full(r) && cache_make_room(c, size) == 0)
			r = io_pwrite_full(p->fd, data, size, offset);
		cache_settle(c, folder, size, r == 0);
	}
	if (r < 0) {
		stats_add(c->stats, cache_full, 1);
		return r;
	}
	/* A map that could not be written costs a download in the next run. */
	if (p->map_fd >= 0)
		(void)io_pwrite_full(p->map_fd, &present, 1, extent);
	stats_add(c->stats, cache_written_bytes, size);
	return 0;
}

/* The name still is this file's. Another user of the cache may have finished it, and yet another begun a new one. */
static bool is_ours(struct cache *c, const struct cache_part *p, const char *name)
{
	struct stat a, b;

	return fstat(p->fd, &a) == 0 && fstatat(c->fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

errint_t cache_part_finish(struct cache *c, struct cache_part *p)
{
	errint_t r = -ENOENT;
	char part[CACHE_NAME_SIZE], map[CACHE_NAME_SIZE], name[CACHE_NAME_SIZE];

	if (p->doubtful) {
		cache_lower_verified(c, &p->key);
		return 0;
	}
	cache_name(CACHE_FILES, &p->key, CACHE_PART, part);
	cache_name(CACHE_FILES, &p->key, CACHE_MAP, map);
	cache_name(CACHE_FILES, &p->key, "", name);
	pthread_mutex_lock(&c->finish_lock);
	(void)flock(c->finish_fd, LOCK_EX);
	if (is_ours(c, p, part))
		r = renameat(c->fd, part, c->fd, name) < 0 ? -errno : 0;
	if (r == 0)
		(void)unlinkat(c->fd, map, 0);
	(void)flock(c->finish_fd, LOCK_UN);
	pthread_mutex_unlock(&c->finish_lock);
	if (r == 0)
		stats_add(c->stats, cache_writes, 1);
	return r;
}

/* Not where another file has the name by now. */
static bool unlink_ours(struct cache *c, const struct cache_part *p, const char *suffix)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILES, &p->key, suffix, name);
	return is_ours(c, p, name) && unlinkat(c->fd, name, 0) == 0;
}

void cache_part_drop(struct cache *c, const struct cache_part *p)
{
	bool is_gone;

	if (p->doubtful) {
		cache_lower_bad(c, &p->key);
		return;
	}
	pthread_mutex_lock(&c->finish_lock);
	(void)flock(c->finish_fd, LOCK_EX);
	is_gone = unlink_ours(c, p, CACHE_PART) || unlink_ours(c, p, "");
	(void)flock(c->finish_fd, LOCK_UN);
	pthread_mutex_unlock(&c->finish_lock);
	if (is_gone)
		stats_add(c->stats, cache_bad, 1);
}

void cache_part_close(struct cache_part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->map_fd >= 0)
		close(p->map_fd);
	p->fd = p->map_fd = -1;
}

void cache_list_record(const struct digest *digest, uint64_t length, uint8_t ret[CACHE_LIST_RECORD])
{
	memcpy(ret, digest->bytes, DIGEST_SIZE);
	le64_put(ret + DIGEST_SIZE, length);
}

/* Without it the scrub cannot look at the file, and nothing else is missed. */
void cache_put_list(struct cache *c, const struct digest *key, const void *list, size_t size)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILES, key, CACHE_LIST, name);
	if (faccessat(c->fd, name, F_OK, 0) < 0)
		(void)cache_replace(c, name, list, size, false);
}
