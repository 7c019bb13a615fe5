/* SPDX-License-Identifier: MIT */
/*
 * The quota: what is in the cache is listed when there is too much of it, and the files that were not used for longest go until a fifth is free. No list is
 * kept in memory between two evictions.
 */
#include "fetchfs/client/cache_private.h"
#include "fetchfs/client/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define KEEP_PERCENT 80
#define PAUSE_SECONDS 5
#define ROOM_BYTES (8 * MIB)
#define STALE_TEMPORARY_SECONDS 3600

struct candidate {
	int64_t used;		/* ns since 1970 */
	uint64_t bytes;
	struct digest key;
	uint8_t folder;		/* index into folders */
	uint8_t kind;		/* index into suffixes */
};

static const char *const folders[] = { CACHE_FILES, CACHE_SUSPECT, CACHE_CATALOGS };
enum { FOLDER_SUSPECT = 1, FOLDER_CATALOGS = 2 };
static const char *const suffixes[] = { "", CACHE_PART, CACHE_MAP };
enum { KIND_MAP = 2 };

struct listing {
	struct candidate *items;	/* NULL where only the sum is wanted */
	size_t count, room;
	uint64_t bytes;
	struct cache_survey survey;
	bool list;
	errint_t error;
};

static void add_candidate(struct listing *l, const struct candidate *item)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 1024;
		struct candidate *larger = realloc(l->items, room * sizeof(*larger));
		if (!larger) {
			l->error = -ENOMEM;
			return;
		}
		l->items = larger;
		l->room = room;
	}
	l->items[l->count++] = *item;
}

/* cache_keep gives it a second name. */
static bool is_kept(const struct stat *s)
{
	return s->st_nlink > 1;
}

static void add_to_survey(struct cache_survey *v, const struct stat *s, const char *name, uint8_t folder)
{
	uint64_t bytes = (uint64_t)s->st_blocks * 512;
	size_t n = strlen(name);
	bool is_part = n > strlen(CACHE_PART) && strcmp(name + n - strlen(CACHE_PART), CACHE_PART) == 0;

	v->files++;
	v->bytes += bytes;
	v->catalogs += folder == FOLDER_CATALOGS;
	v->catalog_bytes += folder == FOLDER_CATALOGS ? bytes : 0;
	v->suspects += folder == FOLDER_SUSPECT;
	v->suspect_bytes += folder == FOLDER_SUSPECT ? bytes : 0;
	v->parts += is_part;
	v->part_bytes += is_part ? bytes : 0;
	v->kept += is_kept(s);
	v->kept_bytes += is_kept(s) ? bytes : 0;
}

static void look_at(struct listing *l, int dir, const char *name, uint8_t folder)
{
	size_t text = DIGEST_TEXT_SIZE - 1;
	struct candidate item = { .folder = folder };
	struct stat s;

	if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(s.st_mode))
		return;
	item.bytes = (uint64_t)s.st_blocks * 512;
	l->bytes += item.bytes;
	add_to_survey(&l->survey, &s, name, folder);
	if (!l->list)
		return;
	if (strlen(name) < text || digest_from_text(name, text, &item.key) < 0)
		return;
	while (item.kind < ARRAY_SIZE(suffixes) && strcmp(name + text, suffixes[item.kind]) != 0)
		item.kind++;
	if (item.kind == ARRAY_SIZE(suffixes)) {
		/* A temporary file that nobody can be writing any more. */
		if (time(NULL) - s.st_mtime > STALE_TEMPORARY_SECONDS)
			(void)unlinkat(dir, name, 0);
		return;
	}
	/* Maps go with their parts. */
	item.used = (int64_t)s.st_atim.tv_sec * 1000000000 + s.st_atim.tv_nsec;
	if (item.kind != KIND_MAP && !is_kept(&s))
		add_candidate(l, &item);
}

static void list_folder(struct cache *c, struct listing *l, const char *path, uint8_t folder)
{
	int fd = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d)) && !atomic_load(&c->stop))
		if (e->d_name[0] != '.')
			look_at(l, dirfd(d), e->d_name, folder);
	if (d)
		closedir(d);
}

