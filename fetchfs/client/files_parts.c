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

/* The digest over each extent's digest and length: equal lists are equal files. */
static void describe_extent(struct digest_state *state, const struct catalog_extent *e)
{
	uint8_t record[DIGEST_SIZE + 8];

	memcpy(record, e->digest.bytes, DIGEST_SIZE);
	le64_put(record + DIGEST_SIZE, e->length);
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

static errint_t describe(const struct place *p, struct file_parts *parts, struct digest *ret_key)
{
	struct digest_state state;
	uint64_t at = 0;

	digest_begin(&state);
	for (uint32_t i = 0; i < parts->count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
			return -EIO;
		describe_extent(&state, &e);
		parts->starts[i] = at;
		if (e.length > p->inode.size - at)
			return -EIO;
		at += e.length;
		/* A hole is there from the beginning: the file is made of holes. */
		if (e.object == CATALOG_NONE)
			atomic_store(&parts->states[i], PART_PRESENT);
		else
			parts->missing++;
	}
	parts->starts[parts->count] = at;
	if (at != p->inode.size)
		return -EIO;
	digest_end(&state, ret_key);
	return 0;
}

static errint_t open_part(struct files *f, struct file *file, struct file_parts *parts)
{
	_cleanup_free_ uint8_t *claimed = calloc(1, parts->count);

	if (!claimed)
		return -ENOMEM;
	parts->part = (struct cache_part){ .key = file->key, .fd = -1, .map_fd = -1 };
	/* Without a file the extents are served from memory. */
	if (cache_part_open(f->cache, &file->key, file->size, parts->count, &parts->part, claimed) < 0)
		return 0;
	for (uint32_t i = 0; i < parts->count; i++)
		if (claimed[i] && atomic_load(&parts->states[i]) == PART_ABSENT)
			atomic_store(&parts->states[i], PART_CLAIMED);
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

static bool holes_are_zero(const struct place *p, const struct file_parts *parts)
{
	for (uint32_t i = 0; i < parts->count; i++) {
		struct catalog_extent e;
		if (catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
			return false;
		if (e.object == CATALOG_NONE && !is_zero(parts->part.fd, parts->starts[i], e.length))
			return false;
	}
	return true;
}

static void finish(struct files *f, struct file_parts *parts)
{
	/* Whoever has it open goes on with its descriptor; the next open finds the whole file. */
	if (parts->part.fd >= 0)
		(void)cache_part_finish(f->cache, &parts->part);
}

errint_t files_parts_open(struct files *f, const struct place *p, struct file *file)
{
	struct file_parts *parts = calloc(1, sizeof(*parts));
	errint_t r = parts ? 0 : -ENOMEM;

	if (!parts)
		return r;
	parts->tree = p->tree;
	snapshot_hold(parts->tree);
	parts->inode = p->inode;
	parts->count = p->inode.count;
	parts->part.fd = parts->part.map_fd = -1;
	pthread_mutex_init(&parts->spare_lock, NULL);
	parts->starts = calloc((size_t)parts->count + 1, sizeof(*parts->starts));
	parts->states = calloc(parts->count ? parts->count : 1, sizeof(*parts->states));
	r = parts->starts && parts->states ? describe(p, parts, &file->key) : -ENOMEM;
	if (r == 0) {
		cache_pin(f->cache, &file->key);
		r = open_part(f, file, parts);
		/* free_file undoes the pin. */
	}
	if (r == 0 && parts->part.fd >= 0 && !parts->part.whole && !holes_are_zero(p, parts)) {
		/* Not worth mending. */
		if (ftruncate(parts->part.fd, 0) < 0 || ftruncate(parts->part.fd, (off_t)file->size) < 0)
			r = -EIO;
		for (uint32_t i = 0; i < parts->count; i++)
			if (atomic_load(&parts->states[i]) == PART_CLAIMED)
				atomic_store(&parts->states[i], PART_ABSENT);
	}
	if (r < 0) {
		files_parts_free(parts);
		return r;
	}
	if (!parts->part.whole && parts->missing == 0 && parts->part.fd >= 0) {
		finish(f, parts);
		parts->part.whole = true;
	}
	if (parts->part.whole) {
		file->fd = parts->part.fd;
		parts->part.fd = -1;
		files_parts_free(parts);
		return 0;
	}
	file->fd = parts->part.fd;
	file->parts = parts;
	return 0;
}

void files_parts_free(struct file_parts *p)
{
	if (!p)
		return;
	snapshot_release(p->tree);
	cache_part_close(&p->part);
	pthread_mutex_destroy(&p->spare_lock);
	free(p->spare);
	free(p->starts);
	free((void *)p->states);
	free(p);
}

void files_parts_rest(struct file_parts *p)
{
	pthread_mutex_lock(&p->spare_lock);
	free(p->spare);
	p->spare = NULL;
	pthread_mutex_unlock(&p->spare_lock);
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
	_cleanup_free_ void *data = malloc((size_t)e->length);
	struct digest found;

	if (data && io_pread_full(p->part.fd, data, (size_t)e->length, p->starts[i]) == (ssize_t)e->length) {
		digest_of(data, (size_t)e->length, &found);
		if (digest_equal(&found, &e->digest)) {
			mark_present(f, p, i);
			return;
		}
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

	if (!data || p->part.fd < 0 || atomic_load(&p->states[extent]) == PART_PRESENT)
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

	return atomic_load(&a->file->parts->states[a->extent]) == PART_PRESENT || (o->is_pack && cache_has(a->files->cache, &o->digest));
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

	if (last == i + 1 || p->part.fd < 0 || atomic_load(&p->full))
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

/* Copies the part of extent i that the read wants. */
static void copy_extent(struct file_read *r, uint32_t i, const uint8_t *extent, uint64_t length)
{
	uint64_t start = r->file->parts->starts[i];
	uint64_t from = MAX(start, r->offset), to = MIN(start + length, r->offset + r->size);

	memcpy(r->data + (from - r->offset), extent + (from - start), (size_t)(to - from));
}

static errint_t read_present(struct file_read *r, uint32_t i)
{
	const struct file_parts *p = r->file->parts;
	uint64_t from = MAX(p->starts[i], r->offset), to = MIN(p->starts[i + 1], r->offset + r->size);
	ssize_t n;

	if (p->part.fd < 0) {
		/* A hole of a file that has no file. */
		memset(r->data + (from - r->offset), 0, (size_t)(to - from));
		return 0;
	}
	n = io_pread_full(p->part.fd, r->data + (from - r->offset), (size_t)(to - from), from);
	return n == (ssize_t)(to - from) ? 0 : -EIO;
}

/* The cache did not take an extent: from here on the read goes to memory. What was passed already is read into it. */
static errint_t go_to_memory(struct file_read *r, uint32_t i)
{
	uint32_t first = extent_at(r->file->parts, r->offset);
	errint_t e = 0;

	if (r->data)
		return 0;
	r->data = malloc(r->size);
	if (!r->data)
		return -ENOMEM;
	for (; first < i && e == 0; first++)
		e = read_present(r, first);
	return e;
}

static void keep_spare(struct file_parts *p, uint32_t i, const void *data, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		return;
	memcpy(copy, data, size);
	pthread_mutex_lock(&p->spare_lock);
	free(p->spare);
	p->spare = copy;
	p->spare_extent = i;
	p->spare_size = size;
	pthread_mutex_unlock(&p->spare_lock);
}

/* 0: copied; -ENOENT: it is another extent's. */
static errint_t take_spare(struct file_read *r, uint32_t i)
{
	struct file_parts *p = r->file->parts;
	errint_t error = -ENOENT;

	pthread_mutex_lock(&p->spare_lock);
	if (p->spare && p->spare_extent == i) {
		error = go_to_memory(r, i);
		if (error == 0)
			copy_extent(r, i, p->spare, p->spare_size);
	}
	pthread_mutex_unlock(&p->spare_lock);
	return error;
}

/* The tail of a file may have come into the cache with the pack that holds it. */
static void take_cached(struct files *f, struct file_parts *p, uint32_t i, const struct catalog_extent *e, const struct store_object *pack)
{
	_cleanup_free_ void *data = NULL;
	_cleanup_close_ int fd = -1;

	if (p->part.fd < 0 || cache_find(f->cache, &pack->digest, pack->size, &fd) < 0 || !(data = malloc((size_t)e->length)))
		return;
	if (io_pread_full(fd, data, (size_t)e->length, e->offset) == (ssize_t)e->length &&
	    cache_part_write(f->cache, &p->part, i, data, (size_t)e->length, p->starts[i]) == 0)
		mark_present(f, p, i);
}

static void extent_ready(struct store_waiter *w, errint_t result, const void *object, size_t size);

static bool extent_is_there(const struct store_waiter *w, const struct store_object *o)
{
	const struct file_read *r = (const struct file_read *)(const void *)w;

	return atomic_load(&r->file->parts->states[r->extent]) == PART_PRESENT || (o->is_pack && cache_has(r->files->cache, &o->digest));
}

/* 0: what the read wants of r->extent is there. -EINPROGRESS; -EALREADY: it has come meanwhile, look again. */
static errint_t take_one(struct files *f, struct file_read *r)
{
	struct file_parts *p = r->file->parts;
	uint32_t i = r->extent;
	struct catalog_extent e;
	struct catalog_object o;
	struct store_object wanted;
	errint_t error = 0;

	if (catalog_extent(&p->tree->c, &p->inode, i, &e) < 0)
		return -EIO;
	if (atomic_load(&p->states[i]) == PART_CLAIMED)
		verify_claim(f, p, i, &e);
	if (e.object != CATALOG_NONE)
		error = files_extent_object(p->tree, &e, &o, &wanted);
	if (e.object != CATALOG_NONE && error == 0 && wanted.is_pack && atomic_load(&p->states[i]) == PART_ABSENT)
		take_cached(f, p, i, &e, &wanted);
	if (atomic_load(&p->states[i]) == PART_PRESENT) {
		error = p->part.fd < 0 ? go_to_memory(r, i) : 0;
		return error == 0 && r->data ? read_present(r, i) : error;
	}
	if (error == 0)
		error = take_spare(r, i);
	if (error != -ENOENT)
		return error;
	r->waiter.ready = extent_ready;
	r->waiter.is_there = r->fetch_anyway ? NULL : extent_is_there;
	r->files = f;
	/* From here on it belongs to whoever serves it. */
	if (store_fetch(f->store, &wanted, &r->waiter) == 0)
		return -EINPROGRESS;
	r->fetch_anyway = true;
	return -EALREADY;
}

/* From r->extent on. */
static errint_t advance(struct files *f, struct file_read *r)
{
	struct file_parts *p = r->file->parts;
	uint64_t end = r->offset + r->size;

	while (r->extent < p->count && p->starts[r->extent] < end) {
		errint_t error = take_one(f, r);
		if (error < 0 && error != -EALREADY)
			return error;
		if (error == 0) {
			r->extent++;
			r->fetch_anyway = false;
		}
	}
	return 0;
}

/* Stores the extent, and gives the read what it wants of it where that is only in memory. */
static errint_t take_extent(struct files *f, struct file_read *r, const void *object, size_t size)
{
	struct file_parts *p = r->file->parts;
	struct catalog_extent e;
	const void *data = extent_in_object(p, r->extent, object, size, &e);
	errint_t error = -ENOSPC;

	if (!data)
		return -EIO;
	if (atomic_load(&p->states[r->extent]) == PART_PRESENT)
		return r->data ? (copy_extent(r, r->extent, data, e.length), 0) : 0;
	if (p->part.fd >= 0)
		error = cache_part_write(f->cache, &p->part, r->extent, data, (size_t)e.length, p->starts[r->extent]);
	if (error == 0) {
		mark_present(f, p, r->extent);
	} else {
		error = go_to_memory(r, r->extent);
		if (error < 0)
			return error;
		atomic_store(&p->full, true);
		keep_spare(p, r->extent, data, (size_t)e.length);
	}
	if (r->data)
		copy_extent(r, r->extent, data, e.length);
	return 0;
}

static void extent_ready(struct store_waiter *w, errint_t result, const void *object, size_t size)
{
	struct file_read *r = (struct file_read *)(void *)w;

	if (result == 0)
		result = take_extent(r->files, r, object, size);
	if (result == 0) {
		r->extent++;
		result = advance(r->files, r);
	}
	if (result == -EINPROGRESS)
		return;
	if (result < 0) {
		free(r->data);
		r->data = NULL;
	}
	r->done(r, result);
}

errint_t files_parts_read(struct files *f, struct file_read *r)
{
	struct file_parts *p = r->file->parts;
	errint_t result;

	r->extent = extent_at(p, r->offset);
	read_ahead(f, r->file, extent_at(p, r->offset + r->size - 1));
	result = advance(f, r);
	if (result < 0 && result != -EINPROGRESS) {
		free(r->data);
		r->data = NULL;
	}
	return result;
}
