/* SPDX-License-Identifier: MIT */
/* What a repository has already; see learn.h. */
#include "fetchfs/publish/learn.h"

#include <sys/stat.h>

struct known {
	struct digest digest;
	uint32_t stored_size;
};

static bool known_equal(const void *value, const void *key)
{
	return digest_equal(&((const struct known *)value)->digest, key);
}

static errint_t remember(struct known_catalogs *k, const struct digest *d, uint32_t stored_size)
{
	struct known *n;

	if (known_catalog_size(k, d))
		return 0;
	n = arena_alloc(&k->arena, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct known){ .digest = *d, .stored_size = stored_size };
	return table_add(&k->table, le64_get(d->bytes), n);
}

uint32_t known_catalog_size(void *known_catalogs, const struct digest *d)
{
	const struct known_catalogs *k = known_catalogs;
	const struct known *n = table_find(&k->table, le64_get(d->bytes), d, known_equal);

	return n ? n->stored_size : 0;
}

void known_catalogs_done(struct known_catalogs *k)
{
	table_done(&k->table);
	arena_done(&k->arena);
}

static errint_t learn_extents(const struct catalog *c, const struct catalog_inode *file, struct blob **blobs, struct ingest *ingest)
{
	struct catalog_extent e;
	errint_t r;

	for (uint32_t n = 0; (r = catalog_extent(c, file, n, &e)) == 0; n++) {
		if (e.object == CATALOG_NONE)
			continue;
		r = ingest_learn_content(ingest, &e.digest, blobs[e.object], e.offset, (uint32_t)e.length);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static errint_t learn_catalog(const struct catalog *c, struct ingest *ingest)
{
	_cleanup_free_ struct blob **blobs = calloc((size_t)c->objects + 1, sizeof(*blobs));
	errint_t r = 0;

	if (!blobs)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->objects; i++) {
		struct catalog_object o;
		r = catalog_object(c, i, &o);
		if (r < 0)
			return r;
		blobs[i] = ingest_learn_blob(ingest, &o.digest, o.stored_size, o.size, o.kind);
		if (!blobs[i])
			return -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < c->inodes; i++) {
		struct catalog_inode inode;
		r = catalog_inode(c, i, &inode);
		if (r == 0 && S_ISREG(inode.mode))
			r = learn_extents(c, &inode, blobs, ingest);
	}
	return r;
}

errint_t learn_revision(struct view *v, struct ingest *ingest, struct known_catalogs *known)
{
	struct view_catalog *c;
	uint32_t next = 0;	/* nested catalog of c to visit */
	errint_t r;

	known->arena.max = SIZE_MAX;
	r = remember(known, &v->root_record.digest, v->root_record.stored_size);
	if (r == 0)
		r = view_load_root(v);
	c = v->root;
	if (r == 0)
		r = learn_catalog(&c->c, ingest);
	while (r == 0 && c) {
		struct catalog_nested n;
		if (next < c->c.nested) {
			r = catalog_nested(&c->c, next, &n);
			if (r == 0)
				r = remember(known, &n.digest, n.stored_size);
			if (r == 0)
				r = view_load_nested(v, c, next, &c);
			if (r == 0)
				r = learn_catalog(&c->c, ingest);
			next = 0;
			continue;
		}
		struct view_catalog *done = c;
		c = done->parent;
		next = done->slot + 1;
		if (c)
			view_drop(done);
	}
	return r;
}
