/* SPDX-License-Identifier: MIT */
/*
 * From a tree to catalogs and back: trees of random shape with hard links, split into many catalogs of several levels, are published into a
 * repository of their own and walked again; what the walk finds must be what was put in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "fetchfs/publish/build.h"
#include "fetchfs/publish/walk.h"

#include <fcntl.h>
#include <sys/stat.h>

static uint64_t seed;

static uint32_t next_random(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

struct scene {
	char directory[64];
	struct repository repository;
	struct tree tree;
	struct arena stored;
	struct ingest *ingest;
	struct trouble trouble;
	struct signify_public public;
	struct signify_secret secret;
	struct build_result built;
};

static void start(struct scene *s)
{
	struct ingest_options o = { .source = "test", .arena = &s->stored, .jobs = 2, .level = 1, .trouble = &s->trouble };

	*s = (struct scene){ .trouble.exit_code = 0 };
	strcpy(s->directory, "/tmp/spore-test-build-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	assert_int_equal(repository_create(s->directory, &s->trouble), 0);
	assert_int_equal(repository_open_new(s->directory, &s->repository, &s->trouble), 0);
	tree_init(&s->tree);
	s->stored.max = SIZE_MAX;
	o.repository = &s->repository;
	assert_int_equal(ingest_new(&o, &s->ingest), 0);
	assert_int_equal(signify_generate(&s->public, &s->secret), 0);
}

static void finish(struct scene *s)
{
	_cleanup_free_ char *command = io_format("rm -rf %s", s->directory);

	ingest_free(s->ingest);
	tree_done(&s->tree);
	arena_done(&s->stored);
	repository_close(&s->repository);
	assert_int_equal(system(command), 0);
}

/* The tree. */

static struct tree_node *add(struct scene *s, struct tree_node *parent, const char *name, uint32_t mode, struct tree_inode *inode)
{
	struct tree_node *n;

	if (!inode) {
		inode = tree_new_inode(&s->tree);
		inode->mode = mode;
		inode->uid = next_random(1000);
		inode->mtime_sec = next_random(1000000);
	}
	inode->links++;
	n = tree_new_node(&s->tree, parent, name, strlen(name), inode);
	assert_non_null(n);
	if (parent)
		assert_int_equal(tree_add_child(&s->tree, parent, n), 0);
	else
		s->tree.root = n;
	return n;
}

static void add_file(struct scene *s, struct tree_node *parent, const char *name, struct tree_inode **files, size_t *count)
{
	struct tree_node *n = add(s, parent, name, S_IFREG | 0644, NULL);
	uint32_t length = next_random(200);
	char *data;

	files[(*count)++] = n->inode;
	n->inode->size = n->inode->allocated = length;
	if (length == 0)
		return;
	data = malloc(length);
	memset(data, 'a' + (int)next_random(26), length);
	n->inode->extents = arena_alloc(&s->tree.arena, sizeof(struct tree_extent));
	n->inode->extent_count = 1;
	n->inode->extents[0].length = length;
	assert_int_equal(ingest_from_memory(s->ingest, data, length, n, 0, &n->inode->extents[0].content), 0);
}

static void make_tree(struct scene *s, unsigned entries)
{
	struct tree_node **directories = calloc(entries + 1, sizeof(*directories));
	struct tree_inode **files = calloc(entries + 1, sizeof(*files));
	size_t directory_count = 0, file_count = 0;

	directories[directory_count++] = add(s, NULL, "", S_IFDIR | 0755, NULL);
	for (unsigned i = 0; i < entries; i++) {
		/* Younger directories are likelier, which makes the tree deep. */
		uint32_t a = next_random((uint32_t)directory_count), b = next_random((uint32_t)directory_count);
		struct tree_node *parent = directories[MAX(a, b)];
		char name[16];
		sprintf(name, "%u", i);
		switch (next_random(8)) {
		case 0:
		case 1:
			directories[directory_count++] = add(s, parent, name, S_IFDIR | 0755, NULL);
			break;
		case 2:
			if (file_count) {
				add(s, parent, name, 0, files[next_random((uint32_t)file_count)]);
				break;
			}
			/* fall through */
		default:
			add_file(s, parent, name, files, &file_count);
		}
	}
	for (size_t i = 0; i < directory_count; i++)
		tree_sort_children(directories[i]);
	assert_int_equal(ingest_finish(s->ingest), 0);
	free(directories);
	free(files);
}

/* Publishing. */

static void sign(struct scene *s, const char *name, const char *text, size_t size)
{
	_cleanup_free_ char *data = NULL;

	assert_int_equal(signify_sign_embedded(&s->secret, "test", text, size, &data, &size), 0);
	assert_int_equal(repository_put_text(&s->repository, name, data, size), 0);
}

static void publish(struct scene *s, uint32_t split, uint32_t nested)
{
	struct build_options o = { .tree = &s->tree, .ingest = s->ingest, .trouble = &s->trouble, .split_entries = split, .nested_entries = nested };
	struct keyring k = { .name = "test", .serial = 1, .time = 1, .expires = 1, .key_count = 1, .keys = { s->public } };
	struct manifest m = { .name = "test", .revision = 1, .time = 1, .expires = 1, .keyring_serial = 1 };
	_cleanup_free_ char *keyring = NULL, *manifest = NULL;
	size_t size;

	assert_int_equal(build_catalogs(&o, &s->built), 0);
	assert_int_equal(keyring_format(&k, &keyring, &size), 0);
	sign(s, KEYRING_FILE, keyring, size);
	m.root = s->built.root;
	assert_int_equal(manifest_format(&m, &manifest, &size), 0);
	sign(s, MANIFEST_FILE, manifest, size);
}

