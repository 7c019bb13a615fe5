/* SPDX-License-Identifier: MIT */
/*
 * Files of several extents: filled as they are read, each extent verified as it comes (or, where an earlier run stored it, before its first use), the next
 * ones fetched ahead when the file is read in order. Where the cache does not take an extent, reads are answered from memory.
 */
#include "fetchfs/client/files_private.h"
#include "common/io.h"

#define MAX_AHEAD 8		/* extents: 16 MB */
#define WHOLE_AT_ONCE 4		/* a file of so many extents is mostly a program, read to and fro: all of it is fetched at its first read */
#define ZERO_BLOCK 65536
#define VERIFY_SIZE (2 * MIB)	/* an extent, beside the answer that is made of it */
#define MAX_ROUNDS 3

static void describe_extent(struct digest_state *state, const struct catalog_extent *e)
{
	uint8_t record[CACHE_LIST_RECORD];

	cache_list_record(&e->digest, e->length, record);
	digest_add(state, record, sizeof(record));
}

errint_t files_parts_key(const struct place *p, struct digest *ret)
{
	struct digest_state state;

	digest_begin(&state);
	for (uint32_t i = 0; i < p->inode.count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
			return -EIO;
		describe_extent(&state, &e);
	}
	digest_end(&state, ret);
	return 0;
}

/* The digest over each extent's digest and length: equal lists are equal files. A file of one piece has its key already. */
static errint_t describe(struct file_parts *parts, const struct file *file, struct digest *ret_key)
{
	struct digest_state state;
	uint64_t at = 0;

	digest_begin(&state);
	for (uint32_t i = 0; i < parts->count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&parts->tree->c, &parts->inode, i, &e) < 0)
			return -EIO;
		describe_extent(&state, &e);
		parts->starts[i] = at;
		if (e.length > file->size - at)
			return -EIO;
		at += e.length;
		/* A hole is there from the beginning: the file is made of holes. */
		if (e.object == CATALOG_NONE)
			atomic_store(&parts->states[i], PART_PRESENT);
		else
			parts->missing++;
	}
	parts->starts[parts->count] = at;
	if (at != file->size)
		return -EIO;
	digest_end(&state, ret_key);
	return 0;
}

static errint_t new_parts(const struct file *file, struct file_parts **ret, struct digest *ret_key)
{
	struct file_parts *parts = calloc(1, sizeof(*parts));
	errint_t r;

	if (!parts)
		return -ENOMEM;
	parts->tree = file->tree;
	snapshot_hold(parts->tree);
	parts->inode = file->inode;
	parts->count = file->inode.count;
	parts->part.fd = parts->part.map_fd = -1;
	parts->starts = calloc((size_t)parts->count + 1, sizeof(*parts->starts));
	parts->states = calloc(parts->count ? parts->count : 1, sizeof(*parts->states));
	r = parts->starts && parts->states ? describe(parts, file, ret_key) : -ENOMEM;
	if (r < 0)
		files_parts_free(parts);
	else
		*ret = parts;
	return r;
}

/* What is not known to be absent has to be verified. */
static void claim(struct file_parts *parts, const uint8_t *claimed)
{
	for (uint32_t i = 0; i < parts->count; i++)
		if ((!claimed || claimed[i]) && atomic_load(&parts->states[i]) == PART_ABSENT)
			atomic_store(&parts->states[i], PART_CLAIMED);
}

static errint_t open_part(struct files *f, struct file *file, struct file_parts *parts)
{
	_cleanup_free_ uint8_t *claimed = calloc(1, parts->count ? parts->count : 1);

	if (!claimed)
		return -ENOMEM;
	parts->part = (struct cache_part){ .key = file->key, .fd = -1, .map_fd = -1 };
	/* Without a file the extents are served from memory. */
	if (cache_part_open(f->cache, &file->key, file->size, parts->count, &parts->part, claimed) < 0)
		return 0;
	claim(parts, parts->part.whole ? NULL : claimed);
	return 0;
}

/*
 * A hole in a file that was there before may hold rubbish after a crash. Rare and quick enough to look at: files without claims have none.
 */
