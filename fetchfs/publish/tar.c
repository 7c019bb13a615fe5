/* SPDX-License-Identifier: MIT */
/*
 * An archive as a source; see source.h. The archive is read once, as a stream: contents go to the ingest as they pass, in the archive's order; names are
 * put together as extracting them would, without a file being made: so owners and devices need no privilege.
 */
#include "fetchfs/publish/source.h"
#include "fetchfs/format/catalog-disk.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/object.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/publish/acl.h"
#include "fetchfs/publish/attributes.h"
#include "fetchfs/publish/pax_time.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#define BLOCK (256 * 1024)
#define MAX_XATTRS 1024
/* Each has an extent, and a chunk an object's record, too. */
#define MAX_EXTENTS (OBJECT_MAX_SIZE / CATALOG_EXTENT_SIZE)

struct tar {
	struct archive *archive;
	struct archive_entry *entry;
	const char *name;		/* of the archive, for messages */
	const char *path;		/* of the entry */
	struct tree *tree;
	struct ingest *ingest;
	struct trouble *trouble;
	struct table nodes;		/* by directory and name */
};

/* A name within a directory: key of the table. */
struct name_key {
	const struct tree_node *parent;
	const char *name;
	size_t length;
};

static errint_t fail(struct tar *t, errint_t r, const char *why)
{
	return trouble_set(t->trouble, r, EXIT_DATA, "cannot take %s from %s: %s", t->path, t->name, why);
}

static errint_t archive_failed(struct tar *t)
{
	const char *why = archive_error_string(t->archive);

	return trouble_set(t->trouble, -EBADMSG, EXIT_DATA, "cannot read %s as a tar: %s", t->name, why ? why : "it is damaged");
}

/* Names. */

static uint64_t name_hash(const struct name_key *k)
{
	return table_hash(k->name, k->length, (uint64_t)(uintptr_t)k->parent);
}

static bool name_equal(const void *value, const void *key)
{
	const struct tree_node *n = value;
	const struct name_key *k = key;

	return n->parent == k->parent && n->name_length == k->length && memcmp(n->name, k->name, k->length) == 0;
}

static struct tree_node *find_child(const struct tar *t, const struct tree_node *dir, const char *name, size_t length)
{
	struct name_key k = { .parent = dir, .name = name, .length = length };

	return table_find(&t->nodes, name_hash(&k), &k, name_equal);
}

static struct tree_node *new_child(struct tar *t, struct tree_node *dir, const char *name, size_t length)
{
	struct name_key k = { .parent = dir, .name = name, .length = length };
	struct tree_node *n = tree_new_node(t->tree, dir, name, length, NULL);

	if (!n || table_add(&t->nodes, name_hash(&k), n) < 0 || tree_add_child(t->tree, dir, n) < 0)
		return NULL;
	return n;
}

/* The next component of a path, "." left out; length 0 at the end. */
static const char *next_component(const char **path, size_t *ret_length)
{
	const char *start;

	do {
		start = *path + strspn(*path, "/");
		*ret_length = strcspn(start, "/");
		*path = start + *ret_length;
	} while (*ret_length == 1 && start[0] == '.');
	return start;
}

static errint_t check_component(struct tar *t, const char *name, size_t length)
{
	if (length == 2 && memcmp(name, "..", 2) == 0)
		return fail(t, -EINVAL, "its path contains '..'");
	return length > CATALOG_NAME_MAX ? fail(t, -ENAMETOOLONG, "a part of its path is longer than 255 bytes") : 0;
}

/* A directory that the archive should have named before. */
static struct tree_inode *made_directory(struct tar *t)
{
	struct tree_inode *i = tree_new_inode(t->tree);

	if (!i)
		return NULL;
	i->mode = S_IFDIR | 0755;
	i->links = 1;
	pax_time_get(t->entry, &i->mtime_sec, &i->mtime_nsec);
	return i;
}

/* Walks to the last component, making directories on the way. *ret_length 0: the path is the root itself. */
static errint_t find_parent(struct tar *t, const char *path, bool make, struct tree_node **ret_dir, const char **ret_name, size_t *ret_length)
{
	struct tree_node *dir = t->tree->root;
	const char *name, *next;
	size_t length, next_length;

	name = next_component(&path, &length);
	while (length > 0) {
		errint_t r = check_component(t, name, length);
		if (r < 0)
			return r;
		next = next_component(&path, &next_length);
		if (next_length == 0)
			break;
		struct tree_node *n = find_child(t, dir, name, length);
		if (!n && !make)
			return -ENOENT;
		if (!n) {
			n = new_child(t, dir, name, length);
			if (!n || !(n->inode = made_directory(t)))
				return -ENOMEM;
		}
		if (!S_ISDIR(n->inode->mode))
			return fail(t, -ENOTDIR, "a part of its path is no directory");
		dir = n;
		name = next;
		length = next_length;
	}
	*ret_dir = dir;
	*ret_name = name;
	*ret_length = length;
	return 0;
}

