/* SPDX-License-Identifier: MIT */
/* The table of open files, and files of one piece; see files.h. One struct file for each inode that is open, however often. */
#include "fetchfs/client/files_private.h"
#include "common/io.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define READY_SIZE (128 * KIB)	/* what one read brings is not kept ready */
#define MAX_PACK_RUN 5		/* packs that are fetched ahead: one less */
#define NEAR_PACKS 2		/* a step so small is still reading in order */

errint_t files_new(struct store *store, struct cache *cache, struct stats *stats, enum files_verify verify, struct files **ret)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->store = store;
	f->cache = cache;
	f->stats = stats;
	f->verify = verify;
	pthread_mutex_init(&f->slots_lock, NULL);
	for (unsigned i = 0; i < FILES_SHARDS; i++)
		pthread_mutex_init(&f->shards[i].lock, NULL);
	*ret = f;
	return 0;
}

void files_keep_ready(struct files *f)
{
	f->keep_ready = true;
}

/* Its key is no longer pinned. */
static void free_file(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	files_parts_free(file->parts);
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

/*
 * Where packs are read one after the other (as by find | cat, or a backup), the next ones are fetched before they are asked for. last_object holds
 * the index + 1; a miss begins it, and it goes on as long as the reader is near. What lies before the horizon was asked for already.
 */
static void note_use(struct files *f, struct tree *t, uint32_t object, bool miss)
{
	unsigned last = atomic_load_explicit(&t->last_object, memory_order_relaxed);
	unsigned run = atomic_load_explicit(&t->object_run, memory_order_relaxed);

	if (last == object + 1 || (!miss && run == 0))
		return;
	atomic_store_explicit(&t->last_object, object + 1, memory_order_relaxed);
	if (last == 0 || object + 1 < last || object + 1 - last > NEAR_PACKS)
		run = 0;
	if (run == 0)
		atomic_store_explicit(&t->object_horizon, object + 1, memory_order_relaxed);
	/* A jump to what is cached ends it. */
	if ((run > 0 || miss) && run < MAX_PACK_RUN)
		run++;
	atomic_store_explicit(&t->object_run, run, memory_order_relaxed);
	for (unsigned i = 1; i < run; i++) {
		struct catalog_object o;
		if (object + i < atomic_load_explicit(&t->object_horizon, memory_order_relaxed))
			continue;
		atomic_store_explicit(&t->object_horizon, object + i + 1, memory_order_relaxed);
		if (catalog_object(&t->c, object + i, &o) < 0 || o.kind != CATALOG_OBJECT_PACK)
			continue;
		store_prefetch(f->store, &(struct store_object){ .digest = o.digest, .stored_size = o.stored_size, .size = o.size,
								  .is_pack = true });
	}
}

static bool is_in_order(const struct file *file, const struct catalog_extent *e)
{
	_cleanup_free_ void *data = malloc((size_t)e->length);
	struct digest found;

	if (!data || io_pread_full(file->fd, data, (size_t)e->length, e->offset) != (ssize_t)e->length)
		return false;
	digest_of(data, (size_t)e->length, &found);
	return digest_equal(&found, &e->digest);
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
	/* The store puts packs, and those who wait the chunk that they wait for. */
	if (r < 0 && !o->is_pack)
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

	if (!f->keep_ready || !files_parts_is_sound(file) || (!file->parts && file->size <= READY_SIZE))
		return false;
	while (other && (other == file || other->refs > 0 || !other->parts != !file->parts))
		other = other->next;
	if (other) {
		take_off(shard, other);
		free_file(other);
	}
	return true;
}

/* The open file of this inode, or a new one. object: what holds it, verified, where it was just fetched; without it -ENOENT where it is not cached. */
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
		bool fits = is_single(&o->place, &e) && catalog_object(&o->place.tree->c, e.object, &co) == 0 &&
			    files_extent_data(&e, &co, object, size);
		r = fits ? get_file(o->files, &o->place, &e, object, &file) : -EIO;
	}
	o->opened(o, r, file);
}

/* The object that holds it is fetched; -EALREADY: it has come meanwhile. */
static errint_t wait_for_object(struct files *f, const struct place *place, const struct catalog_extent *e, struct file_open *o)
{
	struct tree *t = place->tree;
	struct catalog_object co;
	struct store_object wanted;
	uint32_t object = e->object;
	errint_t r = files_extent_object(t, e, &co, &wanted);

	if (r < 0)
		return r;
	o->waiter.ready = object_ready;
	o->files = f;
	o->place = *place;
	/* When it returns 0, *o may be gone. */
	r = store_fetch(f->store, &wanted, &o->waiter);
	if (r == 0) {
		stats_add(f->stats, cache_misses, 1);
		if (wanted.is_pack)
			note_use(f, t, object, true);
	}
	return r == 0 ? -EINPROGRESS : r;
}

errint_t files_open(struct files *f, const struct place *place, struct file_open *o, struct file **ret)
{
	struct catalog_extent e;
	bool single = is_single(place, &e);
	errint_t r;

	stats_add(f->stats, opens, 1);
	do {
		r = get_file(f, place, single ? &e : NULL, NULL, ret);
		if (r == 0) {
			stats_add(f->stats, cache_hits, 1);
			if (single)
				note_use(f, place->tree, e.object, false);
		} else if (r == -ENOENT && single) {
			r = wait_for_object(f, place, &e, o);
		}
		o->waiter.fetch_anyway = true;
	} while (r == -EALREADY);
	return r;
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
