/* SPDX-License-Identifier: MIT */
/*
 * From the tree to catalogs; see build.h. Directories are put in preorder once; whatever goes up or down the tree is a walk over that list, so
 * depth costs no stack. Every choice follows from the tree alone.
 */
#include "fetchfs/publish/build.h"
#include "fetchfs/format/catalog-disk.h"
#include "fetchfs/publish/catalog_writer.h"

#include <sys/stat.h>

/* A directory, by its position in preorder. */
struct directory {
	struct tree_node *node;
	uint32_t end;		/* preorder position behind its subtree */
	uint64_t weight;	/* entries below it, those of nested catalogs not counted */
	uint32_t subdirectories;
	uint32_t catalog;	/* that it is read from: its own where it is nested */
	bool nested;
};

struct nest {
	uint32_t root;		/* directory */
	uint32_t parent;	/* catalog */
	uint32_t depth;
	struct tree_inode **shared;	/* inodes of hard links that catalogs below use, too; in order of first use */
	size_t shared_count;
	struct digest digest;
	uint32_t stored_size, size;
	uint64_t subtree_inodes;
};

struct builder {
	const struct build_options *o;
	struct directory *directories;
	uint32_t directory_count;
	struct nest *nests;
	uint32_t nest_count;
	struct build_result *result;
	/* the catalog that is being written */
	struct catalog_writer writer;
	uint32_t current;
};

/* Preorder. */

static errint_t enter(struct builder *b, struct tree_node *n, size_t *room)
{
	if (b->directory_count == *room) {
		size_t larger = *room ? 2 * *room : 256;
		void *directories = larger < UINT32_MAX ? realloc(b->directories, larger * sizeof(*b->directories)) : NULL;
		if (!directories)
			return -ENOMEM;
		b->directories = directories;
		*room = larger;
	}
	n->order = b->directory_count++;
	n->cursor = 0;
	b->directories[n->order] = (struct directory){ .node = n };
	return 0;
}

static struct tree_node *next_subdirectory(struct tree_node *n)
{
	while (n->cursor < n->child_count) {
		struct tree_node *child = n->children[n->cursor++];
		if (S_ISDIR(child->inode->mode))
			return child;
	}
	return NULL;
}

static errint_t list_directories(struct builder *b)
{
	struct tree_node *n = b->o->tree->root;
	size_t room = 0;
	errint_t r = enter(b, n, &room);

	while (r == 0 && n) {
		struct tree_node *child = next_subdirectory(n);
		if (child) {
			r = enter(b, child, &room);
			n = child;
		} else {
			b->directories[n->order].end = b->directory_count;
			n = n->parent;
		}
	}
	return r;
}

/* Splitting. */

static int compare_weights(const void *a, const void *b)
{
	const struct directory *x = *(struct directory *const *)a, *y = *(struct directory *const *)b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->node->order < y->node->order ? -1 : 1;
}

static uint32_t split_entries(const struct builder *b)
{
	return b->o->split_entries ? b->o->split_entries : BUILD_SPLIT_ENTRIES;
}

static uint32_t nested_entries(const struct builder *b)
{
	return b->o->nested_entries ? b->o->nested_entries : BUILD_NESTED_ENTRIES;
}

/* Gives the heaviest subtrees of a directory catalogs of their own until the rest fits. */
static errint_t give_away(struct builder *b, struct directory *d)
{
	_cleanup_free_ struct directory **children = calloc((size_t)d->subdirectories + 1, sizeof(*children));
	uint32_t count = 0;

	if (!children)
		return -ENOMEM;
	for (uint32_t i = d->node->order + 1; i < d->end; i = b->directories[i].end)
		if (b->directories[i].weight >= nested_entries(b))
			children[count++] = &b->directories[i];
	qsort(children, count, sizeof(struct directory *), compare_weights);
	for (uint32_t i = 0; i < count && d->weight > split_entries(b); i++) {
		children[i]->nested = true;
		d->weight -= children[i]->weight;
	}
	return 0;
}