/* Attributes. */

static errint_t add_acl(struct tar *t, int type, const char *name, struct tree_xattr *list, size_t *count, void **ret_data,
			struct tree_inode *inode)
{
	unsigned mask;
	uint32_t size;
	errint_t r = acl_from_entry(t->entry, type, ret_data, &size, &mask);

	if (r == -ENODATA)
		return 0;
	if (r == -ENOENT)
		return fail(t, r, "its ACL names a user or group that is not known here (make the tar with --numeric-owner)");
	if (r < 0)
		return r;
	/* The library puts the owning group's permissions there; on a file system it is the mask. */
	if (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS && mask <= 7)
		inode->mode = (inode->mode & ~070u) | mask << 3;
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i].name, name) == 0)
			return 0;
	list[(*count)++] = (struct tree_xattr){ .name = name, .name_length = (uint16_t)strlen(name), .value = *ret_data, .size = size };
	return 0;
}

/* An attribute may be there in two spellings (SCHILY, LIBARCHIVE): once is enough. */
static void add_xattr(struct tree_xattr *list, size_t *count, const char *name, const void *value, size_t size)
{
	size_t i = 0;

	while (i < *count && strcmp(list[i].name, name) != 0)
		i++;
	list[i] = (struct tree_xattr){ .name = name, .name_length = (uint16_t)strlen(name), .value = value, .size = (uint32_t)size };
	if (i == *count)
		++*count;
}

static errint_t read_xattrs(struct tar *t, struct tree_inode *inode)
{
	struct tree_xattr list[MAX_XATTRS + 2];
	_cleanup_free_ void *access = NULL, *inherited = NULL;
	const char *name;
	const void *value;
	size_t size, count = 0;
	errint_t r;

	if (archive_entry_xattr_reset(t->entry) > MAX_XATTRS)
		return fail(t, -E2BIG, "it has more than 1024 extended attributes");
	while (archive_entry_xattr_next(t->entry, &name, &value, &size) == ARCHIVE_OK) {
		if (!name || !*name || strlen(name) > 255 || size > 65536)
			return fail(t, -E2BIG, "an extended attribute is too large");
		if (!attributes_is_foreign(name))
			add_xattr(list, &count, name, value, size);
	}
	r = add_acl(t, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS_NAME, list, &count, &access, inode);
	if (r == 0)
		r = add_acl(t, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT_NAME, list, &count, &inherited, inode);
	return r < 0 ? r : tree_intern_xattrs(t->tree, list, count, &inode->xattrs);
}

static errint_t read_attributes(struct tar *t, struct tree_inode *i)
{
	int64_t uid = archive_entry_uid(t->entry), gid = archive_entry_gid(t->entry);

	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return fail(t, -ERANGE, "its owner or group is out of range");
	i->mode = archive_entry_mode(t->entry);
	i->uid = (uint32_t)uid;
	i->gid = (uint32_t)gid;
	pax_time_get(t->entry, &i->mtime_sec, &i->mtime_nsec);
	switch (i->mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		i->major = (uint32_t)archive_entry_rdevmajor(t->entry);
		i->minor = (uint32_t)archive_entry_rdevminor(t->entry);
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return fail(t, -EINVAL, "it is of no known type");
	}
	return read_xattrs(t, i);
}

static errint_t read_target(struct tar *t, struct tree_inode *i)
{
	const char *target = archive_entry_symlink(t->entry);

	if (!target || !*target)
		return fail(t, -EINVAL, "it is a symbolic link without a target");
	i->size = strlen(target);
	i->target = arena_copy(&t->tree->arena, target, (size_t)i->size);
	return i->target ? 0 : -ENOMEM;
}

/* Contents. */

struct content_reader {
	struct tar *tar;
	struct tree_node *node;
	struct tree_inode *inode;
	uint32_t room;		/* extents */
	uint64_t position;	/* behind what was taken */
	char *piece;		/* being filled */
	uint32_t filled, size;
};

static struct tree_extent *new_extent(struct content_reader *c, uint64_t length)
{
	struct tree_extent *e;

	if (c->inode->extent_count == c->room)
		return NULL;
	e = &c->inode->extents[c->inode->extent_count++];
	e->length = length;
	return e;
}

