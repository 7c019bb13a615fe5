/* SPDX-License-Identifier: MIT */
/* One published revision, seen as a tree; see view.h. */
#include "fetchfs/publish/view.h"
#include "fetchfs/format/object.h"

#include <sys/stat.h>
#include <time.h>

static errint_t bad_catalog(struct view *v, const struct view_catalog *c, errint_t r, const char *what)
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(&c->digest, text);
	if (r == -EPROTONOSUPPORT)
		return trouble_set(v->trouble, r, EXIT_DATA, "catalog %s was made by a newer version of fetchfs; use that one", text);
	if (r == -EBADMSG)
		return trouble_set(v->trouble, r, EXIT_DATA, "catalog %s is malformed%s%s", text, what ? ": " : "", what ? what : "");
	return r;
}

/* Why a signed text was refused, in words. */
static errint_t refused(struct view *v, const char *what, errint_t r)
{
	const char *where = reader_where(v->reader);

	switch (r) {
	case SIGNIFY_E_OTHER_KEY:
		return trouble_set(v->trouble, r, EXIT_DATA, "the %s of %s is signed with another key than the given one", what, where);
	case SIGNIFY_E_BAD_SIGNATURE:
		return trouble_set(v->trouble, r, EXIT_DATA, "the signature of the %s of %s is wrong: it was altered", what, where);
	case SIGNIFY_E_MALFORMED:
		return trouble_set(v->trouble, r, EXIT_DATA, "the %s of %s is not signed, or malformed", what, where);
	case TRUST_E_EXPIRED:
		return trouble_set(v->trouble, r, EXIT_DATA, "the %s of %s has expired; publish again", what, where);
	case TRUST_E_NAME:
		return trouble_set(v->trouble, r, EXIT_DATA, "manifest and keyring of %s are of different repositories", where);
	case -EPROTONOSUPPORT:
		return trouble_set(v->trouble, r, EXIT_DATA, "the %s of %s is of a newer version; use a newer fetchfs", what, where);
	default:
		return trouble_errno(v->trouble, r, "cannot check the %s of %s", what, where);
	}
}

/* The text inside a signature that nobody checks: for tools on a repository whose key was not given. */
static errint_t message_inside(const char *data, size_t size, const char **ret, size_t *ret_size)
{
	for (int lines = 0; lines < 2; lines++) {
		const char *end = memchr(data, '\n', size);
		if (!end)
			return SIGNIFY_E_MALFORMED;
		size -= (size_t)(end + 1 - data);
		data = end + 1;
	}
	*ret = data;
	*ret_size = size;
	return 0;
}

static errint_t open_keyring(struct view *v, const struct view_options *o, int64_t now)
{
	_cleanup_free_ char *data = NULL;
	size_t size, text_size;
	const char *text;
	errint_t r = reader_get(v->reader, KEYRING_FILE, MANIFEST_MAX_SIZE, &data, &size, v->trouble);

	if (r == -ENOENT)
		return trouble_set(v->trouble, r, EXIT_NO_INPUT, "%s is no repository: it has no " KEYRING_FILE, o->where);
	if (r < 0)
		return r;
	if (o->key_count) {
		v->trusted = true;
		r = trust_open_keyring(o->keys, o->key_count, data, size, now, &v->keyring);
	} else {
		r = message_inside(data, size, &text, &text_size);
		if (r == 0)
			r = keyring_parse(text, text_size, &v->keyring, NULL);
	}
	return r < 0 ? refused(v, KEYRING_FILE, r) : 0;
}

static errint_t open_manifest(struct view *v, int64_t now)
{
	_cleanup_free_ char *data = NULL;
	size_t size;
	errint_t r = reader_get(v->reader, MANIFEST_FILE, MANIFEST_MAX_SIZE, &data, &size, v->trouble);

	if (r == -ENOENT)
		return -ENODATA;
	if (r < 0)
		return r;
	r = trust_open_manifest(&v->keyring, data, size, now, &v->manifest);
	return r < 0 ? refused(v, MANIFEST_FILE, r) : 0;
}

static errint_t choose_revision(struct view *v, const char *tag)
{
	const struct manifest_tag *found;

	v->root_record = v->manifest.root;
	v->revision = v->manifest.revision;
	if (!tag)
		return 0;
	found = manifest_find_tag(&v->manifest, tag);
	if (!found)
		return trouble_set(v->trouble, -ENOENT, EXIT_NO_INPUT, "%s has no tag '%s'", reader_where(v->reader), tag);
	v->root_record = found->root;
	v->revision = found->revision;
	return 0;
}

