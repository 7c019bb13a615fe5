/* SPDX-License-Identifier: MIT */
/* The scrub's thread; see scrub.h. */
#include "fetchfs/client/scrub.h"
#include "common/io.h"
#include "fetchfs/client/cache_private.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#define PIECE (256 * KIB)
#define PAUSE_SECONDS 3600		/* between rounds */
#define MAX_LIST (64 * MIB)
#define MAX_OBJECT (8 * MIB)		/* what is larger is a file of several extents */
#define IO_IDLE (3 << 13)		/* linux/ioprio.h: IOPRIO_CLASS_IDLE */
#define IO_THREAD 1			/* IOPRIO_WHO_PROCESS */

struct scrub {
	struct scrub_config config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	struct scrub_status status;
	int64_t next;			/* when the next piece may be read */
	void *piece;
};

enum verdict { GOOD, BAD, UNKNOWN, GONE };

/* True: it is to end. */
static bool wait_until(struct scrub *s, int64_t then)
{
	bool stop;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && clock_now() < then)
		clock_cond_wait_until(&s->changed, &s->lock, then);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* Keeps the rate: what was not used of it is not caught up. */
static bool take_turn(struct scrub *s, size_t bytes)
{
	int64_t now = clock_now();

	s->next = MAX(s->next, now) + (int64_t)((double)bytes / (double)s->config.rate * (double)NS_PER_SECOND);
	return wait_until(s, s->next);
}

/* 0: digested; -ENODATA: it ends before that; -ECANCELED. */
static errint_t digest_range(struct scrub *s, int fd, uint64_t at, uint64_t size, struct digest *ret)
{
	struct digest_state state;

	digest_begin(&state);
	while (size > 0) {
		size_t n = (size_t)MIN(size, PIECE);
		ssize_t got = io_pread_full(fd, s->piece, n, at);
		if (got != (ssize_t)n)
			return got < 0 ? (errint_t)got : -ENODATA;
		digest_add(&state, s->piece, n);
		at += n;
		size -= n;
		pthread_mutex_lock(&s->lock);
		s->status.bytes += n;
		pthread_mutex_unlock(&s->lock);
		if (take_turn(s, n))
			return -ECANCELED;
	}
	digest_end(&state, ret);
	return 0;
}

/* 0: nothing but zeros; -EBADMSG. */
static errint_t look_for_data(struct scrub *s, int fd, uint64_t at, uint64_t size)
{
	uint64_t end = at + size;
	off_t data;

	/* Where nothing is allocated there is nothing to read. */
	while (at < end && (data = lseek(fd, (off_t)at, SEEK_DATA)) >= 0 && (uint64_t)data < end) {
		size_t n = (size_t)MIN(end - (uint64_t)data, PIECE);
		const uint8_t *piece = s->piece;
		at = (uint64_t)data;
		if (io_pread_full(fd, s->piece, n, at) != (ssize_t)n || piece[0] != 0 || memcmp(piece, piece + 1, n - 1) != 0)
			return -EBADMSG;
		at += n;
		if (take_turn(s, n))
			return -ECANCELED;
	}
	return 0;
}

static bool is_hole(const struct digest *d)
{
	static const struct digest none;

	return digest_equal(d, &none);
}

static enum verdict check_extents(struct scrub *s, int fd, uint64_t size, const uint8_t *list, size_t count)
{
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t length = le64_get(list + i * CACHE_LIST_RECORD + DIGEST_SIZE);
		struct digest expected, found;
		errint_t r;
		if (length > size - at)
			return BAD;
		memcpy(expected.bytes, list + i * CACHE_LIST_RECORD, DIGEST_SIZE);
		r = is_hole(&expected) ? look_for_data(s, fd, at, length) : digest_range(s, fd, at, length, &found);
		if (r == -ECANCELED)
			return GONE;
		if (r < 0 || (!is_hole(&expected) && !digest_equal(&found, &expected)))
			return BAD;
		at += length;
	}
	return at == size ? GOOD : BAD;
}

/* The list verifies itself: its digest is the file's name. */
static enum verdict check_large(struct scrub *s, int fd, uint64_t size, const struct digest *key)
{
	_cleanup_free_ char *list = NULL;
	char name[CACHE_NAME_SIZE];
	struct digest found;
	size_t n;

	cache_name(CACHE_FILES, key, CACHE_LIST, name);
	if (io_read_file_at(s->config.cache->fd, name, MAX_LIST, &list, &n) < 0)
		return UNKNOWN;
	digest_of(list, n, &found);
	if (n % CACHE_LIST_RECORD != 0 || !digest_equal(&found, key)) {
		(void)unlinkat(s->config.cache->fd, name, 0);
		return UNKNOWN;
	}
	return check_extents(s, fd, size, (const uint8_t *)list, n / CACHE_LIST_RECORD);
}

