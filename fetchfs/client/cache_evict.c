/* SPDX-License-Identifier: MIT */
/*
 * Eviction: what was not used for longest goes, catalogs that are not in use before all. There is no index that could be wrong after a crash, and no list of
 * everything: names are digests, so that each of the 256 shards is as good a sample of the cache as any other. From a few thousand files (all, where there are
 * fewer) follows the age at which enough is older, and then shard by shard what is older goes. Whoever needs room waits for a shard or two.
 */
#include "fetchfs/client/cache_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define SAMPLE_FILES 4096
#define STALE_SECONDS 3600		/* nobody can be writing such a temporary file any more */
#define CATALOG_GRACE_SECONDS 3600	/* a catalog that was used since may be in use by another program */
#define FUTURE_SECONDS 60
#define NS INT64_C(1000000000)

static const char *const suffixes[] = { "", CACHE_PART, CACHE_MAP, CACHE_LIST };
enum { KIND_WHOLE, KIND_PART, KIND_MAP, KIND_LIST, KIND_TEMPORARY };

/* A file of the cache, as a listing finds it. */
struct item {
	int64_t used;		/* ns since 1970 */
	uint64_t bytes;
	struct digest key;
	unsigned folder;
	unsigned kind;
	bool is_kept;		/* it has a second name, of somebody who keeps it */
	int64_t changed;	/* seconds since 1970 */
};

struct sample {
	struct { int64_t used; uint64_t bytes; } *files;
	size_t count, room;
	unsigned shards;	/* that it was taken from */
};

/* True: it is gone. */
typedef bool on_item(struct cache *c, int dir, const char *name, const struct item *item, void *context);

static void folder_name(unsigned folder, char ret[32])
{
	if (folder == CACHE_ROOM_CATALOGS)
		snprintf(ret, 32, CACHE_CATALOGS);
	else
		snprintf(ret, 32, "%s/%02x", folder >= CACHE_ROOM_SUSPECT ? CACHE_SUSPECT : CACHE_FILES, folder % CACHE_SHARDS);
}

/*
 * The clock may have been set back since: then a file would seem new for ever. It counts as used now.
 */
static int64_t used_at(int dir, const char *name, const struct stat *s)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	int64_t now = time(NULL);

	if (s->st_atim.tv_sec <= now + FUTURE_SECONDS)
		return s->st_atim.tv_sec * NS + s->st_atim.tv_nsec;
	(void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return now * NS;
}

static bool look_at(int dir, const char *name, unsigned folder, struct item *ret)
{
	size_t text = DIGEST_TEXT_SIZE - 1;
	struct stat s;

	if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(s.st_mode) || strlen(name) < text ||
	    digest_from_text(name, text, &ret->key) < 0)
		return false;
	for (ret->kind = 0; ret->kind < KIND_TEMPORARY && strcmp(name + text, suffixes[ret->kind]) != 0; ret->kind++)
		;
	ret->folder = folder;
	ret->is_kept = s.st_nlink > 1;
	ret->bytes = (uint64_t)s.st_blocks * 512;
	ret->used = used_at(dir, name, &s);
	ret->changed = s.st_mtime;
	return true;
}

/* What was found is what there is, unless somebody was writing there: then only what went is known. */
static void set_account(struct cache *c, unsigned folder, long long before, bool was_quiet, long long found, long long gone)
{
	bool is_exact = was_quiet && atomic_load(&c->room.writing[folder]) == 0 && atomic_load(&c->room.folders[folder]) == before;
	long long change = is_exact ? found - before : -gone;

	atomic_fetch_add(&c->room.folders[folder], change);
	atomic_fetch_add(&c->room.usage, change);
}