static bool is_zero(int fd, uint64_t at, uint64_t size)
{
	static const uint8_t zeros[ZERO_BLOCK];
	_cleanup_free_ uint8_t *block = NULL;

	while (size > 0) {
		size_t n = (size_t)MIN(size, (uint64_t)ZERO_BLOCK);
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		if (data < 0 || (uint64_t)data >= at + size)
			return true;
		if ((uint64_t)data > at) {
			size -= (uint64_t)data - at;
			at = (uint64_t)data;
			continue;
		}
		if (!block && !(block = malloc(ZERO_BLOCK)))
			return false;
		if (io_pread_full(fd, block, n, at) != (ssize_t)n || memcmp(block, zeros, n) != 0)
			return false;
		at += n;
		size -= n;
	}
	return true;
}

static bool holes_are_zero(const struct file_parts *parts)
{
	for (uint32_t i = 0; i < parts->count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&parts->tree->c, &parts->inode, i, &e) < 0)
			return false;
		if (e.object == CATALOG_NONE && !is_zero(parts->part.fd, parts->starts[i], e.length))
			return false;
	}
	return true;
}

/* Not worth mending: it begins anew. */
static errint_t start_again(struct files *f, struct file *file, struct file_parts *parts)
{
	for (uint32_t i = 0; i < parts->count; i++)
		if (atomic_load(&parts->states[i]) == PART_CLAIMED)
			atomic_store(&parts->states[i], PART_ABSENT);
	cache_part_drop(f->cache, &parts->part);
	cache_part_close(&parts->part);
	return open_part(f, file, parts);
}

static void finish(struct files *f, struct file_parts *parts)
{
	/* Whoever has it open goes on with its descriptor; the next open finds the whole file. */
	if (parts->part.fd >= 0 && parts->part.whole == parts->part.doubtful && !atomic_load(&parts->lost))
		(void)cache_part_finish(f->cache, &parts->part);
}

static void put_list(struct files *f, const struct file *file, const struct file_parts *parts)
{
	_cleanup_free_ uint8_t *list = calloc(parts->count ? parts->count : 1, CACHE_LIST_RECORD);
	struct catalog_extent e;

	for (uint32_t i = 0; list && i < parts->count; i++) {
		if (catalog_extent(&parts->tree->c, &parts->inode, i, &e) < 0)
			return;
		cache_list_record(&e.digest, e.length, list + (size_t)i * CACHE_LIST_RECORD);
	}
	if (list)
		cache_put_list(f->cache, &file->key, list, (size_t)parts->count * CACHE_LIST_RECORD);
}

errint_t files_parts_open(struct files *f, struct file *file)
{
	struct file_parts *parts;
	bool trusted;
	errint_t r = new_parts(file, &parts, &file->key);

	if (r < 0)
		return r;
	/* Whoever gives the file up undoes the pin. */
	cache_pin(f->cache, &file->key);
	r = open_part(f, file, parts);
	trusted = parts->part.whole && !parts->part.doubtful && f->verify == FILES_VERIFY_NOT;
	if (r == 0 && parts->part.fd >= 0 && !trusted && !holes_are_zero(parts))
		r = start_again(f, file, parts);
	if (r < 0) {
		cache_part_close(&parts->part);
		files_parts_free(parts);
		return r;
	}
	file->fd = parts->part.fd;
	if (!parts->part.whole && file->fd >= 0)
		put_list(f, file, parts);
	if (parts->part.whole == parts->part.doubtful && parts->missing == 0) {
		finish(f, parts);
		parts->part.whole = parts->part.fd >= 0;
		parts->part.doubtful = false;
	}
	if (parts->part.whole && !parts->part.doubtful && f->verify == FILES_VERIFY_NOT) {
		files_parts_free(parts);
		return 0;
	}
	file->parts = parts;
	return 0;
}

errint_t files_parts_wrap(struct file *file)
{
	struct file_parts *parts;
	struct digest ignored;
	errint_t r = new_parts(file, &parts, &ignored);

	if (r < 0)
		return r;
	parts->base = file->base;
	parts->part = (struct cache_part){ .key = file->key, .fd = file->fd, .map_fd = -1, .whole = file->fd >= 0 };
	if (file->fd >= 0)
		claim(parts, NULL);
	file->parts = parts;
	return 0;
}

