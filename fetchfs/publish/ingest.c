/* SPDX-License-Identifier: MIT */
/*
 * Content on its way into the repository; see ingest.h. The calling thread submits pieces and, in the same order, retires them; the
 * workers read, digest, compress and write. All bookkeeping is the calling thread's alone and needs no lock.
 */
#include "fetchfs/publish/ingest.h"
#include "common/io.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/object.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/publish/pack_builder.h"
#include "fetchfs/publish/spool.h"

#define WINDOW_BYTES (32 * MIB)
#define WINDOW_PIECES 256	/* each may hold a descriptor */

struct piece {
	struct pool_job job;
	struct piece *next;
	struct ingest_file *file;	/* read by the worker; NULL: data was given */
	const struct tree_node *node;
	void *data;
	uint64_t offset;
	uint32_t length;
	const struct content **slot;
	struct digest digest;
	errint_t error;
};

/* A chunk or pack that is being compressed and written. */
struct parcel {
	struct pool_job job;
	struct parcel *next;
	struct ingest *ingest;
	struct blob *blob;
	void *data;
	bool written;
	errint_t error;
};

/* A pack that is being filled. */
struct open_pack {
	struct pack_builder builder;
	struct blob *blob;		/* NULL: it is empty */
	struct content **packed;
	size_t room;
};

struct ingest {
	struct ingest_options o;
	struct pool *pool;
	struct table contents;
	struct table blobs;		/* those that were learned, so that each is there once */
	struct piece *pieces, **last_piece;
	uint64_t window_bytes;
	unsigned window_pieces;
	struct parcel *parcels, **last_parcel;
	unsigned parcels_in_flight;
	struct open_pack pack;
	struct spool spool;		/* what profiles name */
	struct ingest_counts counts;
	errint_t error;			/* the first one; nothing is submitted after it */
};

