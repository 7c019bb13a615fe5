/* SPDX-License-Identifier: MIT */
/* The tree to be published; see tree.h. */
#include "fetchfs/publish/tree.h"
#include "fetchfs/format/catalog-disk.h"

void tree_init(struct tree *t)
{
	*t = (struct tree){ .arena = { .max = SIZE_MAX } };
}

void tree_done(struct tree *t)
{
	table_done(&t->xattr_table);
	arena_done(&t->arena);
	*t = (struct tree){ .root = NULL };
}

struct tree_inode *tree_new_inode(struct tree *t)
{
	struct tree_inode *i = arena_alloc(&t->arena, sizeof(*i));

	if (i)
		i->xattrs = TREE_NO_XATTRS;
	return i;
}

struct tree_node *tree_new_node(struct tree *t, struct tree_node *parent, const char *name, size_t length, struct tree_inode *inode)
{
	struct tree_node *n = arena_alloc(&t->arena, sizeof(*n) + length + 1);

	if (!n)
		return NULL;
	n->parent = parent;
	n->inode = inode;
	n->name_length = (uint16_t)length;
	memcpy(n->name, name, length);
	return n;
}

errint_t tree_add_child(struct tree *t, struct tree_node *parent, struct tree_node *child)
{
	if (parent->child_count == UINT32_MAX - 1)
		return -EFBIG;
	void *children = arena_grow(&t->arena, parent->children, parent->child_count, sizeof(child));
	if (!children)
		return -ENOMEM;
	parent->children = children;
	parent->children[parent->child_count++] = child;
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct tree_node *x = *(struct tree_node *const *)a, *y = *(struct tree_node *const *)b;

	return catalog_name_compare(x->name, x->name_length, y->name, y->name_length);
}

void tree_sort_children(struct tree_node *dir)
{
	if (dir->child_count > 1)
		qsort(dir->children, dir->child_count, sizeof(struct tree_node *), compare_nodes);
}

static int compare_xattrs(const void *a, const void *b)
{
	const struct tree_xattr *x = a, *y = b;

	return catalog_name_compare(x->name, x->name_length, y->name, y->name_length);
}

static bool set_equal(const void *value, const void *key)
{
	const struct tree_xattr_set *a = value, *b = key;

	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static struct tree_xattr_set *encode_set(struct tree *t, struct tree_xattr *list, size_t count)
{
	size_t size = 4;
	struct tree_xattr_set *set;
	uint8_t *p;

	qsort(list, count, sizeof(*list), compare_xattrs);
	for (size_t i = 0; i < count; i++)
		size += CATALOG_XATTR_SIZE + list[i].name_length + list[i].size;
	set = size <= UINT32_MAX ? arena_alloc(&t->arena, sizeof(*set) + size) : NULL;
	if (!set)
		return NULL;
	set->size = (uint32_t)size;
	p = set->data;
	le32_put(p, (uint32_t)count);
	p += 4;
	for (size_t i = 0; i < count; i++) {
		le16_put(p, list[i].name_length);
		le32_put(p + 4, list[i].size);
		memcpy(p + CATALOG_XATTR_SIZE, list[i].name, list[i].name_length);
		p += CATALOG_XATTR_SIZE + list[i].name_length;
		if (list[i].size)
			memcpy(p, list[i].value, list[i].size);
		p += list[i].size;
	}
	return set;
}

errint_t tree_intern_xattrs(struct tree *t, struct tree_xattr *list, size_t count, uint32_t *ret)
{
	struct tree_xattr_set *set, *known;
	uint64_t hash;

	*ret = TREE_NO_XATTRS;
	if (count == 0)
		return 0;
	set = encode_set(t, list, count);
	if (!set)
		return -E2BIG;
	hash = table_hash(set->data, set->size, 0);
	known = table_find(&t->xattr_table, hash, set, set_equal);
	if (!known) {
		void *sets = arena_grow(&t->arena, t->xattr_sets, t->xattr_set_count, sizeof(set));
		if (!sets || table_add(&t->xattr_table, hash, set) < 0)
			return -ENOMEM;
		t->xattr_sets = sets;
		set->number = (uint32_t)t->xattr_set_count;
		t->xattr_sets[t->xattr_set_count++] = known = set;
	}
	*ret = known->number;
	return 0;
}

/* From the end towards the start, as far as there is room. */
static char *put_back(char *p, const char *start, const char *name, size_t length)
{
	while (length > 0 && p - start > 8) {
		unsigned char c = (unsigned char)name[--length];
		if (c >= ' ' && c != 0x7f && c != '\\') {
			*--p = (char)c;
			continue;
		}
		*--p = (char)('0' + (c & 7));
		*--p = (char)('0' + (c >> 3 & 7));
		*--p = (char)('0' + (c >> 6));
		*--p = '\\';
	}
	return p;
}

char *tree_path(const struct tree_node *node, char ret[TREE_PATH_SIZE])
{
	char *p = ret + TREE_PATH_SIZE - 1;

	*p = '\0';
	for (; node->parent; node = node->parent) {
		p = put_back(p, ret, node->name, node->name_length);
		if (p - ret <= 8) {
			p -= 4;
			memcpy(p, "... ", 4);
			return memmove(ret, p, strlen(p) + 1);
		}
		*--p = '/';
	}
	*--p = '.';
	return memmove(ret, p, strlen(p) + 1);
}