errint_t files_parts_lose(struct files *f, struct file *file)
{
	struct cache_part lost = { .key = file->key, .fd = file->fd, .map_fd = -1 };
	struct file_parts *parts = NULL;
	struct digest ignored;
	errint_t r = 0;

	pthread_mutex_lock(&file->lock);
	if (!file->parts) {
		r = new_parts(file, &parts, &ignored);
		if (r == 0)
			atomic_store(&parts->lost, true);
		if (r == 0)
			file->parts = parts;
	} else {
		lost.doubtful = file->parts->part.doubtful;
		if (atomic_exchange(&file->parts->lost, true))
			lost.fd = -1;
	}
	pthread_mutex_unlock(&file->lock);
	if (lost.fd >= 0)
		cache_part_drop(f->cache, &lost);
	return r;
}

bool files_parts_is_sound(const struct file *file)
{
	return file->fd >= 0 && !(file->parts && atomic_load(&file->parts->lost));
}

/* The descriptor is the file's. */
void files_parts_free(struct file_parts *p)
{
	if (!p)
		return;
	snapshot_release(p->tree);
	if (p->part.map_fd >= 0)
		close(p->part.map_fd);
	free(p->starts);
	free((void *)p->states);
	free(p);
}

/* Where extents can be read and (but for a whole file) written; -1: nowhere. */
static int part_fd(const struct file_parts *p)
{
	return atomic_load(&p->lost) ? -1 : p->part.fd;
}

static bool is_there(const struct file_parts *p, uint32_t i)
{
	return part_fd(p) >= 0 && atomic_load(&p->states[i]) == PART_PRESENT;
}

static uint32_t extent_at(const struct file_parts *p, uint64_t offset)
{
	uint32_t low = 0, high = p->count;

	/* The last one that starts at or before it. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (p->starts[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void mark_present(struct files *f, struct file_parts *p, uint32_t i)
{
	if (atomic_exchange(&p->states[i], PART_PRESENT) == PART_PRESENT)
		return;
	if (atomic_fetch_sub(&p->missing, 1) == 1)
		finish(f, p);
}

static void verify_claim(struct files *f, struct file_parts *p, uint32_t i, const struct catalog_extent *e)
{
	if (cache_range_is(part_fd(p), p->base + p->starts[i], e->length, &e->digest)) {
		mark_present(f, p, i);
		return;
	}
	if (p->part.whole) {
		/* It cannot be mended in its place: the next open begins a new one. */
		atomic_store(&p->lost, true);
		cache_part_drop(f->cache, &p->part);
	} else {
		stats_add(f->stats, cache_bad, 1);
	}
	unsigned char claimed = PART_CLAIMED;
	(void)atomic_compare_exchange_strong(&p->states[i], &claimed, PART_ABSENT);
}

/* An extent that is fetched before it is asked for. Holds the file. */
struct ahead {
	struct store_waiter waiter;
	struct files *files;
	struct file *file;
	uint32_t extent;
};

static const void *extent_in_object(const struct file_parts *p, uint32_t i, const void *object, size_t size, struct catalog_extent *ret)
{
	struct catalog_object o;

	if (catalog_extent(&p->tree->c, &p->inode, i, ret) < 0 || catalog_object(&p->tree->c, ret->object, &o) < 0)
		return NULL;
	return files_extent_data(ret, &o, object, size);
}

void files_parts_take(struct files *f, struct file *file, uint32_t extent, const void *object, size_t size)
{
	struct file_parts *p = file->parts;
	struct catalog_extent e;
	const void *data = extent_in_object(p, extent, object, size, &e);

	if (!data || part_fd(p) < 0 || p->part.whole || atomic_load(&p->states[extent]) == PART_PRESENT)
		return;
	if (cache_part_write(f->cache, &p->part, extent, data, (size_t)e.length, p->starts[extent]) == 0)
		mark_present(f, p, extent);
	else
		atomic_store(&p->full, true);
}

static void ahead_ready(struct store_waiter *w, errint_t r, const void *object, size_t size)
{
	struct ahead *a = (struct ahead *)(void *)w;

	if (r == 0)
		files_parts_take(a->files, a->file, a->extent, object, size);
	files_release(a->files, a->file);
	free(a);
}

static bool ahead_is_there(const struct store_waiter *w, const struct store_object *o)
{
	const struct ahead *a = (const struct ahead *)(const void *)w;

	return is_there(a->file->parts, a->extent) || (o->is_pack && cache_has(a->files->cache, &o->digest));
}

