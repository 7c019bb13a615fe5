/* SPDX-License-Identifier: MIT */
/* The table of open files, and files of one piece; see files.h. One struct file for each inode that is open, however often. */
#include "fetchfs/client/files_private.h"
#include "common/io.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define READY_SIZE (128 * KIB)	/* what one read brings is not kept ready */

errint_t files_new(struct store *store, struct cache *cache, struct stats *stats, struct memory *memory, enum files_verify verify, struct files **ret)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->store = store;
	f->cache = cache;
	f->stats = stats;
	f->verify = verify;
	f->memory = memory;
	pthread_mutex_init(&f->slots_lock, NULL);
	for (unsigned i = 0; i < FILES_SHARDS; i++)
		pthread_mutex_init(&f->shards[i].lock, NULL);
	*ret = f;
	return 0;
}

void files_keep_ready(struct files *f)
{
	atomic_store(&f->keep_ready, true);
}

/* Its key is no longer pinned. */
static void free_file(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	files_parts_free(file->parts);
	snapshot_release(file->tree);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

/* What the kernel never closed (the mount was forced off) is freed here. */
void files_free(struct files *f)
{
	for (unsigned i = 0; i < FILES_SHARDS; i++) {
		struct file *file;
		while ((file = f->shards[i].files)) {
			f->shards[i].files = file->next;
			free_file(file);
		}
		pthread_mutex_destroy(&f->shards[i].lock);
	}
	files_slots_done(f);
	free(f);
}

static struct files_shard *shard_of(struct files *f, uint64_t ino)
{
	return &f->shards[ino % FILES_SHARDS];
}

errint_t files_extent_object(const struct tree *t, const struct catalog_extent *e, struct catalog_object *ret, struct store_object *ret_wanted)
{
	if (catalog_object(&t->c, e->object, ret) < 0)
		return -EIO;
	*ret_wanted = (struct store_object){ .digest = ret->digest, .stored_size = ret->stored_size, .size = ret->size,
					     .is_pack = ret->kind == CATALOG_OBJECT_PACK };
	return 0;
}

const void *files_extent_data(const struct catalog_extent *e, const struct catalog_object *o, const void *object, size_t size)
{
	const uint8_t *data = (const uint8_t *)object + e->offset;
	struct digest found;

	if (e->offset > size || e->length > size - e->offset)
		return NULL;
	/* The object has been verified: a chunk is the extent itself. */
	if (e->offset == 0 && e->length == size && digest_equal(&e->digest, &o->digest))
		return data;
	digest_of(data, (size_t)e->length, &found);
	return digest_equal(&found, &e->digest) ? data : NULL;
}

/* A file of one piece has the piece's digest as its key. */
static bool is_single(const struct place *p, struct catalog_extent *ret)
{
	return p->inode.count == 1 && catalog_extent(&p->tree->c, &p->inode, 0, ret) == 0 && ret->object != CATALOG_NONE;
}

static bool is_in_order(const struct file *file, const struct catalog_extent *e)
{
	return cache_range_is(file->fd, e->offset, e->length, &e->digest);
}

static errint_t find_single(struct files *f, struct file *file, const struct catalog_extent *e, const struct store_object *o)
{
	errint_t r = cache_find(f->cache, &o->digest, o->size, &file->fd);

	file->base = e->offset;
	if (r < 0 || f->verify != FILES_VERIFY_OPEN || is_in_order(file, e))
		return r;
	cache_part_drop(f->cache, &(struct cache_part){ .key = o->digest, .fd = file->fd });
	close(steal_fd(&file->fd));
	return -ENOENT;
}

/* object: where it has just come; NULL: only from the cache (-ENOENT). */
static errint_t open_single(struct files *f, struct file *file, const struct catalog_extent *e, const struct store_object *o, const void *object)
{
	errint_t r = find_single(f, file, e, o);

	if (r < 0 && !object)
		return files_slot_copy(f, &o->digest, 0, 0, NULL) ? files_parts_wrap(file) : -ENOENT;
	file->was_fetched = object;
	if (r < 0)
		r = cache_put(f->cache, &o->digest, object, o->size, &file->fd);
	if (r < 0)
		/* Read from memory as long as it is there. */
		files_slot_put(f, &o->digest, object, o->size);
	return r < 0 || f->verify == FILES_VERIFY_ALWAYS ? files_parts_wrap(file) : 0;
}

static errint_t new_file(struct files *f, const struct place *p, const struct catalog_extent *single, const void *object, struct file **ret)
{
	struct file *file = calloc(1, sizeof(*file));
	struct catalog_object o;
	struct store_object wanted;
	errint_t r;

	if (!file)
		return -ENOMEM;
	file->ino = p->ino;
	file->size = p->inode.size;
	file->tree = p->tree;
	snapshot_hold(file->tree);
	file->inode = p->inode;
	file->refs = 1;
	file->fd = -1;
	pthread_mutex_init(&file->lock, NULL);
	if (single) {
		r = files_extent_object(p->tree, single, &o, &wanted);
		if (r == 0 && (single->length != file->size || single->offset > o.size || single->length > o.size - single->offset))
			r = -EIO;
		if (r == 0) {
			file->key = o.digest;
			cache_pin(f->cache, &file->key);
			r = open_single(f, file, single, &wanted, object);
		}
	} else {
		r = files_parts_open(f, file);
	}
	if (r < 0) {
		cache_unpin(f->cache, &file->key);
		free_file(file);
	} else {
		*ret = file;
	}
	return r;
}

static void take_off(struct files_shard *shard, struct file *file)
{
	struct file **link = &shard->files;

	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
}

/*
 * Shard's lock held. One that was kept ready is in use again. False: the cache has thrown its content out meanwhile (it was not pinned); it is freed.
 */
static bool wake(struct files *f, struct files_shard *shard, struct file *file)
{
	struct stat s;

	cache_pin(f->cache, &file->key);
	if (file->fd < 0 || (fstat(file->fd, &s) == 0 && s.st_nlink > 0))
		return true;
	cache_unpin(f->cache, &file->key);
	take_off(shard, file);
	free_file(file);
	return false;
}

/* Shard's lock held. A small one is opened again as fast; of the others each shard keeps one whole file and one in parts. */
static bool keep_ready(struct files *f, struct files_shard *shard, struct file *file)
{
	struct file *other = shard->files;

	if (!atomic_load(&f->keep_ready) || !files_parts_is_sound(file) || (!file->parts && file->size <= READY_SIZE))
		return false;
	while (other && (other == file || other->refs > 0 || !other->parts != !file->parts))
		other = other->next;
	if (other) {
		take_off(shard, other);
		free_file(other);
	}
	return true;
}

/* The open file of this inode, or a new one. object: where it was just fetched; without it -ENOENT where it is not cached. */
static errint_t get_file(struct files *f, const struct place *p, const struct catalog_extent *single, const void *object, struct file **ret)
{
	struct files_shard *shard = shard_of(f, p->ino);
	struct file *file;
	errint_t r = 0;

	pthread_mutex_lock(&shard->lock);
	for (file = shard->files; file && file->ino != p->ino; file = file->next)
		;
	if (file && (file->refs > 0 || wake(f, shard, file))) {
		file->refs++;
	} else {
		r = new_file(f, p, single, object, &file);
		if (r == 0) {
			file->next = shard->files;
			shard->files = file;
		}
	}
	pthread_mutex_unlock(&shard->lock);
	if (r == 0)
		*ret = file;
	return r;
}

static void object_ready(struct store_waiter *w, errint_t r, const void *object, size_t size)
{
	struct file_open *o = (struct file_open *)(void *)w;
	struct catalog_extent e;
	struct catalog_object co;
	struct file *file = NULL;

	if (r == 0) {
		const void *data = NULL;
		if (is_single(&o->place, &e) && catalog_object(&o->place.tree->c, e.object, &co) == 0)
			data = files_extent_data(&e, &co, object, size);
		/* Packs come into the cache by the store; a chunk is put there when it is opened. */
		if (data && o->arrived && co.kind == CATALOG_OBJECT_PACK && e.length == o->place.inode.size) {
			struct tree *t = o->place.tree;
			/* For what else is read of it, where the cache will not take it. */
			if (cache_is_refusing(o->files->cache))
				files_slot_put(o->files, &co.digest, object, size);
			o->arrived(o, data);
			snapshot_release(t);
			return;
		}
		r = data ? get_file(o->files, &o->place, &e, object, &file) : -EIO;
	}
	snapshot_release(o->place.tree);
	o->opened(o, r, file);
}

static bool is_cached(const struct store_waiter *w, const struct store_object *o)
{
	return cache_has(((const struct file_open *)(const void *)w)->files->cache, &o->digest);
}

/* The object that holds it is fetched; -EALREADY: it has come meanwhile. */
static errint_t wait_for_object(struct files *f, const struct place *place, const struct catalog_extent *e, bool fetch_anyway, struct file_open *o)
{
	struct tree *t = place->tree;
	struct catalog_object co;
	struct store_object wanted;
	uint32_t object = e->object;
	bool missed;
	errint_t r = files_extent_object(t, e, &co, &wanted);

	if (r < 0)
		return r;
	o->waiter.ready = object_ready;
	o->waiter.is_there = fetch_anyway ? NULL : is_cached;
	o->files = f;
	o->place = *place;
	missed = !store_is_under_way(f->store, &wanted.digest);
	snapshot_hold(t);
	/* When it returns 0, *o may be gone. */
	r = store_fetch(f->store, &wanted, &o->waiter);
	if (r < 0)
		snapshot_release(t);
	if (r == 0) {
		stats_add(f->stats, cache_misses, 1);
		if (wanted.is_pack)
			files_note_use(f, t, object, missed);
	}
	return r == 0 ? -EINPROGRESS : r;
}

errint_t files_open(struct files *f, const struct place *place, struct file_open *o, struct file **ret)
{
	struct catalog_extent e;
	bool single = is_single(place, &e), fetch_anyway = false;
	errint_t r;

	stats_add(f->stats, opens, 1);
	do {
		r = get_file(f, place, single ? &e : NULL, NULL, ret);
		if (r == 0) {
			stats_add(f->stats, cache_hits, 1);
			if (single)
				files_note_use(f, place->tree, e.object, false);
		} else if (r == -ENOENT && single) {
			r = wait_for_object(f, place, &e, fetch_anyway, o);
		}
		/* Said to be there once and not usable: whatever is wrong with the cache, this is right. */
		fetch_anyway = true;
	} while (r == -EALREADY);
	return r;
}

errint_t files_open_ahead(struct files *f, const struct place *place, struct file **ret)
{
	return get_file(f, place, NULL, NULL, ret);
}

bool files_has_extent(const struct file *file, uint32_t extent)
{
	/* Without a file there is nowhere to put it. */
	return !file->parts || !files_parts_is_sound(file) || file->parts->part.whole || atomic_load(&file->parts->states[extent]) != PART_ABSENT;
}

void files_take_ahead(struct files *f, struct file *file, uint32_t extent, const void *object, size_t size)
{
	if (file->parts)
		files_parts_take(f, file, extent, object, size);
}

void files_hold(struct files *f, struct file *file)
{
	struct files_shard *shard = shard_of(f, file->ino);

	pthread_mutex_lock(&shard->lock);
	file->refs++;
	pthread_mutex_unlock(&shard->lock);
}

void files_release(struct files *f, struct file *file)
{
	struct files_shard *shard = shard_of(f, file->ino);
	bool last;

	pthread_mutex_lock(&shard->lock);
	last = --file->refs == 0;
	if (last) {
		cache_unpin(f->cache, &file->key);
		last = !keep_ready(f, shard, file);
	}
	if (last)
		take_off(shard, file);
	pthread_mutex_unlock(&shard->lock);
	if (last)
		free_file(file);
}

/*
 * Behind our back a file of the cache can be cut short: then the kernel would show what is missing as an end, or as zeros. In a descriptor that was removed
 * it is still whole.
 */
bool files_parts_check(struct files *f, struct file *file)
{
	struct stat s;

	if (file->fd < 0 || (fstat(file->fd, &s) == 0 && (uint64_t)s.st_size >= file->base + file->size))
		return true;
	/* Without memory for it the read fails: better than a wrong byte. */
	(void)files_parts_lose(f, file);
	return false;
}

bool files_is_whole(struct files *f, struct file *file)
{
	return !file->parts && files_parts_check(f, file);
}

void files_distrust(struct files *f, const struct digest *key)
{
	for (unsigned i = 0; i < FILES_SHARDS; i++) {
		pthread_mutex_lock(&f->shards[i].lock);
		for (struct file *file = f->shards[i].files; file; file = file->next)
			if (digest_equal(&file->key, key))
				(void)files_parts_lose(f, file);
		pthread_mutex_unlock(&f->shards[i].lock);
	}
}

errint_t files_read(struct files *f, struct file_read *r)
{
	r->data = NULL;
	if (files_is_whole(f, r->file))
		return 0;
	return r->file->parts ? files_parts_read(f, r) : -EIO;
}

errint_t files_key(const struct place *place, struct digest *ret)
{
	struct catalog_extent e;

	if (!S_ISREG(place->inode.mode) || place->inode.count == 0)
		return -ENODATA;
	if (!is_single(place, &e))
		return place->inode.count == 1 ? -ENODATA : files_parts_key(place, ret);
	*ret = e.digest;
	return 0;
}

errint_t files_cache_key(const struct place *place, struct digest *ret)
{
	struct catalog_extent e;
	struct catalog_object o;

	if (!S_ISREG(place->inode.mode) || !is_single(place, &e))
		return files_key(place, ret);
	if (catalog_object(&place->tree->c, e.object, &o) < 0)
		return -EIO;
	*ret = o.digest;
	return 0;
}

uint64_t files_cached(struct files *f, const struct place *place)
{
	_cleanup_free_ uint8_t *claimed = NULL;
	uint64_t bytes = 0;
	struct digest key;

	if (files_cache_key(place, &key) < 0 || cache_has(f->cache, &key))
		return place->inode.size;
	claimed = calloc(1, place->inode.count);
	if (!claimed)
		return 0;
	if (place->inode.count > 1)
		cache_part_peek(f->cache, &key, place->inode.count, claimed);
	for (uint32_t i = 0; i < place->inode.count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&place->tree->c, &place->inode, i, &e) == 0 && (claimed[i] || e.object == CATALOG_NONE))
			bytes += e.length;
	}
	return bytes;
}