static void list_all(struct cache *c, struct listing *l)
{
	char path[32];

	for (uint8_t f = 0; f < FOLDER_CATALOGS; f++) {
		for (unsigned i = 0; i < 256; i++) {
			snprintf(path, sizeof(path), "%s/%02x", folders[f], i);
			list_folder(c, l, path, f);
		}
	}
	list_folder(c, l, CACHE_CATALOGS, FOLDER_CATALOGS);
}

uint64_t cache_count(struct cache *c)
{
	struct listing l = { .list = false };

	list_all(c, &l);
	return l.bytes;
}

static int by_use(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

static bool remove_candidate(struct cache *c, const struct candidate *item)
{
	char name[CACHE_NAME_SIZE], text[DIGEST_TEXT_SIZE];

	if (item->folder == FOLDER_CATALOGS) {
		digest_to_text(&item->key, text);
		snprintf(name, sizeof(name), CACHE_CATALOGS "/%s", text);
	} else {
		cache_name(folders[item->folder], &item->key, suffixes[item->kind], name);
	}
	if (unlinkat(c->fd, name, 0) < 0)
		return false;
	if (item->kind > 0) {
		cache_name(folders[item->folder], &item->key, CACHE_MAP, name);
		(void)unlinkat(c->fd, name, 0);
	}
	stats_add(c->stats, evicted, 1);
	stats_add(c->stats, evicted_bytes, item->bytes);
	return true;
}

/* evict_lock held. Down to target bytes; returns how many were freed. */
static uint64_t evict_to(struct cache *c, uint64_t target, uint64_t at_least)
{
	struct listing l = { .list = true };
	uint64_t freed = 0, left;

	list_all(c, &l);
	left = l.bytes;
	if (l.count > 0)
		qsort(l.items, l.count, sizeof(*l.items), by_use);
	for (size_t i = 0; i < l.count && (left > target || freed < at_least); i++) {
		if (cache_is_pinned(c, &l.items[i].key) || !remove_candidate(c, &l.items[i]))
			continue;
		freed += l.items[i].bytes;
		left -= MIN(left, l.items[i].bytes);
	}
	atomic_store(&c->usage, left);
	free(l.items);
	return freed;
}

/* Where all is in use, eviction is not tried again and again: only after a while, or when a file is closed (cache_unpin). */
static bool is_over(struct cache *c, uint64_t bytes)
{
	return atomic_load(&c->usage) + bytes > c->quota;
}

errint_t cache_reserve(struct cache *c, uint64_t size)
{
	uint64_t bytes = align_up(size, CACHE_BLOCK);

	if (is_over(c, bytes)) {
		pthread_mutex_lock(&c->evict_lock);
		/* Another thread may have done it meanwhile. */
		if (is_over(c, bytes) && clock_now() >= atomic_load(&c->no_evict_before)) {
			atomic_store(&c->no_evict_before, 0);
			evict_to(c, c->quota / 100 * KEEP_PERCENT - MIN(bytes, c->quota / 100 * KEEP_PERCENT), 0);
			if (is_over(c, bytes))
				atomic_store(&c->no_evict_before, clock_now() + PAUSE_SECONDS * NS_PER_SECOND);
		}
		pthread_mutex_unlock(&c->evict_lock);
		if (is_over(c, bytes))
			return -ENOSPC;
	}
	atomic_fetch_add(&c->usage, bytes);
	return 0;
}

/* Others may be filling the disk: only what is needed goes, and a little more so that the next write does not come here at once. */
errint_t cache_make_room(struct cache *c, uint64_t size)
{
	uint64_t freed;

	pthread_mutex_lock(&c->evict_lock);
	freed = evict_to(c, UINT64_MAX, size + ROOM_BYTES);
	pthread_mutex_unlock(&c->evict_lock);
	return freed > 0 ? 0 : -ENOSPC;
}

void cache_take_survey(struct cache *c, struct cache_survey *ret)
{
	struct listing l = { .list = false };

	list_all(c, &l);
	*ret = l.survey;
}

uint64_t cache_evict(struct cache *c, uint64_t bytes)
{
	uint64_t freed;

	pthread_mutex_lock(&c->evict_lock);
	freed = evict_to(c, UINT64_MAX, bytes);
	pthread_mutex_unlock(&c->evict_lock);
	return freed;
}
