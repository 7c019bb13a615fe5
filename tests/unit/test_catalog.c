/* SPDX-License-Identifier: MIT */
/* Catalogs: what the writer writes the reader reads, and what does not fit together is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fetchfs/format/catalog-disk.h"
#include "fetchfs/publish/catalog_writer.h"
#include "fetchfs/publish/pack_builder.h"
#include "tests/unit/hexdump.h"

#include <dirent.h>
#include <sys/stat.h>

/* A set of one attribute: user.a = b. */
static const uint8_t xattrs[] = { 1, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 'u', 's', 'e', 'r', '.', 'a', 'b' };

static void put_inode(struct catalog_writer *w, uint32_t mode, uint32_t nlink, uint64_t size, uint32_t first, uint32_t count, uint32_t xattr_set)
{
	struct catalog_inode i = { .mode = mode, .nlink = nlink, .size = size, .mtime_sec = 1763725200, .mtime_nsec = 5, .xattr_set = xattr_set,
		.first = first, .count = count, .nested = CATALOG_NONE, .allocated = S_ISREG(mode) ? size : 0 };

	catalog_writer_set_inode(w, catalog_writer_reserve_inode(w), &i);
}

/* The pack of docs/format-pack.md. */
static void example_pack(struct catalog_object *ret)
{
	static const char *const contents[] = { "Hello\n", "", "World, a little longer\n" };
	struct pack_builder b = { 0 };
	_cleanup_free_ void *data = NULL;
	struct digest d;
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		digest_of(contents[i], strlen(contents[i]), &d);
		assert_int_equal(pack_builder_add(&b, &d, contents[i], (uint32_t)strlen(contents[i])), 0);
	}
	assert_int_equal(pack_builder_finish(&b, &data, &size), 0);
	pack_builder_done(&b);
	digest_of(data, size, &ret->digest);
	ret->size = (uint32_t)size;
}

/* The document's example: a directory that holds a file of 6 bytes in a pack and a symbolic link to it. */
static uint8_t *make_example(size_t *ret_size)
{
	struct catalog_writer w;
	struct catalog_object o = { .stored_size = 158, .kind = CATALOG_OBJECT_PACK };
	struct catalog_extent e = { .length = 6, .offset = 124 };
	void *data;

	catalog_writer_init(&w);
	example_pack(&o);
	digest_of("Hello\n", 6, &e.digest);
	e.object = catalog_writer_add_object(&w, &o);
	catalog_writer_add_extent(&w, &e);
	put_inode(&w, S_IFDIR | 0755, 2, CATALOG_DIRECTORY_SIZE, 0, 2, CATALOG_NONE);
	put_inode(&w, S_IFREG | 0644, 1, 6, 0, 1, catalog_writer_add_xattrs(&w, xattrs, sizeof(xattrs)));
	catalog_writer_add_dirent(&w, "hello", 5, DT_REG, 1, false);
	catalog_writer_add_dirent(&w, "link", 4, DT_LNK, 2, false);
	put_inode(&w, S_IFLNK | 0777, 1, 5, catalog_writer_add_string(&w, "hello", 5), 5, CATALOG_NONE);
	assert_int_equal(catalog_writer_finish(&w, &data, ret_size), 0);
	catalog_writer_done(&w);
	return data;
}