static enum verdict check_file(struct scrub *s, int fd, const struct digest *key)
{
	struct digest found;
	enum verdict v;
	struct stat st;
	errint_t r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return GONE;
	v = check_large(s, fd, (uint64_t)st.st_size, key);
	if (v != UNKNOWN || (uint64_t)st.st_size > MAX_OBJECT)
		return v;
	r = digest_range(s, fd, 0, (uint64_t)st.st_size, &found);
	if (r == -ECANCELED)
		return GONE;
	return r == 0 && digest_equal(&found, key) ? GOOD : BAD;
}

static void count_file(struct scrub *s, enum verdict v)
{
	pthread_mutex_lock(&s->lock);
	s->status.files++;
	s->status.bad += v == BAD;
	s->status.unknown += v == UNKNOWN;
	pthread_mutex_unlock(&s->lock);
	stats_add(s->config.stats, scrubbed, 1);
}

static void look_at(struct scrub *s, const struct digest *key)
{
	struct cache_part p = { .key = *key, .fd = -1, .map_fd = -1 };
	char name[CACHE_NAME_SIZE];
	enum verdict v;

	cache_name(CACHE_FILES, key, "", name);
	p.fd = cache_open_file(s->config.cache, name, O_RDONLY);
	if (p.fd < 0)
		return;
	v = check_file(s, p.fd, key);
	if (v == BAD)
		cache_part_drop(s->config.cache, &p);
	/* What was read only for this need not stay in memory. */
	(void)posix_fadvise(p.fd, 0, 0, POSIX_FADV_DONTNEED);
	close(p.fd);
	if (v != GONE)
		count_file(s, v);
	if (v == BAD && s->config.damaged)
		s->config.damaged(s->config.context, key);
}

static bool is_stopped(struct scrub *s)
{
	return wait_until(s, 0);
}

static void scrub_shard(struct scrub *s, unsigned shard)
{
	size_t text = DIGEST_TEXT_SIZE - 1;
	struct dirent *e;
	char path[32];
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), CACHE_FILES "/%02x", shard);
	fd = openat(s->config.cache->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d)) && !is_stopped(s)) {
		struct digest key;
		if (strlen(e->d_name) == text && digest_from_text(e->d_name, text, &key) == 0)
			look_at(s, &key);
	}
	if (d)
		closedir(d);
}

static void begin_round(struct scrub *s)
{
	pthread_mutex_lock(&s->lock);
	s->status.running = true;
	s->status.files = s->status.bytes = 0;
	s->status.percent = 0;
	pthread_mutex_unlock(&s->lock);
}

static void end_round(struct scrub *s)
{
	pthread_mutex_lock(&s->lock);
	s->status.running = false;
	s->status.rounds += !s->stop;
	pthread_mutex_unlock(&s->lock);
}

/* Only when nobody else wants the processor or the disk. Where that cannot be had it is only slow. */
static void become_idle(void)
{
	struct sched_param parameters = { 0 };

	(void)sched_setscheduler(0, SCHED_IDLE, &parameters);
	(void)syscall(SYS_ioprio_set, IO_THREAD, 0, IO_IDLE);
}

static void *run(void *context)
{
	struct scrub *s = context;

	become_idle();
	do {
		begin_round(s);
		for (unsigned shard = 0; shard < CACHE_SHARDS && !is_stopped(s); shard++) {
			scrub_shard(s, shard);
			pthread_mutex_lock(&s->lock);
			s->status.percent = (shard + 1) * 100 / CACHE_SHARDS;
			pthread_mutex_unlock(&s->lock);
		}
		end_round(s);
	} while (!s->config.once && !wait_until(s, clock_now() + PAUSE_SECONDS * NS_PER_SECOND));
	return NULL;
}

errint_t scrub_start(const struct scrub_config *config, struct scrub **ret)
{
	struct scrub *s = calloc(1, sizeof(*s));
	errint_t r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->piece = malloc(PIECE);
	pthread_mutex_init(&s->lock, NULL);
	clock_cond_init(&s->changed);
	r = s->piece ? thread_start(&s->thread, run, s) : -ENOMEM;
	if (r < 0) {
		free(s->piece);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void scrub_stop(struct scrub *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s->piece);
	free(s);
}

void scrub_status(struct scrub *s, struct scrub_status *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->status;
	pthread_mutex_unlock(&s->lock);
}