errint_t view_open(struct view *v, const struct view_options *o, struct trouble *t)
{
	int64_t now = o->check_times ? (int64_t)time(NULL) : 0;
	errint_t r;

	*v = (struct view){ .trouble = t };
	r = reader_open(o->where, &v->reader, t);
	if (r == 0)
		r = open_keyring(v, o, now);
	if (r == 0)
		r = open_manifest(v, now);
	if (r == 0)
		r = choose_revision(v, o->tag);
	if (r < 0 && r != -ENODATA)
		view_close(v);
	return r;
}

void view_close(struct view *v)
{
	view_drop(v->root);
	v->root = NULL;
	for (size_t i = 0; i < VIEW_OBJECTS; i++)
		free(steal_ptr(v->objects[i].data));
	manifest_done(&v->manifest);
	reader_close(v->reader);
	v->reader = NULL;
}

static errint_t load_catalog(struct view *v, const struct digest *d, uint32_t stored_size, uint32_t size, struct view_catalog **ret)
{
	struct view_catalog *c = calloc(1, sizeof(*c));
	errint_t r;

	if (!c)
		return -ENOMEM;
	c->digest = *d;
	r = reader_get_object(v->reader, d, stored_size, size, &c->data, v->trouble);
	if (r == 0) {
		const char *what = NULL;
		r = catalog_open(c->data, size, &c->c);
		if (r == 0)
			r = catalog_check(&c->c, &what);
		if (r < 0)
			bad_catalog(v, c, r, what);
	}
	if (r == 0) {
		c->nested = calloc((size_t)c->c.nested + 1, sizeof(struct view_catalog *));
		r = c->nested ? 0 : -ENOMEM;
	}
	if (r < 0) {
		view_drop(c);
		return r;
	}
	*ret = c;
	return 0;
}

errint_t view_load_root(struct view *v)
{
	errint_t r;

	if (v->root)
		return 0;
	r = load_catalog(v, &v->root_record.digest, v->root_record.stored_size, v->root_record.size, &v->root);
	if (r == 0)
		v->root->root_number = 1;
	return r;
}

errint_t view_load_nested(struct view *v, struct view_catalog *parent, uint32_t nested, struct view_catalog **ret)
{
	struct catalog_nested n;
	struct view_catalog *c;
	errint_t r = catalog_nested(&parent->c, nested, &n);

	if (r < 0)
		return bad_catalog(v, parent, r, NULL);
	if (!parent->nested[nested]) {
		r = load_catalog(v, &n.digest, n.stored_size, n.size, &c);
		if (r < 0)
			return r;
		c->parent = parent;
		c->slot = nested;
		c->base = parent->base + n.inode_base;
		c->root_number = 1 + parent->base + n.inode;
		parent->nested[nested] = c;
		if (c->c.subtree_inodes != n.subtree_inodes)
			return bad_catalog(v, c, -EBADMSG, NULL);
	}
	*ret = parent->nested[nested];
	return 0;
}

/* Catalogs nest as deep as directories do, so there is no recursion here. */
void view_drop(struct view_catalog *c)
{
	struct view_catalog *top = c;

	while (c) {
		struct view_catalog *below = NULL;
		for (uint32_t i = 0; c->nested && i < c->c.nested && !below; i++)
			below = c->nested[i];
		if (below) {
			c = below;
			continue;
		}
		struct view_catalog *above = c == top ? NULL : c->parent;
		if (c->parent)
			c->parent->nested[c->slot] = NULL;
		free(c->nested);
		free(c->data);
		free(c);
		c = above;
	}
}

/* The inode at an index, and through the mount point where it is one. */
static errint_t go_to(struct view *v, struct view_catalog *c, uint32_t index, struct view_place *ret)
{
	errint_t r;

	ret->catalog = c;
	ret->index = index;
	ret->number = index == 0 ? c->root_number : 1 + c->base + index;
	r = catalog_inode(&c->c, index, &ret->inode);
	if (r < 0)
		return bad_catalog(v, c, r, NULL);
	if (!S_ISDIR(ret->inode.mode) || ret->inode.nested == CATALOG_NONE)
		return 0;
	r = view_load_nested(v, c, ret->inode.nested, &ret->catalog);
	if (r < 0)
		return r;
	ret->index = 0;
	r = catalog_inode(&ret->catalog->c, 0, &ret->inode);
	/* One step is enough: a catalog's own root is no mount point. */
	if (r == 0 && ret->inode.nested != CATALOG_NONE)
		r = -EBADMSG;
	return r < 0 ? bad_catalog(v, ret->catalog, r, NULL) : 0;
}