static void test_example(void **state)
{
	size_t size, length;
	_cleanup_free_ uint8_t *data = make_example(&size);
	struct catalog c;
	struct catalog_inode root, i;
	struct catalog_dirent d;
	struct catalog_extent e;
	struct catalog_object o;
	const char *what = NULL, *target;
	const void *value;
	uint32_t value_size;

	(void)state;
	assert_int_equal(catalog_open(data, size, &c), 0);
	assert_int_equal(catalog_check(&c, &what), 0);
	assert_int_equal(catalog_inode(&c, 0, &root), 0);
	assert_int_equal(catalog_lookup(&c, &root, "hello", 5, &d), 0);
	assert_int_equal(d.inode, 1);
	assert_int_equal(d.type, DT_REG);
	assert_int_equal(catalog_inode(&c, d.inode, &i), 0);
	assert_int_equal(i.size, 6);
	assert_int_equal(i.mtime_sec, 1763725200);
	assert_int_equal(catalog_extent(&c, &i, 0, &e), 0);
	assert_int_equal(e.offset, 124);
	assert_int_equal(catalog_extent(&c, &i, 1, &e), -ENOENT);
	assert_int_equal(catalog_object(&c, e.object, &o), 0);
	assert_int_equal(o.stored_size, 158);
	assert_int_equal(catalog_xattr(&c, i.xattr_set, "user.a", 6, &value, &value_size), 0);
	assert_int_equal(value_size, 1);
	assert_memory_equal(value, "b", 1);
	assert_int_equal(catalog_xattr(&c, i.xattr_set, "user.b", 6, &value, &value_size), -ENODATA);
	assert_int_equal(catalog_xattr(&c, CATALOG_NONE, "user.a", 6, &value, &value_size), -ENODATA);
	assert_int_equal(catalog_lookup(&c, &root, "link", 4, &d), 0);
	assert_int_equal(catalog_inode(&c, d.inode, &i), 0);
	assert_int_equal(catalog_symlink(&c, &i, &target, &length), 0);
	assert_int_equal(length, 5);
	assert_memory_equal(target, "hello", 5);
	static const char *const absent[] = { "", "hell", "hellp", "helloo", "a", "z" };
	for (size_t n = 0; n < ARRAY_SIZE(absent); n++)
		assert_int_equal(catalog_lookup(&c, &root, absent[n], strlen(absent[n]), &d), -ENOENT);
	assert_int_equal(catalog_lookup(&c, &i, "x", 1, &d), -ENOTDIR);
	assert_true(hexdump_matches("docs/format-catalog.md", "catalog", data, size));
}

/* Every length, and every byte changed: no access beyond the bytes (which the sanitizers watch), and the header does not lie. */
static void test_damage(void **state)
{
	size_t size;
	_cleanup_free_ uint8_t *data = make_example(&size);
	struct catalog c;
	const char *what;

	(void)state;
	for (size_t n = 0; n < size; n++) {
		_cleanup_free_ uint8_t *cut = malloc(n + 1);
		memcpy(cut, data, n);
		assert_int_equal(catalog_open(cut, n, &c), -EBADMSG);
	}
	for (size_t n = 0; n < size; n++) {
		for (int bit = 0; bit < 8; bit++) {
			data[n] ^= (uint8_t)(1 << bit);
			if (catalog_open(data, size, &c) == 0)
				catalog_check(&c, &what);
			data[n] ^= (uint8_t)(1 << bit);
		}
	}
	le32_put(data + 8, 2);
	assert_int_equal(catalog_open(data, size, &c), -EPROTONOSUPPORT);
	le32_put(data + 8, 1);
	le32_put(data + 60, 2);
	assert_int_equal(catalog_open(data, size, &c), -EPROTONOSUPPORT);
}