static DIR *open_folder(struct cache *c, unsigned folder)
{
	char path[32];
	DIR *d;
	int fd;

	folder_name(folder, path);
	fd = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* Everything in a folder; sets its account right by the way. */
static void list_folder(struct cache *c, unsigned folder, on_item *look, void *context)
{
	bool was_quiet = atomic_load(&c->room.writing[folder]) == 0;
	long long before = atomic_load(&c->room.folders[folder]), found = 0, gone = 0;
	DIR *d = open_folder(c, folder);
	struct dirent *e;

	/* Folders of suspects need not be there. */
	if (!d && folder < CACHE_ROOM_SUSPECT)
		return;
	while (d && (e = readdir(d)) && !atomic_load(&c->stop)) {
		struct item item;
		if (e->d_name[0] == '.' || !look_at(dirfd(d), e->d_name, folder, &item))
			continue;
		if (look && look(c, dirfd(d), e->d_name, &item, context))
			gone += (long long)item.bytes;
		else
			found += (long long)item.bytes;
	}
	if (d)
		closedir(d);
	set_account(c, folder, before, was_quiet && !atomic_load(&c->stop), found, gone);
}

void cache_recount(struct cache *c, unsigned folder)
{
	list_folder(c, folder, NULL, NULL);
}

/* What belongs to a content goes with it. */
static bool remove_item(struct cache *c, int dir, const char *name, const struct item *item)
{
	char text[DIGEST_TEXT_SIZE], companion[CACHE_NAME_SIZE];

	if (unlinkat(dir, name, 0) < 0)
		return false;
	digest_to_text(&item->key, text);
	for (unsigned kind = KIND_MAP; kind <= KIND_LIST && item->folder != CACHE_ROOM_CATALOGS; kind++) {
		snprintf(companion, sizeof(companion), "%s%s", text, suffixes[kind]);
		(void)unlinkat(dir, companion, 0);
	}
	stats_add(c->stats, evicted, 1);
	stats_add(c->stats, evicted_bytes, item->bytes);
	return true;
}

/* What a killed program left: temporary files, and maps and lists without their content. */
static bool clear_up(int dir, const char *name, const struct item *item)
{
	char text[DIGEST_TEXT_SIZE], part[CACHE_NAME_SIZE];

	if (time(NULL) - item->changed <= STALE_SECONDS)
		return false;
	digest_to_text(&item->key, text);
	snprintf(part, sizeof(part), "%s" CACHE_PART, text);
	if (item->kind != KIND_TEMPORARY && (faccessat(dir, text, F_OK, 0) == 0 || faccessat(dir, part, F_OK, 0) == 0))
		return false;
	return unlinkat(dir, name, 0) == 0;
}

static bool is_wanted(struct cache *c, const struct item *item)
{
	return item->is_kept || cache_is_pinned(c, &item->key);
}

static bool add_to_sample(struct cache *c, int dir, const char *name, const struct item *item, void *context)
{
	struct sample *s = context;

	(void)dir;
	(void)name;
	if (item->kind > KIND_PART || is_wanted(c, item))
		return false;
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 1024;
		void *larger = realloc(s->files, room * sizeof(*s->files));
		if (!larger)
			return false;
		s->files = larger;
		s->room = room;
	}
	s->files[s->count].used = item->used;
	s->files[s->count++].bytes = item->bytes;
	return false;
}

static int by_use(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The age at which so many bytes of the whole cache are older. */
static int64_t find_cutoff(struct cache *c, uint64_t bytes)
{
	struct sample s = { 0 };
	int64_t cutoff = INT64_MAX;
	uint64_t sum = 0, share;
	size_t i = 0;

	for (; s.shards < CACHE_SHARDS && (s.count < SAMPLE_FILES || s.shards == 0); s.shards++) {
		unsigned shard = (c->sweep.hand + s.shards) % CACHE_SHARDS;
		list_folder(c, CACHE_ROOM_FILES + shard, add_to_sample, &s);
		if (c->has_suspects)
			list_folder(c, CACHE_ROOM_SUSPECT + shard, add_to_sample, &s);
	}
	share = bytes / CACHE_SHARDS * s.shards + bytes % CACHE_SHARDS;
	if (s.count > 0)
		qsort(s.files, s.count, sizeof(*s.files), by_use);
	while (i < s.count && sum < share)
		sum += s.files[i++].bytes;
	if (sum >= share && i > 0)
		cutoff = s.files[i - 1].used;
	free(s.files);
	return cutoff;
}

/* How far it goes in one shard: where somebody waits, not beyond what he needs. */
struct removal {
	uint64_t freed, enough;
	bool is_short;		/* there would have been more */
};

static bool remove_old(struct cache *c, int dir, const char *name, const struct item *item, void *context)
{
	struct removal *r = context;

	if (item->kind > KIND_PART)
		return clear_up(dir, name, item);
	if (item->used > c->sweep.cutoff || is_wanted(c, item))
		return false;
	if (r->freed >= r->enough) {
		r->is_short = true;
		return false;
	}
	if (!remove_item(c, dir, name, item))
		return false;
	r->freed += item->bytes;
	return true;
}

static uint64_t sweep_shard(struct cache *c, uint64_t bytes)
{
	struct removal r = { .enough = bytes };
	unsigned shard = c->sweep.hand;

	if (c->has_suspects)
		list_folder(c, CACHE_ROOM_SUSPECT + shard, remove_old, &r);
	list_folder(c, CACHE_ROOM_FILES + shard, remove_old, &r);
	if (r.is_short)
		return r.freed;
	c->sweep.hand = (shard + 1) % CACHE_SHARDS;
	c->sweep.left--;
	return r.freed;
}

/* A round over all shards with a new cutoff. */
static void begin_round(struct cache *c, uint64_t bytes)
{
	c->sweep.cutoff = find_cutoff(c, bytes);
	c->sweep.left = CACHE_SHARDS;
}

struct catalogs {
	struct item *items;
	size_t count, room;
};

static bool add_catalog(struct cache *c, int dir, const char *name, const struct item *item, void *context)
{
	struct catalogs *l = context;

	if (item->kind != KIND_WHOLE)
		return clear_up(dir, name, item);
	if (is_wanted(c, item))
		return false;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct item *larger = realloc(l->items, room * sizeof(*larger));
		if (!larger)
			return false;
		l->items = larger;
		l->room = room;
	}
	l->items[l->count++] = *item;
	return false;
}

