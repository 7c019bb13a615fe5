/* SPDX-License-Identifier: MIT */
/*
 * The tree to be published, in memory: names, inodes, and where each file's content is stored. Filled by a source (scan.h, tar.h),
 * turned into catalogs by build.h. Knows neither files nor formats. All of it lives in one arena.
 */
#ifndef SPORE_FETCHFS_PUBLISH_TREE_H
#define SPORE_FETCHFS_PUBLISH_TREE_H

#include "common/arena.h"
#include "common/digest.h"
#include "fetchfs/publish/table.h"

#include <sys/stat.h>

#define TREE_NO_XATTRS UINT32_MAX

/* An object of the repository: a pack or a chunk. */
struct blob {
	struct digest digest;
	uint32_t stored_size, size;
	uint32_t kind;			/* CATALOG_OBJECT_* */
	uint32_t mark, index;		/* the catalog builder's: number of a catalog, index there */
	bool learned;			/* the repository held it before */
};

/* Up to CHUNK_SIZE bytes of content, and where they are. */
struct content {
	struct digest digest;
	struct blob *blob;
	uint32_t offset, length;
};

struct tree_extent {
	const struct content *content;	/* NULL: a hole */
	uint64_t length;
};

struct tree_inode {
	uint32_t mode, uid, gid;
	uint32_t mtime_nsec;
	int64_t mtime_sec;
	uint64_t size, allocated;	/* bytes */
	uint32_t major, minor;		/* devices */
	uint32_t xattrs;		/* set number, or TREE_NO_XATTRS */
	uint32_t links;			/* names it has in this tree (not directories) */
	uint32_t extent_count;
	struct tree_extent *extents;	/* regular files */
	const char *target;		/* symbolic links; size is its length */
	uint32_t catalog, index;	/* the catalog builder's */
	uint64_t dev, ino;		/* of the source, to find hard links and to see changes */
	bool was_read;			/* the source's: its content is taken care of */
	bool placed;			/* the catalog builder's */
};

struct tree_node {
	struct tree_node *parent;	/* NULL: the root */
	struct tree_inode *inode;
	struct tree_node **children;
	uint32_t child_count;
	uint32_t order, cursor;		/* directories: position in preorder, child to visit (the catalog builder's) */
	uint16_t name_length;
	bool made;			/* not in the source: a parent that was missing */
	char name[];
};

struct tree_xattr {
	const char *name;
	uint16_t name_length;
	uint32_t size;
	const void *value;
};

/* A set as it stands in a catalog; equal sets are kept once. */
struct tree_xattr_set {
	uint32_t number, size;
	uint32_t mark, index;		/* the catalog builder's */
	uint8_t data[];
};

struct tree {
	struct arena arena;
	struct tree_node *root;
	struct table xattr_table;
	struct tree_xattr_set **xattr_sets;
	size_t xattr_set_count;
};

void tree_init(struct tree *t);
void tree_done(struct tree *t);

struct tree_inode *tree_new_inode(struct tree *t);
/* A new name in a directory (or the root: parent NULL). The inode's links are counted by the caller. */
struct tree_node *tree_new_node(struct tree *t, struct tree_node *parent, const char *name, size_t length, struct tree_inode *inode);
errint_t tree_add_child(struct tree *t, struct tree_node *parent, struct tree_node *child);
void tree_sort_children(struct tree_node *dir);

/* Equal sets get the same number. The list is sorted in place. -E2BIG where it does not fit a catalog. */
errint_t tree_intern_xattrs(struct tree *t, struct tree_xattr *list, size_t count, uint32_t *ret);

/* The path below the root, for messages: "./a/b"; control characters as \ooo; long ones lose their middle. Returns ret. */
#define TREE_PATH_SIZE 512
char *tree_path(const struct tree_node *node, char ret[TREE_PATH_SIZE]);

#endif