/* Changes that make a catalog which can be opened, but not believed. */
static void test_check(void **state)
{
	static const struct {
		size_t at;	/* offset in a section */
		uint32_t value;
		char section;
		const char *what;
	} cases[] = {
		{ 64 + 36, 1, 'i', "an inode's extended attributes" },
		{ 32, 1000000000, 'i', "a time" },
		{ 12, 3, 'i', "a directory's link count" },
		{ 64 + 12, 0, 'i', "a link count" },
		{ 64, 0100000 << 3, 'i', "a directory entry's type" },
		{ 64, S_IFIFO, 'i', "a directory entry's type" },
		{ 64 + 16, 7, 'i', "extents that do not cover a file" },
		{ 64 + 16, 5, 'i', "extents beyond a file's size" },
		{ 64 + 56, 5, 'i', "a file's allocated size" },
		{ 64 + 44, 2, 'i', "an extent" },
		{ 128 + 16, 4, 'i', "a symbolic link's target" },
		{ 128 + 40, 100, 'i', "a symbolic link's target" },
		{ 44, 3, 'i', "a directory entry" },
		{ 52, 1, 'i', "the root's parent" },
		{ 48, 0, 'i', "the directory of a nested catalog" },
		{ 4, 3, 'd', "a directory entry" },
		{ 4, 0, 'd', "a directory entry's type" },
		{ 8, 0, 'd', "a directory entry" },
		{ 0, 5, 'd', "the order of a directory's entries" },
		{ 40, 1, 'e', "an extent" },
		{ 44, 148, 'e', "an extent" },
		{ 40, 3, 'o', "an extent's object" },
		{ 36, 129, 'o', "an extent" },
	};
	size_t size;
	_cleanup_free_ uint8_t *data = make_example(&size);
	struct catalog c;

	(void)state;
	assert_int_equal(catalog_open(data, size, &c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t section = cases[i].section == 'i' ? c.at_inodes : cases[i].section == 'd' ? c.at_dirents : cases[i].section == 'e' ?
			c.at_extents : c.at_objects;
		uint32_t before = le32_get(data + section + cases[i].at);
		const char *what = "nothing";
		le32_put(data + section + cases[i].at, cases[i].value);
		assert_int_equal(catalog_check(&c, &what), -EBADMSG);
		assert_string_equal(what, cases[i].what);
		le32_put(data + section + cases[i].at, before);
	}
	static const struct {
		const char *name;
		size_t length;
	} names[] = { { ".", 1 }, { "..", 2 }, { "a/b", 3 }, { "a\0b", 3 } };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint8_t *d = data + c.at_dirents;
		const char *what = "nothing";
		memcpy(data + c.at_strings, names[i].name, names[i].length);
		le16_put(d + 8, (uint16_t)names[i].length);
		assert_int_equal(catalog_check(&c, &what), -EBADMSG);
		assert_string_equal(what, "a name");
	}
}

static void test_many_names(void **state)
{
	enum { COUNT = 5000 };
	struct catalog_writer w;
	struct catalog c;
	struct catalog_inode root = { .mode = S_IFDIR | 0755, .nlink = 2, .size = CATALOG_DIRECTORY_SIZE, .xattr_set = CATALOG_NONE, .count = COUNT,
		.nested = CATALOG_NONE };
	struct catalog_dirent d;
	_cleanup_free_ void *data = NULL;
	const char *what;
	size_t size;

	(void)state;
	catalog_writer_init(&w);
	catalog_writer_set_inode(&w, catalog_writer_reserve_inode(&w), &root);
	for (uint32_t i = 0; i < COUNT; i++) {
		char name[16];
		size_t length = (size_t)sprintf(name, "%08u", i * 2);
		put_inode(&w, S_IFIFO | 0600, 1, 0, 0, 0, CATALOG_NONE);
		catalog_writer_add_dirent(&w, name, length, DT_FIFO, i + 1, false);
	}
	assert_int_equal(catalog_writer_finish(&w, &data, &size), 0);
	catalog_writer_done(&w);
	assert_int_equal(catalog_open(data, size, &c), 0);
	assert_int_equal(catalog_check(&c, &what), 0);
	for (uint32_t i = 0; i < 2 * COUNT + 2; i++) {
		char name[16];
		size_t length = (size_t)sprintf(name, "%08u", i);
		bool there = i % 2 == 0 && i < 2 * COUNT;
		assert_int_equal(catalog_lookup(&c, &root, name, length, &d), there ? 0 : -ENOENT);
		if (there)
			assert_int_equal(d.inode, i / 2 + 1);
	}
}

static void test_writer_limit(void **state)
{
	struct catalog_writer w;
	_cleanup_free_ char *large = calloc(1, 1 << 20);
	void *data;
	size_t size;

	(void)state;
	catalog_writer_init(&w);
	put_inode(&w, S_IFDIR | 0755, 2, CATALOG_DIRECTORY_SIZE, 0, 0, CATALOG_NONE);
	for (int i = 0; i < 80; i++)
		catalog_writer_add_string(&w, large, 1 << 20);
	assert_int_equal(catalog_writer_finish(&w, &data, &size), -EFBIG);
	catalog_writer_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example), cmocka_unit_test(test_damage), cmocka_unit_test(test_check), cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_writer_limit),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
