/* SPDX-License-Identifier: MIT */
/* Profiles: the lines of recordings, the publisher's ranks, and lists of objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "fetchfs/format/catalog.h"
#include "fetchfs/format/profile_list.h"
#include "fetchfs/publish/profile.h"
#include "tests/unit/hexdump.h"

static void test_lines(void **state)
{
	static const struct {
		const char *line, *path, *extents;
		errint_t error;
	} cases[] = {
		{ "", NULL, NULL, 0 },
		{ "   \r", NULL, NULL, 0 },
		{ "# a comment", NULL, NULL, 0 },
		{ "/", "/", NULL, 0 },
		{ "/a b  \r", "/a b", NULL, 0 },
		{ "/a\\040", "/a ", NULL, 0 },
		{ "/a\\012b\\377c\\134x", "/a\nb\377c\\x", NULL, 0 },
		{ "/system-systemd\\x2dcryptsetup.slice", "/system-systemd\\x2dcryptsetup.slice", NULL, 0 },
		{ "/a\\", "/a\\", NULL, 0 },
		{ "/a\\12", "/a\\12", NULL, 0 },
		{ "/a\t0+1", "/a", "0+1", 0 },
		{ "/a\t0+1,18446744073709551614+1", "/a", "0+1,18446744073709551614+1", 0 },
		{ "a", NULL, NULL, -EINVAL },
		{ " /a", NULL, NULL, -EINVAL },
		{ "/a\\000", NULL, NULL, -EINVAL },
		{ "/a\\777", NULL, NULL, -EINVAL },
		{ "/a\t", NULL, NULL, -EINVAL },
		{ "/a\t1", NULL, NULL, -EINVAL },
		{ "/a\t1+", NULL, NULL, -EINVAL },
		{ "/a\t1+0", NULL, NULL, -EINVAL },
		{ "/a\t-1+1", NULL, NULL, -EINVAL },
		{ "/a\t1+1,", NULL, NULL, -EINVAL },
		{ "/a\t1+1\t", NULL, NULL, -EINVAL },
		{ "/a\t18446744073709551615+1", NULL, NULL, -EINVAL },
		{ "/a\t18446744073709551616+1", NULL, NULL, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = strdup(cases[i].line);
		struct profile_line l;
		assert_int_equal(profile_parse_line(line, &l), cases[i].error);
		if (cases[i].error < 0)
			continue;
		if (!cases[i].path) {
			assert_null(l.path);
			continue;
		}
		assert_string_equal(l.path, cases[i].path);
		if (cases[i].extents)
			assert_string_equal(l.extents, cases[i].extents);
		else
			assert_null(l.extents);
	}
}

static void test_long_path(void **state)
{
	_cleanup_free_ char *line = malloc(PROFILE_PATH_MAX + 2);
	struct profile_line l;

	(void)state;
	memset(line, 'x', PROFILE_PATH_MAX + 1);
	line[0] = '/';
	line[PROFILE_PATH_MAX] = '\0';
	assert_int_equal(profile_parse_line(line, &l), 0);
	line[PROFILE_PATH_MAX] = 'x';
	line[PROFILE_PATH_MAX + 1] = '\0';
	assert_int_equal(profile_parse_line(line, &l), -ENAMETOOLONG);
}

static char *printed(const char *path)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	profile_print_path(f, path, strlen(path));
	fclose(f);
	return text;
}

static void test_print(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
		{ "/a b", "/a b" },
		{ "/a ", "/a\\040" },
		{ "/a\n\t\x7f\\", "/a\\012\\011\\177\\134" },
		{ "/\303\244", "/\303\244" },
		{ "/\344", "/\\344" },
		{ "/\303", "/\\303" },
		{ "/\300\257", "/\\300\\257" },			/* '/' in two bytes */
		{ "/\355\240\200", "/\\355\\240\\200" },	/* a surrogate */
		{ "/\360\237\230\200", "/\360\237\230\200" },
		{ "/\364\220\200\200", "/\\364\\220\\200\\200" },	/* beyond U+10FFFF */
		{ "/\340\237\277", "/\\340\\237\\277" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = printed(cases[i].path);
		struct profile_line l;
		assert_string_equal(text, cases[i].text);
		assert_int_equal(profile_parse_line(text, &l), 0);
		assert_string_equal(l.path, cases[i].path);
	}
}

/* The text of the document, as a profile. */
static void add_document(struct profiles *p, struct trouble *t)
{
	_cleanup_free_ char *document = NULL;
	size_t size;
	char *start, *end;

	assert_int_equal(io_read_file("docs/format-profile.md", 1 << 20, &document, &size), 0);
	start = strstr(document, "# recorded from");
	assert_non_null(start);
	end = strstr(start, "```");
	assert_non_null(end);
	*end = '\0';
	assert_int_equal(profiles_add(p, "boot", strdup(start), "document", t), 0);
}

static void test_document(void **state)
{
	struct profiles p = { .count = 0 };
	struct trouble t = { .exit_code = 0 };
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	add_document(&p, &t);
	assert_int_equal(p.list[0]->count, 6);
	assert_string_equal(p.list[0]->entries[5].path, "/srv/a\nstrange\377name");
	assert_int_equal(p.list[0]->entries[4].offset, 4194304);
	assert_int_equal(profile_format(p.list[0], &text, &size), 0);
	assert_string_equal(text, "/etc/\n/etc/ld.so.cache\n/usr/lib/x86_64-linux-gnu/libc.so.6\n/usr/lib/x86_64-linux-gnu/libcrypto.so.3\t0+2097152\n"
				  "/usr/lib/x86_64-linux-gnu/libcrypto.so.3\t4194304+2097152\n/srv/a\\012strange\\377name\n");
	profiles_done(&p);
}