static errint_t split(struct builder *b)
{
	for (uint32_t i = b->directory_count; i-- > 0;) {
		struct directory *d = &b->directories[i];
		d->weight = d->node->child_count;
		for (uint32_t c = i + 1; c < d->end; c = b->directories[c].end) {
			d->weight += b->directories[c].weight;
			d->subdirectories++;
		}
		if (d->weight > split_entries(b) && give_away(b, d) < 0)
			return -ENOMEM;
	}
	b->directories[0].nested = true;
	for (uint32_t i = 0; i < b->directory_count; i++)
		b->nest_count += b->directories[i].nested;
	b->nests = calloc(b->nest_count, sizeof(*b->nests));
	return b->nests ? 0 : -ENOMEM;
}

/* Catalogs in preorder of their roots, so that a parent's number is lower. */
static void assign_catalogs(struct builder *b)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < b->directory_count; i++) {
		struct directory *d = &b->directories[i];
		uint32_t above = i == 0 ? 0 : b->directories[d->node->parent->order].catalog;
		if (!d->nested) {
			d->catalog = above;
			continue;
		}
		b->nests[next] = (struct nest){ .root = i, .parent = above, .depth = i == 0 ? 0 : b->nests[above].depth + 1 };
		d->catalog = next++;
	}
}

/* Hard links: an inode lives in the innermost catalog that holds all its names. */

static uint32_t common_catalog(const struct builder *b, uint32_t x, uint32_t y)
{
	while (x != y) {
		if (b->nests[x].depth >= b->nests[y].depth)
			x = b->nests[x].parent;
		else
			y = b->nests[y].parent;
	}
	return x;
}

static errint_t share(struct builder *b, struct tree_inode *inode)
{
	struct nest *n = &b->nests[inode->catalog];
	void *shared = arena_grow(&b->o->tree->arena, n->shared, n->shared_count, sizeof(inode));

	if (!shared)
		return -ENOMEM;
	n->shared = shared;
	n->shared[n->shared_count++] = inode;
	inode->index = (uint32_t)n->shared_count;	/* behind the root, which is 0 */
	return 0;
}

static void tally(struct builder *b, const struct tree_inode *inode)
{
	if (!S_ISREG(inode->mode))
		return;
	b->result->files++;
	b->result->bytes += inode->size;
}

static void find_home(struct builder *b, struct tree_inode *inode, uint32_t catalog)
{
	if (!inode->placed)
		tally(b, inode);
	if (inode->links < 2)
		return;
	inode->catalog = inode->placed ? common_catalog(b, inode->catalog, catalog) : catalog;
	inode->placed = true;
}