errint_t view_root(struct view *v, struct view_place *ret)
{
	errint_t r = view_load_root(v);

	return r < 0 ? r : go_to(v, v->root, 0, ret);
}

static errint_t follow(struct view *v, struct view_catalog *c, const struct catalog_dirent *d, struct view_place *ret)
{
	struct catalog_foreign f;
	struct view_catalog *above = c;
	errint_t r;

	if (!d->is_foreign)
		return go_to(v, c, d->inode, ret);
	r = catalog_foreign(&c->c, d->inode, &f);
	if (r < 0)
		return bad_catalog(v, c, r, NULL);
	for (uint32_t n = 0; n < f.levels_up && above; n++)
		above = above->parent;
	if (!above)
		return bad_catalog(v, c, -EBADMSG, NULL);
	r = go_to(v, above, f.inode, ret);
	/* Within a catalog its check has seen to that. */
	if (r == 0 && (ret->inode.mode & S_IFMT) >> 12 != d->type)
		return bad_catalog(v, c, -EBADMSG, "a foreign link's type");
	return r;
}

errint_t view_entry(struct view *v, const struct view_place *dir, uint32_t position, struct catalog_dirent *ret_name, struct view_place *ret)
{
	errint_t r = catalog_dirent(&dir->catalog->c, &dir->inode, position, ret_name);

	if (r < 0)
		return r == -EBADMSG ? bad_catalog(v, dir->catalog, r, NULL) : r;
	return follow(v, dir->catalog, ret_name, ret);
}

errint_t view_lookup(struct view *v, const struct view_place *dir, const char *name, size_t length, struct view_place *ret)
{
	struct catalog_dirent d;
	errint_t r = catalog_lookup(&dir->catalog->c, &dir->inode, name, length, &d);

	if (r < 0)
		return r == -EBADMSG ? bad_catalog(v, dir->catalog, r, NULL) : r;
	return follow(v, dir->catalog, &d, ret);
}

errint_t view_resolve(struct view *v, const char *path, struct view_place *ret)
{
	errint_t r = view_root(v, ret);

	while (r == 0) {
		path += strspn(path, "/");
		size_t length = strcspn(path, "/");
		if (length == 0)
			break;
		if (length > 1 || path[0] != '.') {
			struct view_place dir = *ret;
			r = view_lookup(v, &dir, path, length, ret);
		}
		path += length;
	}
	return r;
}

errint_t view_object(struct view *v, const struct catalog_object *o, const void **ret)
{
	struct view_object *oldest = &v->objects[0];
	void *data;
	errint_t r;

	for (size_t i = 0; i < VIEW_OBJECTS; i++) {
		struct view_object *kept = &v->objects[i];
		if (kept->data && kept->size == o->size && digest_equal(&kept->digest, &o->digest)) {
			kept->used = ++v->clock;
			*ret = kept->data;
			return 0;
		}
		if (kept->used < oldest->used)
			oldest = kept;
	}
	r = reader_get_object(v->reader, &o->digest, o->stored_size, o->size, &data, v->trouble);
	if (r < 0)
		return r;
	free(oldest->data);
	*oldest = (struct view_object){ .digest = o->digest, .data = data, .size = o->size, .used = ++v->clock };
	*ret = data;
	return 0;
}

errint_t view_extent(struct view *v, const struct view_place *file, const struct catalog_extent *e, const void **ret)
{
	struct catalog_object o;
	struct digest found;
	const void *data;
	errint_t r = catalog_object(&file->catalog->c, e->object, &o);

	if (r < 0)
		return bad_catalog(v, file->catalog, r, NULL);
	r = view_object(v, &o, &data);
	if (r < 0)
		return r;
	*ret = (const uint8_t *)data + e->offset;
	/* A chunk's digest has been checked when it was unpacked. */
	if (o.kind == CATALOG_OBJECT_CHUNK && digest_equal(&o.digest, &e->digest) && e->offset == 0 && e->length == o.size)
		return 0;
	digest_of(*ret, (size_t)e->length, &found);
	return digest_equal(&found, &e->digest) ? 0 : bad_catalog(v, file->catalog, -EBADMSG, NULL);
}
