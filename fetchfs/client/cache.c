/* SPDX-License-Identifier: MIT */
/*
 * The cache's directory: making it, sharing it, and finding out whether its files can be relied on. Whoever writes first takes away the mark that it is clean; the
 * last user syncs and marks it again. Where the mark is missing the program was killed or the machine went down, and files may lack content although they have
 * their names: then files/ becomes suspect/, and each is verified before its first use.
 */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define SESSION_FILE "session"
#define SESSION_CLEAN "clean"
#define SESSION_IN_USE "in use"
#define SESSION_SIZE 64

void cache_name(const char *folder, const struct digest *key, const char *suffix, char ret[CACHE_NAME_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(key, text);
	snprintf(ret, CACHE_NAME_SIZE, "%.8s/%.2s/%.67s%.8s", folder, text + strlen(DIGEST_ALGORITHM) + 1, text, suffix);
}

static errint_t make_directory(struct cache *c, const char *name)
{
	return mkdirat(c->fd, name, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* files/00 to files/ff. */
static errint_t make_folders(struct cache *c, const char *folder)
{
	char name[32];
	errint_t r = make_directory(c, folder);

	snprintf(name, sizeof(name), "%s/ff", folder);
	if (r < 0 || faccessat(c->fd, name, F_OK, 0) == 0)
		return r;
	for (unsigned i = 0; i < 256 && r == 0; i++) {
		snprintf(name, sizeof(name), "%s/%02x", folder, i);
		r = make_directory(c, name);
	}
	return r;
}

/* Whether the last user ended in order, with everything on the disk. */
static bool is_clean(struct cache *c)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (io_read_file_at(c->fd, SESSION_FILE, SESSION_SIZE, &text, &size) < 0)
		return false;
	return strcmp(text, SESSION_CLEAN "\n") == 0;
}

/* Where even a new file of a few bytes has no room, the session's absence says the same. */
static errint_t write_session(struct cache *c, const char *text)
{
	char line[SESSION_SIZE + 1];
	errint_t r;

	snprintf(line, sizeof(line), "%s\n", text);
	r = cache_replace(c, SESSION_FILE, line, strlen(line), true);
	if (cache_is_full(r) && (unlinkat(c->fd, SESSION_FILE, 0) == 0 || errno == ENOENT))
		r = 0;
	/* The name as well. */
	if (r == 0 && fsync(c->fd) < 0)
		r = -errno;
	return r;
}

/* A session that only reads does not wait for the disk. */
errint_t cache_mark_in_use(struct cache *c)
{
	errint_t r = 0;

	if (atomic_load(&c->is_in_use))
		return 0;
	pthread_mutex_lock(&c->session_lock);
	if (!atomic_load(&c->is_in_use))
		r = write_session(c, SESSION_IN_USE);
	if (r == 0)
		atomic_store(&c->is_in_use, true);
	pthread_mutex_unlock(&c->session_lock);
	return r;
}

static void mark_clean(struct cache *c)
{
	if (!is_clean(c) && syncfs(c->fd) == 0)
		(void)write_session(c, SESSION_CLEAN);
}

/* Moves what is in files/ab to suspect/ab. */
static void merge_folder(struct cache *c, unsigned number)
{
	char from[16], to[16];
	struct dirent *e;
	DIR *d;
	int fd, to_fd;

	snprintf(from, sizeof(from), CACHE_FILES "/%02x", number & 0xff);
	snprintf(to, sizeof(to), CACHE_SUSPECT "/%02x", number & 0xff);
	fd = openat(c->fd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to_fd = openat(c->fd, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d && to_fd >= 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)renameat(dirfd(d), e->d_name, to_fd, e->d_name);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (to_fd >= 0)
		close(to_fd);
}

/* The usual case is one rename; where suspects are left from last time, the files join them. */
static errint_t suspect_all(struct cache *c)
{
	if (renameat(c->fd, CACHE_FILES, c->fd, CACHE_SUSPECT) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	for (unsigned i = 0; i < 256; i++)
		merge_folder(c, i);
	return 0;
}

/*
 * The first user looks how the last session ended. Whoever comes between its two locks takes the files for suspects once more, which costs time and
 * nothing else.
 */
static errint_t begin_session(struct cache *c)
{
	errint_t r;

	c->lock_fd = openat(c->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->lock_fd < 0)
		return -errno;
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		bool was_clean = is_clean(c);
		r = was_clean ? 0 : suspect_all(c);
		if (r == 0)
			r = make_folders(c, CACHE_FILES);
		if (r < 0)
			return r;
		atomic_store(&c->is_in_use, !was_clean);
		if (was_clean)
			cache_accounts_load(c);
	} else {
		cache_accounts_shared(c);
	}
	return flock(c->lock_fd, LOCK_SH) == 0 ? 0 : -errno;
}

static errint_t open_path(struct cache *c, const char *path)
{
	errint_t r = io_mkdir_p(path, 0700);

	if (r < 0)
		return r;
	c->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->fd < 0 ? -errno : 0;
}

static errint_t open_directory(struct cache *c, const struct cache_config *config)
{
	errint_t r;

	if (config->has_directory) {
		c->fd = fcntl(config->directory, F_DUPFD_CLOEXEC, 0);
		r = c->fd < 0 ? -errno : 0;
	} else {
		r = config->path ? open_path(c, config->path) : cache_ram_make(config->quota, &c->ram_path, &c->fd);
	}
	if (r < 0)
		return r;
	c->finish_fd = openat(c->fd, "finish", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->finish_fd < 0)
		return -errno;
	/* The folders that never become suspects. */
	r = make_directory(c, CACHE_CATALOGS);
	return r < 0 ? r : make_directory(c, CACHE_REPOSITORIES);
}

static void dispose(struct cache *c)
{
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	if (c->finish_fd >= 0)
		close(c->finish_fd);
	if (c->fd >= 0)
		close(c->fd);
	cache_ram_remove(c->ram_path);
	cache_lower_close(c);
	free(c->lower_verified);
	free(c->lower_bad);
	pthread_mutex_destroy(&c->finish_lock);
	pthread_mutex_destroy(&c->session_lock);
	pthread_mutex_destroy(&c->evict_lock);
	pthread_mutex_destroy(&c->pin_lock);
	pthread_mutex_destroy(&c->room.lock);
	pthread_cond_destroy(&c->room.changed);
	free(c);
}

static errint_t begin(struct cache *c, const struct cache_config *config)
{
	errint_t r = open_directory(c, config);

	if (r == 0)
		r = begin_session(c);
	if (r == 0 && config->lower) {
		c->lower_verified = calloc(CACHE_LOWER_KNOWN, sizeof(*c->lower_verified));
		c->lower_bad = calloc(CACHE_LOWER_KNOWN, sizeof(*c->lower_bad));
		r = c->lower_verified && c->lower_bad ? cache_lower_open(c, config->lower) : -ENOMEM;
	}
	if (r < 0)
		return r;
	c->has_suspects = faccessat(c->fd, CACHE_SUSPECT, F_OK, 0) == 0;
	return cache_room_start(c, config);
}

errint_t cache_open(const struct cache_config *config, struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));
	struct cache_config used = *config;
	errint_t r;

	if (!c)
		return -ENOMEM;
	c->fd = c->lock_fd = c->finish_fd = -1;
	c->stats = config->stats;
	c->memory = config->memory;
	c->on_disk = config->path;
	/* Process ids come again, in containers at once. */
	if (getrandom(&c->session, sizeof(c->session), GRND_NONBLOCK) != (ssize_t)sizeof(c->session))
		c->session = (uint32_t)(clock_now() ^ getpid());
	pthread_mutex_init(&c->evict_lock, NULL);
	pthread_mutex_init(&c->pin_lock, NULL);
	pthread_mutex_init(&c->finish_lock, NULL);
	pthread_mutex_init(&c->session_lock, NULL);
	pthread_mutex_init(&c->room.lock, NULL);
	clock_cond_init(&c->room.changed);
	if (!used.path) {
		/* Nobody else fills it. */
		used.quota = cache_ram_quota(config);
		used.no_free = true;
	}
	r = begin(c, &used);
	if (r < 0) {
		dispose(c);
		return r;
	}
	*ret = c;
	return 0;
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	cache_room_stop(c);
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		cache_accounts_save(c);
		mark_clean(c);
	}
	dispose(c);
}
