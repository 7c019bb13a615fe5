/* SPDX-License-Identifier: MIT */
/* Contents and texts in the cache, each a file that is written beside its name and renamed. See cache.h. */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define PIECE (32 * KIB)	/* on the stack */
#define TOUCH_SECONDS 60	/* access times need not be finer */

struct cache_pinned {
	struct cache_pinned *next;
	struct digest key;
	unsigned count;
};

bool cache_is_full(errint_t r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

int cache_open_file(struct cache *c, const char *name, int flags)
{
	int fd = openat(c->fd, name, flags | O_CLOEXEC | O_NOATIME, 0600);

	/* Only the owner may ask for that. */
	return fd < 0 && errno == EPERM ? openat(c->fd, name, flags | O_CLOEXEC, 0600) : fd;
}

void cache_touch(int fd, const struct stat *s)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

	if (time(NULL) - s->st_atime > TOUCH_SECONDS || s->st_atime > time(NULL))
		(void)futimens(fd, times);
}

errint_t cache_open_whole(struct cache *c, const char *name, uint64_t size, int *ret_fd)
{
	_cleanup_close_ int fd = cache_open_file(c, name, O_RDONLY);
	struct stat s;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &s) < 0)
		return -errno;
	if (!S_ISREG(s.st_mode) || (uint64_t)s.st_size != size) {
		(void)unlinkat(c->fd, name, 0);
		stats_add(c->stats, cache_bad, 1);
		return -ENOENT;
	}
	cache_touch(fd, &s);
	*ret_fd = steal_fd(&fd);
	return 0;
}

bool cache_range_is(int fd, uint64_t at, uint64_t size, const struct digest *d)
{
	uint8_t piece[PIECE];
	struct digest_state state;
	struct digest found;

	digest_begin(&state);
	while (size > 0) {
		size_t n = (size_t)MIN(size, (uint64_t)sizeof(piece));
		if (io_pread_full(fd, piece, n, at) != (ssize_t)n)
			return false;
		digest_add(&state, piece, n);
		at += n;
		size -= n;
	}
	digest_end(&state, &found);
	return digest_equal(&found, d);
}