/* The walk, against the tree. */

struct comparison {
	struct scene *scene;
	struct view *view;
	uint64_t entries, inodes;
	bool *number_seen;
};

static const struct tree_node *find(const struct tree_node *n, const char *path)
{
	while (n && *path) {
		size_t length = strcspn(path, "/");
		const struct tree_node *child = NULL;
		for (uint32_t i = 0; i < n->child_count && !child; i++)
			if (n->children[i]->name_length == length && memcmp(n->children[i]->name, path, length) == 0)
				child = n->children[i];
		n = child;
		path += length + (path[length] == '/');
	}
	return n;
}

static void compare_number(struct comparison *c, struct tree_inode *inode, uint64_t number)
{
	assert_in_range(number, 1, UINT32_MAX);
	if (inode->dev) {
		/* The same inode has the same number under each of its names. */
		assert_int_equal(inode->dev, number);
		return;
	}
	inode->dev = number;
	c->inodes++;
	assert_false(c->number_seen[number]);
	c->number_seen[number] = true;
}

static errint_t visit(void *context, const struct walk_entry *e)
{
	struct comparison *c = context;
	const struct tree_node *n = find(c->scene->tree.root, e->path);
	const struct catalog_inode *i = &e->place->inode;
	struct catalog_extent extent;
	const void *data;

	assert_non_null(n);
	c->entries++;
	assert_int_equal(i->mode, n->inode->mode);
	assert_int_equal(i->uid, n->inode->uid);
	assert_int_equal(i->mtime_sec, n->inode->mtime_sec);
	compare_number(c, n->inode, e->place->number);
	if (S_ISDIR(i->mode)) {
		assert_int_equal(i->count, n->child_count);
		return 0;
	}
	assert_int_equal(i->nlink, n->inode->links);
	assert_int_equal(i->size, n->inode->size);
	assert_int_equal(i->count, n->inode->extent_count);
	if (i->count) {
		assert_int_equal(catalog_extent(&e->place->catalog->c, i, 0, &extent), 0);
		assert_true(digest_equal(&extent.digest, &n->inode->extents[0].content->digest));
		assert_int_equal(view_extent(c->view, e->place, &extent, &data), 0);
	}
	return 0;
}

static void compare(struct scene *s, uint64_t entries)
{
	static const struct walk_visitor visitor = { .visit = visit };
	struct view v;
	struct view_options o = { .where = s->directory, .keys = &s->public, .key_count = 1 };
	struct view_place root;
	struct comparison c = { .scene = s, .view = &v };

	assert_int_equal(view_open(&v, &o, &s->trouble), 0);
	assert_int_equal(view_root(&v, &root), 0);
	c.number_seen = calloc((size_t)v.root->c.subtree_inodes + 2, sizeof(bool));
	if (walk(&v, &root, &visitor, &c) < 0)
		fail_msg("%s", s->trouble.text);
	assert_int_equal(c.entries, entries + 1);
	assert_int_equal(c.inodes, s->built.inodes);
	free(c.number_seen);
	view_close(&v);
}

static void test_random_trees(void **state)
{
	static const struct {
		unsigned entries;
		uint32_t split, nested;
	} cases[] = { { 0, 4, 1 }, { 1, 4, 1 }, { 50, 1000, 1000 }, { 300, 8, 2 }, { 300, 1, 1 }, { 1500, 40, 5 }, { 1500, 200, 50 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene s;
		seed = i + 1;
		start(&s);
		make_tree(&s, cases[i].entries);
		publish(&s, cases[i].split, cases[i].nested);
		if (cases[i].split < cases[i].entries)
			assert_in_range(s.built.catalogs, 5, UINT32_MAX);
		compare(&s, cases[i].entries);
		finish(&s);
	}
}

/* A path as deep as no stack would bear. */
static void test_deep(void **state)
{
	struct scene s;
	struct tree_node *n;

	(void)state;
	start(&s);
	n = add(&s, NULL, "", S_IFDIR | 0755, NULL);
	for (int i = 0; i < 100000; i++)
		n = add(&s, n, "d", S_IFDIR | 0755, NULL);
	assert_int_equal(ingest_finish(s.ingest), 0);
	publish(&s, 1000, 100);
	assert_in_range(s.built.catalogs, 90, 110);
	assert_int_equal(s.built.inodes, 100001);
	finish(&s);
}

static void test_path_for_messages(void **state)
{
	struct tree t;
	struct tree_node *n;
	char path[TREE_PATH_SIZE], long_name[256];

	(void)state;
	tree_init(&t);
	n = tree_new_node(&t, NULL, "", 0, NULL);
	assert_string_equal(tree_path(n, path), ".");
	n = tree_new_node(&t, n, "a", 1, NULL);
	n = tree_new_node(&t, n, "b\n\\", 3, NULL);
	assert_string_equal(tree_path(n, path), "./a/b\\012\\134");
	memset(long_name, 'x', 255);
	for (int i = 0; i < 5; i++) {
		n = tree_new_node(&t, n, long_name, 255, NULL);
		assert_in_range(strlen(tree_path(n, path)), 10, TREE_PATH_SIZE - 1);
	}
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_trees), cmocka_unit_test(test_deep), cmocka_unit_test(test_path_for_messages),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