static void prefetch_extent(struct files *f, struct file *file, uint32_t i)
{
	struct file_parts *p = file->parts;
	struct catalog_extent e;
	struct catalog_object o;
	struct store_object wanted;
	struct ahead *a;

	if (atomic_load(&p->states[i]) != PART_ABSENT || catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
		return;
	if (files_extent_object(p->tree, &e, &o, &wanted) < 0 || (wanted.is_pack && cache_has(f->cache, &wanted.digest)) || !(a = calloc(1, sizeof(*a))))
		return;
	files_hold(f, file);
	*a = (struct ahead){ .waiter = { .ready = ahead_ready, .is_there = ahead_is_there, .background = true }, .files = f, .file = file, .extent = i };
	if (store_fetch(f->store, &wanted, &a->waiter) == -EALREADY)
		ahead_ready(&a->waiter, -EALREADY, NULL, 0);
}

/* Reading on from one extent to the next doubles what is fetched ahead; a jump starts anew. */
static void read_ahead(struct files *f, struct file *file, uint32_t i)
{
	struct file_parts *p = file->parts;
	unsigned last = atomic_exchange(&p->last_extent, i + 1);
	unsigned run = atomic_load(&p->run);

	if (last == i + 1 || part_fd(p) < 0 || p->part.whole || atomic_load(&p->full))
		return;
	if (last == 0 && p->count <= WHOLE_AT_ONCE)
		for (uint32_t n = 0; n < p->count; n++)
			if (n != i)
				prefetch_extent(f, file, n);
	run = last == i ? MIN(run ? 2 * run : 1, MAX_AHEAD) : 0;
	atomic_store(&p->run, run);
	for (uint32_t n = 1; n <= run && i + n < p->count; n++)
		prefetch_extent(f, file, i + n);
}

/* The part of extent i that the read wants: where in the extent, how much; returns where it goes. */
static char *wanted_part(const struct file_read *r, uint32_t i, uint64_t *ret_from, size_t *ret_size)
{
	const struct file_parts *p = r->file->parts;
	uint64_t from = MAX(p->starts[i], r->offset), to = MIN(p->starts[i + 1], r->offset + r->size);

	*ret_from = from - p->starts[i];
	*ret_size = (size_t)(to - from);
	return r->data + (from - r->offset);
}

static void copy_extent(struct file_read *r, uint32_t i, const void *extent)
{
	uint64_t from;
	size_t size;
	char *to = wanted_part(r, i, &from, &size);

	memcpy(to, (const uint8_t *)extent + from, size);
}

/* From here on all of the read goes through memory, and it begins anew. */
static errint_t go_to_memory(struct files *f, struct file_read *r)
{
	r->reserved = r->size + (f->verify == FILES_VERIFY_ALWAYS ? VERIFY_SIZE : 0);
	memory_take_waiting(f->memory, MEMORY_READS, r->reserved);
	r->data = malloc(r->size);
	r->extent = extent_at(r->file->parts, r->offset);
	if (r->data)
		return 0;
	files_read_free(f, r);
	return -ENOMEM;
}

void files_read_free(struct files *f, struct file_read *r)
{
	memory_give(f->memory, MEMORY_READS, r->reserved);
	r->reserved = 0;
	free(r->data);
	r->data = NULL;
}

/* -ENOENT: the file has lost it. */
static errint_t read_present(struct files *f, struct file_read *r, uint32_t i)
{
	uint64_t from;
	size_t size;
	char *to = wanted_part(r, i, &from, &size);

	if (io_pread_full(r->file->fd, to, size, r->file->base + r->file->parts->starts[i] + from) == (ssize_t)size)
		return 0;
	(void)files_parts_lose(f, r->file);
	return -ENOENT;
}

/* All of the extent is read for it, or has been a moment ago. -ENOENT: it is damaged, and does not count as there any more. */
static errint_t read_verified(struct files *f, struct file_read *r, uint32_t i, const struct catalog_extent *e)
{
	struct file_parts *p = r->file->parts;
	_cleanup_free_ void *extent = malloc((size_t)e->length);
	struct digest found;

	if (!extent)
		return -ENOMEM;
	if (io_pread_full(r->file->fd, extent, (size_t)e->length, r->file->base + p->starts[i]) == (ssize_t)e->length) {
		digest_of(extent, (size_t)e->length, &found);
		if (digest_equal(&found, &e->digest)) {
			files_slot_put(f, &e->digest, extent, (size_t)e->length);
			copy_extent(r, i, extent);
			return 0;
		}
	}
	(void)files_parts_lose(f, r->file);
	return -ENOENT;
}

static bool take_slot(struct files *f, struct file_read *r, uint32_t i, const struct catalog_extent *e)
{
	struct catalog_object o;
	uint64_t from;
	size_t size;
	char *to = wanted_part(r, i, &from, &size);

	return files_slot_copy(f, &e->digest, from, size, to) ||
	       (catalog_object(&r->file->parts->tree->c, e->object, &o) == 0 && files_slot_copy(f, &o.digest, e->offset + from, size, to));
}

static bool is_in_slot(struct files *f, const struct file_parts *p, const struct catalog_extent *e)
{
	struct catalog_object o;

	return files_slot_copy(f, &e->digest, 0, 0, NULL) ||
	       (catalog_object(&p->tree->c, e->object, &o) == 0 && files_slot_copy(f, &o.digest, e->offset, 0, NULL));
}

/*
 * Stores a verified extent, and gives the read what it wants of it where that is only in memory. -EAGAIN: the read has begun anew, through memory, where
 * the extent is for now.
 */
static errint_t take_data(struct files *f, struct file_read *r, uint32_t i, const void *data, const struct catalog_extent *e)
{
	struct file_parts *p = r->file->parts;
	bool stored = is_there(p, i);

	if (!stored && part_fd(p) >= 0 && !p->part.whole && cache_part_write(f->cache, &p->part, i, data, (size_t)e->length, p->starts[i]) == 0) {
		mark_present(f, p, i);
		stored = true;
	}
	if (!stored) {
		atomic_store(&p->full, true);
		files_slot_put(f, &e->digest, data, (size_t)e->length);
		if (!r->data)
			return go_to_memory(f, r) < 0 ? -ENOMEM : -EAGAIN;
	}
	if (r->data)
		copy_extent(r, i, data);
	return 0;
}

/*
 * The tail of a file may be in the cache with the pack that holds it. Verified here, and goes where an extent goes that was fetched.
 */
static errint_t take_cached(struct files *f, struct file_read *r, uint32_t i, const struct catalog_extent *e)
{
	struct file_parts *p = r->file->parts;
	struct cache_part pack = { .fd = -1 };
	_cleanup_free_ void *data = NULL;
	struct catalog_object o;
	struct digest found;
	errint_t error;

	if (catalog_object(&p->tree->c, e->object, &o) < 0 || o.kind != CATALOG_OBJECT_PACK ||
	    cache_find(f->cache, &o.digest, o.size, &pack.fd) < 0)
		return -ENOENT;
	pack.key = o.digest;
	data = malloc((size_t)e->length);
	error = data ? -ENOENT : -ENOMEM;
	if (data && io_pread_full(pack.fd, data, (size_t)e->length, e->offset) == (ssize_t)e->length) {
		digest_of(data, (size_t)e->length, &found);
		if (digest_equal(&found, &e->digest))
			error = take_data(f, r, i, data, e);
	}
	if (error == -ENOENT)
		cache_part_drop(f->cache, &pack);
	close(pack.fd);
	return error;
}

static void extent_ready(struct store_waiter *w, errint_t result, const void *object, size_t size);

static bool extent_is_there(const struct store_waiter *w, const struct store_object *o)
{
	const struct file_read *r = (const struct file_read *)(const void *)w;

	return is_there(r->file->parts, r->extent) || (o->is_pack && cache_has(r->files->cache, &o->digest));
}

/*
 * Memory that others wait for is not kept through a wait for the network: the read begins anew after it. Whoever had to do that again and again keeps his,
 * beyond the budget.
 */
static void let_go(struct files *f, struct file_read *r)
{
	if (!r->data)
		return;
	if (r->rounds < MAX_ROUNDS) {
		files_read_free(f, r);
		r->rounds++;
		r->restart = true;
	} else {
		memory_give(f->memory, MEMORY_READS, r->reserved);
		r->reserved = 0;
	}
}

static void begin_anew(struct file_read *r)
{
	if (r->restart)
		r->extent = extent_at(r->file->parts, r->offset);
	r->restart = false;
}

static errint_t fetch(struct files *f, struct file_read *r, const struct catalog_extent *e)
{
	struct catalog_object o;
	struct store_object wanted;
	errint_t error = files_extent_object(r->file->parts->tree, e, &o, &wanted);

	if (error < 0)
		return error;
	r->waiter.ready = extent_ready;
	r->waiter.is_there = r->fetch_anyway ? NULL : extent_is_there;
	r->files = f;
	let_go(f, r);
	/* From here on it belongs to whoever serves it. */
	if (store_fetch(f->store, &wanted, &r->waiter) == 0)
		return -EINPROGRESS;
	/* It has come meanwhile; should it be of no use, it is fetched all the same. */
	r->fetch_anyway = true;
	begin_anew(r);
	return -EAGAIN;
}

/* Where the read's bytes come from a descriptor, a hole is there already. */
static void take_hole(struct file_read *r, uint32_t i)
{
	uint64_t from;
	size_t size;
	char *to = r->data ? wanted_part(r, i, &from, &size) : NULL;

	if (to)
		memset(to, 0, size);
}

/* One extent from what is here. -ENOENT: it has to be fetched; -EAGAIN: the read has begun anew. */
static errint_t serve(struct files *f, struct file_read *r, uint32_t i, const struct catalog_extent *e)
{
	struct file_parts *p = r->file->parts;
	bool always = f->verify == FILES_VERIFY_ALWAYS, has_fd = part_fd(p) >= 0;

	if (!r->data && (always || !has_fd))
		return go_to_memory(f, r) < 0 ? -ENOMEM : -EAGAIN;
	if (e->object == CATALOG_NONE) {
		take_hole(r, i);
		return 0;
	}
	if (!r->data && atomic_load(&p->states[i]) != PART_PRESENT && (p->part.whole || atomic_load(&p->full)) && is_in_slot(f, p, e))
		return go_to_memory(f, r) < 0 ? -ENOMEM : -EAGAIN;
	if (r->data && take_slot(f, r, i, e))
		return 0;
	if (!always && has_fd && atomic_load(&p->states[i]) == PART_CLAIMED)
		verify_claim(f, p, i, e);
	if (!has_fd || atomic_load(&p->states[i]) == PART_ABSENT)
		return take_cached(f, r, i, e);
	if (always)
		return read_verified(f, r, i, e);
	if (!is_there(p, i))
		return -ENOENT;
	return r->data ? read_present(f, r, i) : 0;
}

/* From r->extent on. */
static errint_t advance(struct files *f, struct file_read *r)
{
	struct file_parts *p = r->file->parts;
	uint64_t end = r->offset + r->size;

	while (r->extent < p->count && p->starts[r->extent] < end) {
		struct catalog_extent e;
		errint_t error;
		if (catalog_extent(&p->tree->c, &p->inode, r->extent, &e) < 0)
			return -EIO;
		error = serve(f, r, r->extent, &e);
		if (error == -ENOENT)
			error = fetch(f, r, &e);
		if (error < 0 && error != -EAGAIN)
			return error;
		if (error == 0) {
			r->extent++;
			r->fetch_anyway = false;
		}
	}
	return 0;
}

static errint_t take_extent(struct files *f, struct file_read *r, const void *object, size_t size)
{
	struct catalog_extent e;
	const void *data = extent_in_object(r->file->parts, r->extent, object, size, &e);
	errint_t error = data ? take_data(f, r, r->extent, data, &e) : -EIO;

	/* It has begun anew, or goes on. */
	if (error == 0)
		r->extent++;
	if (error == 0)
		begin_anew(r);
	return error == -EAGAIN ? 0 : error;
}

/* While it waited the file may have been cut short. */
static errint_t look_again(struct files *f, struct file_read *r)
{
	if (r->data || files_parts_check(f, r->file))
		return 0;
	r->extent = extent_at(r->file->parts, r->offset);
	return advance(f, r);
}

static void extent_ready(struct store_waiter *w, errint_t result, const void *object, size_t size)
{
	struct file_read *r = (struct file_read *)(void *)w;

	if (result == 0)
		result = take_extent(r->files, r, object, size);
	if (result == 0)
		result = advance(r->files, r);
	if (result == 0)
		result = look_again(r->files, r);
	if (result == -EINPROGRESS)
		return;
	if (result < 0)
		files_read_free(r->files, r);
	r->done(r, result);
}

errint_t files_parts_read(struct files *f, struct file_read *r)
{
	struct file_parts *p = r->file->parts;
	errint_t result;

	(void)files_parts_check(f, r->file);
	r->extent = extent_at(p, r->offset);
	read_ahead(f, r->file, extent_at(p, r->offset + r->size - 1));
	result = advance(f, r);
	if (result < 0 && result != -EINPROGRESS)
		files_read_free(f, r);
	return result;
}