/* A content from before the crash: verified, and then one like the others. */
static errint_t find_suspect(struct cache *c, const struct digest *key, uint64_t size, const char *name, int *ret_fd)
{
	char suspect[CACHE_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	errint_t r;

	cache_name(CACHE_SUSPECT, key, "", suspect);
	r = cache_open_whole(c, suspect, size, &fd);
	if (r < 0)
		return r;
	if (!cache_range_is(fd, 0, size, key)) {
		(void)unlinkat(c->fd, suspect, 0);
		stats_add(c->stats, cache_bad, 1);
		return -ENOENT;
	}
	/* It may have been moved by another thread meanwhile; the descriptor is good in any case. */
	(void)renameat(c->fd, suspect, c->fd, name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static errint_t find_lower(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	errint_t r = cache_lower_find(c, key, size, &fd);

	if (r < 0)
		return r;
	if (!cache_lower_is_verified(c, key) && !cache_range_is(fd, 0, size, key)) {
		cache_lower_bad(c, key);
		return -ENOENT;
	}
	cache_lower_verified(c, key);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static errint_t find_own(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd)
{
	char name[CACHE_NAME_SIZE];
	errint_t r;

	cache_name(CACHE_FILES, key, "", name);
	r = cache_open_whole(c, name, size, ret_fd);
	if (r == -ENOENT && c->has_suspects) {
		r = find_suspect(c, key, size, name, ret_fd);
		/* Moved between the two looks. */
		if (r == -ENOENT)
			r = cache_open_whole(c, name, size, ret_fd);
	}
	return r;
}

errint_t cache_find(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd)
{
	errint_t r = find_own(c, key, size, ret_fd);

	return r < 0 && find_lower(c, key, size, ret_fd) == 0 ? 0 : r;
}

bool cache_has(struct cache *c, const struct digest *key)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILES, key, "", name);
	return faccessat(c->fd, name, F_OK, 0) == 0 || cache_lower_has(c, key);
}

bool cache_may_have(struct cache *c, const struct digest *key)
{
	char name[CACHE_NAME_SIZE];

	if (cache_has(c, key))
		return true;
	cache_name(CACHE_SUSPECT, key, "", name);
	return c->has_suspects && faccessat(c->fd, name, F_OK, 0) == 0;
}

void cache_temporary(struct cache *c, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s.%08x-%u", name, (unsigned)c->session, atomic_fetch_add(&c->serial, 1));
}

/* ret_fd: may be NULL; else it is opened before it gets its name. */
static errint_t write_once(struct cache *c, const char *name, const void *data, size_t size, bool synced, int *ret_fd)
{
	char temporary[CACHE_NAME_SIZE + CACHE_TEXT_NAME_MAX];
	_cleanup_close_ int fd = -1, reader = -1;
	errint_t r;

	cache_temporary(c, name, temporary, sizeof(temporary));
	fd = openat(c->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = io_write_full(fd, data, size);
	if (r == 0 && synced && fsync(fd) < 0)
		r = -errno;
	if (close(steal_fd(&fd)) < 0 && r == 0)
		r = -errno;
	if (r == 0 && ret_fd) {
		reader = cache_open_file(c, temporary, O_RDONLY);
		r = reader < 0 ? -errno : 0;
	}
	if (r == 0 && renameat(c->fd, temporary, c->fd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(c->fd, temporary, 0);
		return r;
	}
	if (ret_fd)
		*ret_fd = steal_fd(&reader);
	return 0;
}

errint_t cache_replace(struct cache *c, const char *name, const void *data, size_t size, bool synced)
{
	return write_once(c, name, data, size, synced, NULL);
}

errint_t cache_write_file(struct cache *c, unsigned folder, const char *name, const void *data, size_t size, int *ret_fd)
{
	errint_t r = cache_reserve(c, folder, size);

	if (r == 0) {
		r = write_once(c, name, data, size, false, ret_fd);
		if (cache_is_full(r) && cache_make_room(c, size) == 0)
			r = write_once(c, name, data, size, false, ret_fd);
		cache_settle(c, folder, size, r == 0);
	}
	atomic_store_explicit(&c->refusing, r < 0, memory_order_relaxed);
	if (r < 0) {
		stats_add(c->stats, cache_full, 1);
		return r;
	}
	stats_add(c->stats, cache_writes, 1);
	stats_add(c->stats, cache_written_bytes, size);
	return 0;
}

bool cache_is_refusing(const struct cache *c)
{
	return atomic_load_explicit(&c->refusing, memory_order_relaxed);
}

errint_t cache_put(struct cache *c, const struct digest *key, const void *data, size_t size, int *ret_fd)
{
	errint_t r;
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILES, key, "", name);
	r = cache_write_file(c, cache_room_folder(CACHE_FILES, key), name, data, size, ret_fd);
	if (r == 0 && c->has_suspects) {
		cache_name(CACHE_SUSPECT, key, "", name);
		(void)unlinkat(c->fd, name, 0);
	}
	return r;
}

static unsigned pin_bucket(const struct digest *key)
{
	return le32_get(key->bytes) % CACHE_PIN_BUCKETS;
}

void cache_pin(struct cache *c, const struct digest *key)
{
	struct cache_pinned **bucket = &c->pins[pin_bucket(key)], *p;

	pthread_mutex_lock(&c->pin_lock);
	for (p = *bucket; p && !digest_equal(&p->key, key); p = p->next)
		;
	if (!p && (p = calloc(1, sizeof(*p)))) {
		p->key = *key;
		p->next = *bucket;
		*bucket = p;
	}
	/* Without memory it is not protected, which costs a download at worst. */
	if (p)
		p->count++;
	pthread_mutex_unlock(&c->pin_lock);
}

void cache_unpin(struct cache *c, const struct digest *key)
{
	struct cache_pinned **link = &c->pins[pin_bucket(key)], *p;

	pthread_mutex_lock(&c->pin_lock);
	while ((p = *link) && !digest_equal(&p->key, key))
		link = &p->next;
	if (p && --p->count == 0) {
		*link = p->next;
		free(p);
		atomic_store(&c->room.no_evict_before, 0);
	}
	pthread_mutex_unlock(&c->pin_lock);
}

bool cache_is_pinned(struct cache *c, const struct digest *key)
{
	struct cache_pinned *p;

	pthread_mutex_lock(&c->pin_lock);
	for (p = c->pins[pin_bucket(key)]; p && !digest_equal(&p->key, key); p = p->next)
		;
	pthread_mutex_unlock(&c->pin_lock);
	return p;
}

errint_t cache_read_text(struct cache *c, const char *repository, const char *name, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *path = io_format(CACHE_REPOSITORIES "/%s/%s", repository, name);

	errint_t r = path ? io_read_file_at(c->fd, path, max, ret, ret_size) : -ENOMEM;

	for (unsigned i = 0; i < c->lower_count && r == -ENOENT; i++)
		r = io_read_file_at(c->lower[i], path, max, ret, ret_size);
	return r;
}

errint_t cache_write_text(struct cache *c, const char *repository, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = io_format(CACHE_REPOSITORIES "/%s/%s", repository, name);
	_cleanup_free_ char *folder = io_format(CACHE_REPOSITORIES "/%s", repository);
	errint_t r;

	if (!path || !folder)
		return -ENOMEM;
	if (strlen(path) >= CACHE_TEXT_NAME_MAX)
		return -ENAMETOOLONG;
	if (mkdirat(c->fd, folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = cache_replace(c, path, data, size, true);
	if (cache_is_full(r) && cache_make_room(c, size) == 0)
		r = cache_replace(c, path, data, size, true);
	return r;
}