errint_t ingest_new(const struct ingest_options *o, struct ingest **ret)
{
	struct ingest *s = calloc(1, sizeof(*s));
	errint_t r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->spool = (struct spool)SPOOL_INIT;
	s->last_piece = &s->pieces;
	s->last_parcel = &s->parcels;
	r = pool_new(o->jobs, &s->pool);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

const struct ingest_counts *ingest_counts(const struct ingest *s)
{
	return &s->counts;
}

/* The known ones. */

static uint64_t content_hash(const struct digest *d)
{
	return le64_get(d->bytes);
}

static bool content_equal(const void *value, const void *key)
{
	return digest_equal(&((const struct content *)value)->digest, key);
}

static struct content *new_content(struct ingest *s, const struct digest *d, uint32_t length)
{
	struct content *c = arena_alloc(s->o.arena, sizeof(*c));

	if (!c)
		return NULL;
	c->digest = *d;
	c->length = length;
	return table_add(&s->contents, content_hash(d), c) < 0 ? NULL : c;
}

static struct blob *new_blob(struct ingest *s, const struct digest *d, uint32_t stored_size, uint32_t size, uint32_t kind)
{
	struct blob *b = arena_alloc(s->o.arena, sizeof(*b));

	if (b)
		*b = (struct blob){ .digest = *d, .stored_size = stored_size, .size = size, .kind = kind, .mark = UINT32_MAX };
	return b;
}

static bool blob_equal(const void *value, const void *key)
{
	return digest_equal(&((const struct blob *)value)->digest, key);
}

struct blob *ingest_learn_blob(struct ingest *s, const struct digest *d, uint32_t stored_size, uint32_t size, uint32_t kind)
{
	struct blob *b = table_find(&s->blobs, content_hash(d), d, blob_equal);

	if (b)
		return b;
	b = new_blob(s, d, stored_size, size, kind);
	if (b)
		b->learned = true;
	return b && table_add(&s->blobs, content_hash(d), b) == 0 ? b : NULL;
}

errint_t ingest_learn_content(struct ingest *s, const struct digest *d, struct blob *blob, uint32_t offset, uint32_t length)
{
	struct content *c;

	if (table_find(&s->contents, content_hash(d), d, content_equal))
		return 0;
	c = new_content(s, d, length);
	if (!c)
		return -ENOMEM;
	c->blob = blob;
	c->offset = offset;
	return 0;
}

/* Objects on their way out. */

static errint_t pack_and_put(struct ingest *s, const struct digest *d, const void *data, size_t size, uint32_t *ret_stored_size,
			     bool *ret_written)
{
	_cleanup_free_ void *stored = NULL;
	size_t stored_size;
	errint_t r;

	*ret_written = false;
	if (!s->o.repository)
		return 0;
	r = repository_find_object(s->o.repository, d, size, ret_stored_size);
	if (r != -ENOENT)
		return r;
	r = object_pack(data, size, s->o.level, &stored, &stored_size);
	if (r == 0)
		r = repository_put_object(s->o.repository, d, stored, stored_size);
	if (r < 0)
		return r;
	*ret_written = true;
	*ret_stored_size = (uint32_t)stored_size;
	return 0;
}

static void run_parcel(struct pool_job *job)
{
	struct parcel *p = (struct parcel *)job;

	/* A chunk's digest is known; a pack's is made here. */
	if (p->blob->kind == CATALOG_OBJECT_PACK)
		digest_of(p->data, p->blob->size, &p->blob->digest);
	p->error = pack_and_put(p->ingest, &p->blob->digest, p->data, p->blob->size, &p->blob->stored_size, &p->written);
	free(steal_ptr(p->data));
}

/* Waits for the oldest object. */
static void retire_parcel(struct ingest *s)
{
	struct parcel *p = s->parcels;

	pool_wait(s->pool, &p->job);
	s->parcels = p->next;
	if (!s->parcels)
		s->last_parcel = &s->parcels;
	s->parcels_in_flight--;
	if (p->error < 0 && s->error == 0)
		s->error = trouble_errno(s->o.trouble, p->error, "cannot store an object in %s", s->o.repository->path);
	if (p->written) {
		s->counts.objects++;
		s->counts.stored_bytes += p->blob->stored_size;
	}
	free(p);
}

/* Takes data (also on failure). */
static errint_t send_parcel(struct ingest *s, struct blob *blob, void *data)
{
	struct parcel *p = calloc(1, sizeof(*p));

	if (!p) {
		free(data);
		return s->error = -ENOMEM;
	}
	p->job.run = run_parcel;
	p->ingest = s;
	p->blob = blob;
	p->data = data;
	*s->last_parcel = p;
	s->last_parcel = &p->next;
	s->parcels_in_flight++;
	pool_submit(s->pool, &p->job);
	while (s->parcels_in_flight > s->o.jobs + 2)
		retire_parcel(s);
	return s->error;
}

static errint_t send_pack(struct ingest *s, struct open_pack *o)
{
	struct blob *blob = o->blob;
	void *data;
	size_t size;
	errint_t r;

	if (!blob)
		return s->error;
	o->blob = NULL;
	/* Where the contents begin is known only now. */
	for (uint32_t i = 0; i < o->builder.count; i++)
		o->packed[i]->offset += PACK_HEADER_SIZE + o->builder.count * PACK_ENTRY_SIZE;
	r = pack_builder_finish(&o->builder, &data, &size);
	if (r < 0)
		return s->error = r;
	blob->size = (uint32_t)size;
	return send_parcel(s, blob, data);
}

/* Appends to the pack; the offset counts from the end of its index until the pack is finished. */
static errint_t pack_content(struct ingest *s, struct open_pack *o, struct content *c, const void *data)
{
	if (!o->blob)
		o->blob = new_blob(s, &(struct digest){ .bytes = { 0 } }, 0, 0, CATALOG_OBJECT_PACK);
	if (!o->blob)
		return -ENOMEM;
	if (o->builder.count == o->room) {
		size_t room = o->room ? 2 * o->room : 1024;
		struct content **larger = realloc(o->packed, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		o->packed = larger;
		o->room = room;
	}
	o->packed[o->builder.count] = c;
	c->blob = o->blob;
	c->offset = (uint32_t)o->builder.size;
	return pack_builder_add(&o->builder, &c->digest, data, c->length);
}

static void open_pack_done(struct open_pack *o)
{
	pack_builder_done(&o->builder);
	free(o->packed);
}

static errint_t put_into_pack(struct ingest *s, struct content *c, const void *data)
{
	errint_t r = pack_content(s, &s->pack, c, data);

	if (r < 0)
		return s->error = r;
	return pack_builder_is_full(&s->pack.builder) ? send_pack(s, &s->pack) : 0;
}

/* Has no blob yet: its offset is its number in the spool until then. */
static errint_t put_aside(struct ingest *s, struct content *c, const struct profile_rank *rank, const void *data)
{
	errint_t r = spool_add(&s->spool, s->o.repository, c, rank, data, &c->offset);

	if (r < 0)
		s->error = r == -ENOMEM ? r : trouble_errno(s->o.trouble, r, "cannot write a temporary file for what the profiles name");
	return s->error;
}

/* When all has been read: what the profiles name, in their order, each profile in packs of its own. */
static errint_t pack_profiles(struct ingest *s)
{
	spool_sort(&s->spool);
	for (size_t i = 0; s->error == 0 && i < s->spool.count; i++) {
		const struct spooled *item = &s->spool.items[i];
		_cleanup_free_ void *data = NULL;
		errint_t r = spool_read(&s->spool, item, &data);
		if (i == 0 || item->rank.profile != s->spool.items[i - 1].rank.profile)
			send_pack(s, &s->pack);
		if (r < 0)
			s->error = trouble_errno(s->o.trouble, r, "cannot read the temporary file of what the profiles name");
		else if (s->error == 0)
			put_into_pack(s, item->content, data);
	}
	return s->error;
}

/* A content that is known already, met again: what waits for its place may move ahead, and what lies elsewhere may be moved. */
static void meet_again(struct ingest *s, const struct piece *p, struct content *c)
{
	bool movable = s->o.repack && c->blob && c->blob->learned && c->blob->kind == CATALOG_OBJECT_PACK;
	struct profile_rank rank;

	if ((c->blob && !movable) || !profiles_rank(s->o.profiles, p->node, p->offset, p->length, &rank))
		return;
	if (!c->blob) {
		spool_raise(&s->spool, c->offset, &rank);
		return;
	}
	c->blob = NULL;
	put_aside(s, c, &rank, p->data);
}

/* Content that nobody had: where it goes depends on its length, and on whether a profile names the file it was first met in. Takes data. */
static errint_t place_content(struct ingest *s, const struct piece *p, struct content *c, void *data)
{
	struct profile_rank rank;

	s->counts.new_contents++;
	s->counts.new_bytes += c->length;
	if (c->length == CHUNK_SIZE) {
		c->blob = new_blob(s, &c->digest, 0, c->length, CATALOG_OBJECT_CHUNK);
		if (!c->blob) {
			free(data);
			return s->error = -ENOMEM;
		}
		return send_parcel(s, c->blob, data);
	}
	if (profiles_rank(s->o.profiles, p->node, p->offset, p->length, &rank))
		put_aside(s, c, &rank, data);
	else
		put_into_pack(s, c, data);
	free(data);
	return s->error;
}

/* Pieces on their way in. */

static void run_piece(struct pool_job *job)
{
	struct piece *p = (struct piece *)job;
	ssize_t n;

	if (p->file) {
		p->data = malloc(p->length);
		n = p->data ? io_pread_full(p->file->fd, p->data, p->length, p->offset) : -ENOMEM;
		if (n != (ssize_t)p->length) {
			p->error = n < 0 ? (errint_t)n : -ESTALE;
			return;
		}
	}
	digest_of(p->data, p->length, &p->digest);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec && a->st_ino == b->st_ino &&
	       a->st_dev == b->st_dev;
}

static errint_t changed(struct ingest *s, const struct tree_node *node)
{
	char path[TREE_PATH_SIZE];

	return trouble_set(s->o.trouble, -ESTALE, EXIT_DATA, "%s%s changed while it was read; nothing was published", s->o.source,
			   tree_path(node, path) + 1);
}

static errint_t put_file(struct ingest *s, struct ingest_file *f)
{
	struct stat now;
	errint_t r = 0;

	if (--f->references > 0)
		return 0;
	if (s->error == 0 && (fstat(f->fd, &now) < 0 || !same_file(&now, &f->before)))
		r = s->error = changed(s, f->node);
	close(f->fd);
	free(f);
	return r;
}

static errint_t read_failed(struct ingest *s, const struct piece *p)
{
	char path[TREE_PATH_SIZE];

	if (p->error == -ESTALE)
		return changed(s, p->node);
	return trouble_errno(s->o.trouble, p->error, "cannot read %s%s", s->o.source, tree_path(p->node, path) + 1);
}

/* The oldest piece: known or new. */
static void retire_piece(struct ingest *s)
{
	struct piece *p = s->pieces;
	struct content *c;

	pool_wait(s->pool, &p->job);
	s->pieces = p->next;
	if (!s->pieces)
		s->last_piece = &s->pieces;
	s->window_pieces--;
	s->window_bytes -= p->length;
	if (p->error < 0 && s->error == 0)
		s->error = read_failed(s, p);
	if (p->file)
		put_file(s, p->file);
	if (s->error < 0)
		goto out;
	s->counts.pieces++;
	s->counts.bytes += p->length;
	c = table_find(&s->contents, content_hash(&p->digest), &p->digest, content_equal);
	if (c) {
		meet_again(s, p, c);
	} else {
		c = new_content(s, &p->digest, p->length);
		if (!c)
			s->error = -ENOMEM;
		else
			place_content(s, p, c, steal_ptr(p->data));
	}
	*p->slot = c;
	if (s->o.progress)
		progress_update(s->o.progress, s->counts.bytes, 0, NULL);
out:
	free(p->data);
	free(p);
}

static errint_t submit_piece(struct ingest *s, struct piece *p)
{
	p->job.run = run_piece;
	*s->last_piece = p;
	s->last_piece = &p->next;
	s->window_pieces++;
	s->window_bytes += p->length;
	pool_submit(s->pool, &p->job);
	while (s->window_pieces >= WINDOW_PIECES || s->window_bytes > WINDOW_BYTES)
		retire_piece(s);
	return s->error;
}

struct ingest_file *ingest_file_new(int fd, const struct tree_node *node, const struct stat *before)
{
	struct ingest_file *f = calloc(1, sizeof(*f));

	if (!f) {
		close(fd);
		return NULL;
	}
	*f = (struct ingest_file){ .fd = fd, .references = 1, .node = node, .before = *before };
	return f;
}

errint_t ingest_file_end(struct ingest *s, struct ingest_file *f)
{
	put_file(s, f);
	return s->error;
}

errint_t ingest_from_file(struct ingest *s, struct ingest_file *f, uint64_t offset, uint32_t length, const struct content **slot)
{
	struct piece *p;

	if (s->error < 0)
		return s->error;
	p = calloc(1, sizeof(*p));
	if (!p)
		return s->error = -ENOMEM;
	p->file = f;
	p->node = f->node;
	p->offset = offset;
	p->length = length;
	p->slot = slot;
	f->references++;
	return submit_piece(s, p);
}

errint_t ingest_from_memory(struct ingest *s, void *data, uint32_t length, const struct tree_node *node, uint64_t offset, const struct content **slot)
{
	struct piece *p = s->error == 0 ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		free(data);
		return s->error < 0 ? s->error : (s->error = -ENOMEM);
	}
	p->node = node;
	p->data = data;
	p->offset = offset;
	p->length = length;
	p->slot = slot;
	return submit_piece(s, p);
}

errint_t ingest_finish(struct ingest *s)
{
	while (s->pieces)
		retire_piece(s);
	if (s->error == 0)
		pack_profiles(s);
	if (s->error == 0)
		send_pack(s, &s->pack);
	while (s->parcels)
		retire_parcel(s);
	return s->error;
}

errint_t ingest_object(struct ingest *s, const struct digest *d, const void *data, uint32_t size, uint32_t *ret_stored_size, bool *ret_new)
{
	errint_t r;

	*ret_stored_size = 0;
	r = pack_and_put(s, d, data, size, ret_stored_size, ret_new);
	if (r < 0)
		return trouble_errno(s->o.trouble, r, "cannot store a catalog in %s", s->o.repository->path);
	if (*ret_new) {
		s->counts.objects++;
		s->counts.stored_bytes += *ret_stored_size;
	}
	return 0;
}

void ingest_free(struct ingest *s)
{
	if (!s)
		return;
	if (s->error == 0)
		s->error = -ECANCELED;
	ingest_finish(s);
	pool_free(s->pool);
	open_pack_done(&s->pack);
	spool_done(&s->spool);
	table_done(&s->contents);
	table_done(&s->blobs);
	free(s);
}