static struct tree_node *child(struct tree *t, struct tree_node *parent, const char *name)
{
	struct tree_node *n = tree_new_node(t, parent, name, strlen(name), tree_new_inode(t));

	assert_non_null(n);
	return n;
}

static void test_ranks(void **state)
{
	struct profiles p = { .count = 0 };
	struct trouble t = { .exit_code = 0 };
	struct profile_rank rank = { 9, 9 };
	struct tree tree;
	struct tree_node *root, *usr, *a, *b, *c;

	(void)state;
	tree_init(&tree);
	root = child(&tree, NULL, "");
	usr = child(&tree, root, "usr");
	a = child(&tree, usr, "a");
	b = child(&tree, usr, "b");
	c = child(&tree, usr, "c");
	assert_int_equal(profiles_add(&p, "boot", strdup("/usr/b\n/usr/a\t10+5\n/usr/a\t100+5\n"), "one", &t), 0);
	assert_int_equal(profiles_add(&p, "gcc", strdup("/usr/a\n/usr/b\n"), "two", &t), 0);
	assert_true(profiles_rank(&p, b, 0, 1, &rank));
	assert_int_equal(rank.profile, 0);
	assert_int_equal(rank.entry, 0);
	assert_true(profiles_rank(&p, a, 14, 1, &rank));
	assert_int_equal(rank.profile, 0);
	assert_int_equal(rank.entry, 1);
	assert_true(profiles_rank(&p, a, 15, 86, &rank));
	assert_int_equal(rank.entry, 2);
	/* What lies between is the second one's. */
	assert_true(profiles_rank(&p, a, 15, 85, &rank));
	assert_int_equal(rank.profile, 1);
	assert_false(profiles_rank(&p, c, 0, 1, &rank));
	assert_false(profiles_rank(NULL, b, 0, 1, &rank));
	assert_int_equal(profiles_add(&p, "bad", strdup("/good\nbad\n"), "three", &t), -EINVAL);
	assert_non_null(strstr(t.text, "three:2:"));
	tree_done(&tree);
	profiles_done(&p);
}

static uint8_t *make_list(size_t *ret_size)
{
	static const struct profile_list_object objects[] = {
		{ .digest = { .bytes = { 1 } }, .stored_size = 10, .size = 100, .kind = PROFILE_LIST_CATALOG },
		{ .digest = { .bytes = { 2 } }, .stored_size = 20, .size = 200, .kind = CATALOG_OBJECT_PACK },
		{ .digest = { .bytes = { 3 } }, .stored_size = 30, .size = 300, .kind = CATALOG_OBJECT_CHUNK, .extent = 5, .inode = 7 },
	};
	void *data;

	assert_int_equal(profile_list_make(objects, 3, &data, ret_size), 0);
	assert_int_equal(*ret_size, PROFILE_LIST_HEADER_SIZE + 3 * PROFILE_LIST_OBJECT_SIZE);
	return data;
}

static void test_list(void **state)
{
	size_t size;
	_cleanup_free_ uint8_t *data = make_list(&size);
	struct profile_list_object o;
	struct profile_list l;

	(void)state;
	assert_int_equal(profile_list_open(data, size, &l), 0);
	assert_true(hexdump_matches("docs/format-profile.md", "list", data, size));
	assert_int_equal(l.count, 3);
	assert_true(profile_list_get(&l, 0, &o));
	assert_int_equal(o.kind, PROFILE_LIST_CATALOG);
	assert_true(profile_list_get(&l, 2, &o));
	assert_int_equal(o.stored_size, 30);
	assert_int_equal(o.size, 300);
	assert_int_equal(o.digest.bytes[0], 3);
	assert_int_equal(o.extent, 5);
	assert_int_equal(o.inode, 7);
	assert_false(profile_list_get(&l, 3, &o));
}

static void test_list_refused(void **state)
{
	enum { CATALOG = 32, PACK = CATALOG + 56, CHUNK = PACK + 56 };
	static const struct {
		size_t at;
		uint32_t value;
		errint_t error;
	} cases[] = {
		{ 0, 0, -EBADMSG }, { 8, 0, -EBADMSG }, { 8, 2, -EPROTONOSUPPORT }, { 12, 2, -EBADMSG }, { 12, UINT32_MAX, -EBADMSG },
		{ 16, 1, -EBADMSG }, { 28, 1, -EBADMSG }, { CATALOG + 32, 0, -EBADMSG }, { CATALOG + 32, UINT32_MAX, -EBADMSG },
		{ CATALOG + 36, 0, -EBADMSG }, { CATALOG + 36, UINT32_MAX, -EBADMSG }, { CATALOG + 40, 0, -EBADMSG }, { CATALOG + 40, 4, -EBADMSG },
		{ CATALOG + 44, 1, -EBADMSG }, { CATALOG + 52, 1, -EBADMSG }, { PACK + 48, 1, -EBADMSG }, { CHUNK + 48, 0, -EBADMSG },
	};
	size_t size;
	_cleanup_free_ uint8_t *good = make_list(&size), *copy = malloc(size + 1);
	struct profile_list l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(copy, good, size);
		le32_put(copy + cases[i].at, cases[i].value);
		assert_int_equal(profile_list_open(copy, size, &l), cases[i].error);
	}
	for (size_t n = 0; n < size; n++) {
		_cleanup_free_ uint8_t *cut = malloc(n + 1);
		memcpy(cut, good, n);
		assert_int_equal(profile_list_open(cut, n, &l), -EBADMSG);
	}
	memcpy(copy, good, size);
	assert_int_equal(profile_list_open(copy, size + 1, &l), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