static errint_t place_links(struct builder *b)
{
	for (uint32_t i = 0; i < b->directory_count; i++) {
		const struct directory *d = &b->directories[i];
		for (uint32_t c = 0; c < d->node->child_count; c++)
			find_home(b, d->node->children[c]->inode, d->catalog);
	}
	/* Now that every inode's home is known: those that are named from below it. */
	for (uint32_t i = 0; i < b->directory_count; i++) {
		const struct directory *d = &b->directories[i];
		for (uint32_t c = 0; c < d->node->child_count; c++) {
			struct tree_inode *inode = d->node->children[c]->inode;
			if (inode->placed && inode->catalog != d->catalog && !inode->index && share(b, inode) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* One catalog. */

static uint32_t xattrs_of(struct builder *b, const struct tree_inode *inode)
{
	struct tree_xattr_set *set;

	if (inode->xattrs == TREE_NO_XATTRS)
		return CATALOG_NONE;
	set = b->o->tree->xattr_sets[inode->xattrs];
	if (set->mark != b->current + 1) {
		set->mark = b->current + 1;
		set->index = catalog_writer_add_xattrs(&b->writer, set->data, set->size);
	}
	return set->index;
}

static uint32_t object_of(struct builder *b, struct blob *blob)
{
	if (blob->mark != b->current) {
		struct catalog_object o = { .digest = blob->digest, .stored_size = blob->stored_size, .size = blob->size, .kind = blob->kind };
		blob->mark = b->current;
		blob->index = catalog_writer_add_object(&b->writer, &o);
	}
	return blob->index;
}

static void add_extents(struct builder *b, const struct tree_inode *inode)
{
	for (uint32_t i = 0; i < inode->extent_count; i++) {
		const struct tree_extent *e = &inode->extents[i];
		struct catalog_extent record = { .length = e->length, .object = CATALOG_NONE };
		if (e->content) {
			record.digest = e->content->digest;
			record.object = object_of(b, e->content->blob);
			record.offset = e->content->offset;
		}
		catalog_writer_add_extent(&b->writer, &record);
	}
}

static struct catalog_inode inode_record(struct builder *b, const struct tree_inode *inode)
{
	return (struct catalog_inode){
		.mode = inode->mode, .uid = inode->uid, .gid = inode->gid, .nlink = inode->links, .size = inode->size,
		.allocated = inode->allocated, .mtime_sec = inode->mtime_sec, .mtime_nsec = inode->mtime_nsec,
		.xattr_set = xattrs_of(b, inode), .nested = CATALOG_NONE, .parent = 0,
	};
}

static void write_file(struct builder *b, const struct tree_inode *inode, uint32_t index)
{
	struct catalog_inode record = inode_record(b, inode);

	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		record.first = catalog_writer_count(&b->writer, SECTION_EXTENTS);
		record.count = inode->extent_count;
		add_extents(b, inode);
		break;
	case S_IFLNK:
		record.count = (uint32_t)inode->size;
		record.first = catalog_writer_add_string(&b->writer, inode->target, (size_t)inode->size);
		break;
	case S_IFCHR:
	case S_IFBLK:
		record.first = inode->major;
		record.count = inode->minor;
		break;
	}
	catalog_writer_set_inode(&b->writer, index, &record);
}

static struct catalog_inode directory_record(struct builder *b, const struct directory *d, uint32_t parent)
{
	struct catalog_inode record = inode_record(b, d->node->inode);

	record.nlink = 2 + d->subdirectories;
	record.size = CATALOG_DIRECTORY_SIZE;
	record.parent = parent;
	return record;
}

/* The directory that a nested catalog is mounted on. */
static void write_mount_point(struct builder *b, const struct directory *d, uint32_t index, uint32_t parent)
{
	const struct nest *n = &b->nests[d->catalog];
	struct catalog_inode record = directory_record(b, d, parent);
	struct catalog_nested nested = { .digest = n->digest, .stored_size = n->stored_size, .size = n->size,
		.subtree_inodes = n->subtree_inodes, .inode = index };

	record.nested = catalog_writer_add_nested(&b->writer, &nested);
	catalog_writer_set_inode(&b->writer, index, &record);
}

static void write_entry(struct builder *b, const struct tree_node *n, uint32_t parent)
{
	struct tree_inode *inode = n->inode;
	uint8_t type = (uint8_t)((inode->mode & S_IFMT) >> 12);
	struct catalog_foreign f;

	if (S_ISDIR(inode->mode)) {
		inode->index = catalog_writer_reserve_inode(&b->writer);
		if (b->directories[n->order].nested)
			write_mount_point(b, &b->directories[n->order], inode->index, parent);
	} else if (inode->links > 1 && inode->catalog != b->current) {
		f = (struct catalog_foreign){ .levels_up = b->nests[b->current].depth - b->nests[inode->catalog].depth, .inode = inode->index };
		catalog_writer_add_dirent(&b->writer, n->name, n->name_length, type, catalog_writer_add_foreign(&b->writer, &f), true);
		return;
	} else if (inode->links < 2 || !inode->index) {
		inode->index = catalog_writer_reserve_inode(&b->writer);
		write_file(b, inode, inode->index);
	}
	catalog_writer_add_dirent(&b->writer, n->name, n->name_length, type, inode->index, false);
}

static void write_directory(struct builder *b, const struct directory *d)
{
	bool is_root = b->nests[b->current].root == d->node->order;
	uint32_t index = is_root ? 0 : d->node->inode->index;
	const struct directory *above = is_root ? NULL : &b->directories[d->node->parent->order];
	uint32_t parent = !above || above->node->order == b->nests[b->current].root ? 0 : above->node->inode->index;
	struct catalog_inode record = directory_record(b, d, parent);

	record.first = catalog_writer_count(&b->writer, SECTION_DIRENTS);
	record.count = d->node->child_count;
	for (uint32_t i = 0; i < d->node->child_count; i++)
		write_entry(b, d->node->children[i], index);
	catalog_writer_set_inode(&b->writer, index, &record);
}

static void write_all(struct builder *b)
{
	struct nest *n = &b->nests[b->current];
	uint32_t end = b->directories[n->root].end;

	catalog_writer_reserve_inode(&b->writer);
	for (size_t i = 0; i < n->shared_count; i++)
		catalog_writer_reserve_inode(&b->writer);
	for (size_t i = 0; i < n->shared_count; i++)
		write_file(b, n->shared[i], (uint32_t)i + 1);
	for (uint32_t i = n->root; i < end;) {
		struct directory *d = &b->directories[i];
		if (d->catalog != b->current) {
			i = d->end;
			continue;
		}
		write_directory(b, d);
		i++;
	}
}

static errint_t store(struct builder *b, struct nest *n, const void *data)
{
	bool is_new = false;
	errint_t r;

	digest_of(data, n->size, &n->digest);
	n->stored_size = b->o->known_catalog ? b->o->known_catalog(b->o->context, &n->digest) : 0;
	if (n->stored_size)
		return 0;
	r = ingest_object(b->o->ingest, &n->digest, data, n->size, &n->stored_size, &is_new);
	b->result->new_catalogs += is_new;
	return r;
}

static errint_t build_one(struct builder *b)
{
	struct nest *n = &b->nests[b->current];
	char path[TREE_PATH_SIZE];
	void *data = NULL;
	size_t size;
	errint_t r;

	catalog_writer_init(&b->writer);
	write_all(b);
	r = b->writer.error;
	if (r == 0)
		r = catalog_writer_finish(&b->writer, &data, &size);
	if (r == -EFBIG)
		trouble_set(b->o->trouble, r, EXIT_DATA, "%s has more entries or data than one catalog can hold (64 MiB): split that directory",
			    tree_path(b->directories[n->root].node, path));
	if (r == 0) {
		n->size = (uint32_t)size;
		n->subtree_inodes = catalog_writer_count(&b->writer, SECTION_INODES) + b->writer.nested_inodes;
		r = store(b, n, data);
	}
	free(data);
	catalog_writer_done(&b->writer);
	return r;
}

errint_t build_catalogs(const struct build_options *o, struct build_result *ret)
{
	struct builder b = { .o = o, .result = ret };
	errint_t r;

	*ret = (struct build_result){ .inodes = 0 };
	r = list_directories(&b);
	if (r == 0)
		r = split(&b);
	if (r == 0) {
		assign_catalogs(&b);
		r = place_links(&b);
	}
	/* From the leaves to the root: a catalog holds the digests of those below it. */
	for (uint32_t i = b.nest_count; r == 0 && i-- > 0;) {
		b.current = i;
		r = build_one(&b);
	}
	if (r == 0) {
		const struct nest *n = &b.nests[0];
		ret->root = (struct manifest_root){ .digest = n->digest, .stored_size = n->stored_size, .size = n->size };
		ret->catalogs = b.nest_count;
		/* A nested catalog's root has an inode above it, too. */
		ret->inodes = n->subtree_inodes - (b.nest_count - 1);
	}
	free(b.directories);
	free(b.nests);
	return r;
}