static errint_t flush_piece(struct content_reader *c)
{
	struct tree_extent *e;

	if (c->filled == 0)
		return 0;
	e = new_extent(c, c->filled);
	if (!e)
		return fail(c->tar, -EBADMSG, "its map of holes does not fit its data");
	c->inode->allocated += c->filled;
	c->size = 0;
	uint32_t filled = c->filled;
	c->filled = 0;
	return ingest_from_memory(c->tar->ingest, steal_ptr(c->piece), filled, c->node, c->position - filled, &e->content);
}

static errint_t add_hole(struct content_reader *c, uint64_t end)
{
	errint_t r = flush_piece(c);

	if (r < 0 || end <= c->position)
		return r;
	if (!new_extent(c, end - c->position))
		return fail(c->tar, -EBADMSG, "its map of holes does not fit its data");
	c->position = end;
	return 0;
}

static errint_t add_data(struct content_reader *c, const char *data, size_t size)
{
	while (size > 0) {
		if (!c->piece) {
			uint64_t end = MIN((c->position / CHUNK_SIZE + 1) * CHUNK_SIZE, c->inode->size);
			c->size = (uint32_t)(end - c->position);
			c->piece = malloc(c->size);
			if (!c->piece)
				return -ENOMEM;
		}
		uint32_t n = (uint32_t)MIN(size, c->size - c->filled);
		memcpy(c->piece + c->filled, data, n);
		c->filled += n;
		c->position += n;
		data += n;
		size -= n;
		if (c->filled == c->size) {
			errint_t r = flush_piece(c);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static errint_t read_blocks(struct content_reader *c)
{
	const void *data;
	size_t size;
	la_int64_t offset;
	int n;

	while ((n = archive_read_data_block(c->tar->archive, &data, &size, &offset)) == ARCHIVE_OK) {
		errint_t r = 0;
		if (offset < 0 || (uint64_t)offset < c->position || size > c->inode->size || (uint64_t)offset > c->inode->size - size)
			return fail(c->tar, -EBADMSG, "its data goes beyond its size");
		if (size > 0 && (uint64_t)offset > c->position)
			r = add_hole(c, (uint64_t)offset);
		if (r == 0)
			r = add_data(c, data, size);
		if (r < 0)
			return r;
	}
	return n == ARCHIVE_EOF ? 0 : archive_failed(c->tar);
}

/* As many as the chunks and the holes that the archive tells of may make. */
static uint64_t most_extents(struct tar *t, uint64_t size)
{
	int stretches = archive_entry_sparse_reset(t->entry);
	la_int64_t offset, length;
	uint64_t count = 4;

	if (stretches <= 0)
		return size / CHUNK_SIZE + count;
	while (archive_entry_sparse_next(t->entry, &offset, &length) == ARCHIVE_OK)
		count += (uint64_t)MAX(length, 0) / CHUNK_SIZE + 3;
	return count;
}

static errint_t read_content(struct tar *t, struct tree_node *node, struct tree_inode *inode)
{
	struct content_reader c = { .tar = t, .node = node, .inode = inode };
	int64_t size = archive_entry_size(t->entry);
	uint64_t room;
	errint_t r;

	if (size < 0)
		return fail(t, -EBADMSG, "its size is negative");
	inode->size = (uint64_t)size;
	if (size == 0)
		return 0;
	/* The list must not move while it is filled. */
	room = most_extents(t, inode->size);
	if (room > MAX_EXTENTS)
		return fail(t, -EFBIG, "it has more data than one catalog can list (64 MiB of records)");
	c.room = (uint32_t)room;
	inode->extents = arena_alloc(&t->tree->arena, room * sizeof(*inode->extents));
	if (!inode->extents)
		return -ENOMEM;
	r = read_blocks(&c);
	if (r == 0)
		r = add_hole(&c, inode->size);
	free(c.piece);
	return r;
}

/* Entries. */

static errint_t take_root(struct tar *t)
{
	struct tree_inode *i;

	if (archive_entry_filetype(t->entry) != AE_IFDIR || archive_entry_hardlink(t->entry))
		return fail(t, -EINVAL, "the root must be a directory");
	i = t->tree->root->inode;
	*i = (struct tree_inode){ .links = 1, .xattrs = TREE_NO_XATTRS };
	return read_attributes(t, i);
}

/* What was under the name before goes, as when extracting: the last one wins. */
static errint_t make_way(struct tar *t, struct tree_node *node, bool for_directory)
{
	if (!node->inode)
		return 0;
	if (S_ISDIR(node->inode->mode) && node->child_count > 0 && !for_directory)
		return fail(t, -ENOTEMPTY, "its name was a directory before, which is not empty");
	if (!S_ISDIR(node->inode->mode))
		node->inode->links--;
	return 0;
}

static errint_t take_hardlink(struct tar *t, struct tree_node *node)
{
	const char *target = archive_entry_hardlink(t->entry), *name;
	struct tree_node *dir, *found = NULL;
	size_t length;
	errint_t r;

	if (find_parent(t, target, false, &dir, &name, &length) == 0 && length > 0)
		found = find_child(t, dir, name, length);
	if (!found || !found->inode)
		return fail(t, -ENOENT, "it is a hard link to something that did not come before it");
	if (S_ISDIR(found->inode->mode))
		return fail(t, -EISDIR, "it is a hard link to a directory");
	if (found == node)
		return 0;
	r = make_way(t, node, false);
	if (r < 0)
		return r;
	node->inode = found->inode;
	node->inode->links++;
	return 0;
}

static errint_t take_inode(struct tar *t, struct tree_node *node)
{
	struct tree_inode *inode = tree_new_inode(t->tree);
	bool is_directory = archive_entry_filetype(t->entry) == AE_IFDIR;
	errint_t r = inode ? make_way(t, node, is_directory) : -ENOMEM;

	if (r == 0)
		r = read_attributes(t, inode);
	if (r < 0)
		return r;
	inode->links = 1;
	node->inode = inode;
	if (S_ISLNK(inode->mode))
		return read_target(t, inode);
	return S_ISREG(inode->mode) ? read_content(t, node, inode) : 0;
}

static errint_t take_entry(struct tar *t)
{
	struct tree_node *dir, *node;
	const char *name;
	size_t length;
	errint_t r;

	t->path = archive_entry_pathname(t->entry);
	if (!t->path) {
		t->path = "an entry";
		return fail(t, -EINVAL, "its name cannot be read");
	}
	if (!t->tree->root->inode && !(t->tree->root->inode = made_directory(t)))
		return -ENOMEM;
	r = find_parent(t, t->path, true, &dir, &name, &length);
	if (r < 0)
		return r;
	if (length == 0)
		return take_root(t);
	node = find_child(t, dir, name, length);
	if (!node)
		node = new_child(t, dir, name, length);
	if (!node)
		return -ENOMEM;
	return archive_entry_hardlink(t->entry) ? take_hardlink(t, node) : take_inode(t, node);
}

/* A name that is no UTF-8 is no trouble here; every other warning would mean that something is lost. */
static bool is_about_charset(struct archive *a)
{
	const char *why = archive_error_string(a);

	return why && strstr(why, "can't be converted");
}

static errint_t read_entries(struct tar *t)
{
	uint64_t entries = 0;

	for (;;) {
		errint_t r;
		int n = archive_read_next_header(t->archive, &t->entry);
		if (n == ARCHIVE_EOF)
			break;
		if (n != ARCHIVE_OK && !(n == ARCHIVE_WARN && is_about_charset(t->archive)))
			return archive_failed(t);
		entries++;
		r = take_entry(t);
		if (r < 0)
			return r;
	}
	if (entries == 0)
		return trouble_set(t->trouble, -EBADMSG, EXIT_DATA, "%s is empty", t->name);
	return 0;
}

static void sort_directories(struct tar *t)
{
	tree_sort_children(t->tree->root);
	for (size_t i = 0; i < t->nodes.room; i++)
		if (t->nodes.slots[i].value)
			tree_sort_children(t->nodes.slots[i].value);
}

/* What follows the archive's end: whoever writes it is to finish in peace. */
static void drain(int fd)
{
	char rest[4096];

	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

static errint_t open_archive(struct tar *t, int fd)
{
	t->archive = archive_read_new();
	if (!t->archive)
		return -ENOMEM;
	archive_read_support_filter_gzip(t->archive);
	archive_read_support_filter_bzip2(t->archive);
	archive_read_support_filter_xz(t->archive);
	archive_read_support_filter_lzma(t->archive);
	archive_read_support_filter_zstd(t->archive);
	archive_read_support_filter_lz4(t->archive);
	archive_read_support_format_tar(t->archive);
	return archive_read_open_fd(t->archive, fd, BLOCK) == ARCHIVE_OK ? 0 : archive_failed(t);
}

errint_t tar_read(int fd, const char *name, struct tree *tree, struct ingest *ingest, struct trouble *trouble)
{
	struct tar t = { .name = name, .path = name, .tree = tree, .ingest = ingest, .trouble = trouble };
	/* The archive library converts names to the locale's character set; this one leaves bytes as they are. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	errint_t r;

	tree->root = tree_new_node(tree, NULL, "", 0, NULL);
	r = tree->root ? open_archive(&t, fd) : -ENOMEM;
	if (r == 0)
		r = read_entries(&t);
	if (r == 0) {
		sort_directories(&t);
		drain(fd);
	}
	archive_read_free(t.archive);
	table_done(&t.nodes);
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return r;
}