/* Of those not in use, the oldest that were last used before then, until so many bytes are free. */
static uint64_t remove_catalogs(struct cache *c, uint64_t bytes, int64_t before)
{
	struct catalogs l = { 0 };
	char text[DIGEST_TEXT_SIZE];
	uint64_t freed = 0;
	int dir;

	list_folder(c, CACHE_ROOM_CATALOGS, add_catalog, &l);
	dir = openat(c->fd, CACHE_CATALOGS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.count > 0)
		qsort(l.items, l.count, sizeof(*l.items), by_use);
	for (size_t i = 0; i < l.count && freed < bytes && dir >= 0 && l.items[i].used <= before; i++) {
		digest_to_text(&l.items[i].key, text);
		if (!remove_item(c, dir, text, &l.items[i]))
			continue;
		freed += l.items[i].bytes;
		cache_release(c, CACHE_ROOM_CATALOGS, l.items[i].bytes);
	}
	if (dir >= 0)
		close(dir);
	free(l.items);
	return freed;
}

void cache_evict_catalogs(struct cache *c, uint64_t bytes)
{
	long long usage = atomic_load(&c->room.folders[CACHE_ROOM_CATALOGS]);

	if (usage > 0 && (uint64_t)usage > bytes)
		(void)remove_catalogs(c, (uint64_t)usage - bytes, INT64_MAX);
}

uint64_t cache_evict_locked(struct cache *c, uint64_t bytes)
{
	uint64_t freed = remove_catalogs(c, bytes, (time(NULL) - CATALOG_GRACE_SECONDS) * NS);

	/* What a round began to be about may be long ago: two rounds more, and all has been looked at. */
	for (unsigned rounds = 0; freed < bytes && !atomic_load(&c->stop); ) {
		if (c->sweep.left == 0) {
			if (rounds++ == 2)
				break;
			begin_round(c, MAX(bytes - freed, cache_excess(c)));
		}
		freed += sweep_shard(c, bytes - freed);
	}
	return freed < bytes ? freed + remove_catalogs(c, bytes - freed, INT64_MAX) : freed;
}

static bool add_to_survey(struct cache *c, int dir, const char *name, const struct item *item, void *context)
{
	struct cache_survey *v = context;
	bool is_catalog = item->folder == CACHE_ROOM_CATALOGS, is_suspect = item->folder >= CACHE_ROOM_SUSPECT && !is_catalog;
	bool is_part = item->kind == KIND_PART;

	(void)c;
	(void)dir;
	(void)name;
	v->files++;
	v->bytes += item->bytes;
	v->catalogs += is_catalog;
	v->catalog_bytes += is_catalog ? item->bytes : 0;
	v->suspects += is_suspect;
	v->suspect_bytes += is_suspect ? item->bytes : 0;
	v->parts += is_part;
	v->part_bytes += is_part ? item->bytes : 0;
	v->kept += item->is_kept;
	v->kept_bytes += item->is_kept ? item->bytes : 0;
	return false;
}

void cache_take_survey(struct cache *c, struct cache_survey *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < CACHE_ROOM_FOLDERS; i++) {
		pthread_mutex_lock(&c->evict_lock);
		list_folder(c, i, add_to_survey, ret);
		pthread_mutex_unlock(&c->evict_lock);
	}
}
