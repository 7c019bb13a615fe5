/* SPDX-License-Identifier: MIT */
/* Pinned paths: their final form, and the list of them in the cache, also when it is changed by two and when it is spoilt. */
#include "common/io.h"
#include "fetchfs/client/pins_private.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char directory[] = "/tmp/spore-test-pins-XXXXXX";
static struct stats stats;

static void check_path(const char *path, const char *wanted)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(pins_normalize(path, &found), 0);
	assert_string_equal(found, wanted);
}

static void test_paths(void **state)
{
	_cleanup_free_ char *deep = calloc(1, 6000), *found = NULL;

	(void)state;
	check_path("usr/bin", "usr/bin");
	check_path("/usr//bin///", "usr/bin/");
	check_path("/", "/");
	check_path("///", "/");
	check_path("...", "...");
	check_path("a b%/\xff", "a b%/\xff");
	assert_int_equal(pins_normalize("", &found), -EINVAL);
	assert_int_equal(pins_normalize("../x", &found), -EINVAL);
	assert_int_equal(pins_normalize("a/./b", &found), -EINVAL);
	assert_int_equal(pins_normalize("a/..", &found), -EINVAL);
	memset(deep, 'a', 256);
	assert_int_equal(pins_normalize(deep, &found), -ENAMETOOLONG);
	for (int i = 0; i < 5000; i++)
		deep[i] = i % 2 ? '/' : 'a';
	assert_int_equal(pins_normalize(deep, &found), -ENAMETOOLONG);
}

static struct cache *open_cache(void)
{
	struct cache_config config = { .path = directory, .quota = MIB, .stats = &stats };
	struct cache *c;

	assert_int_equal(cache_open(&config, &c), 0);
	assert_int_equal(cache_write_text(c, "debian", "x", "", 0), 0);
	return c;
}

static void test_list(void **state)
{
	struct cache *c = open_cache();
	struct pins_file f;

	(void)state;
	assert_int_equal(pins_file_read(c, "debian", &f), 0);
	assert_int_equal(f.count, 0);
	assert_int_equal(pins_file_change(c, "debian", "usr/bin/", true), 0);
	assert_int_equal(pins_file_change(c, "debian", "a b\n%", true), 0);
	assert_int_equal(pins_file_change(c, "debian", "/", true), 0);
	assert_int_equal(pins_file_change(c, "debian", "a b\n%", true), 0);
	assert_int_equal(pins_file_change(c, "debian", "usr/bin/", false), 0);
	assert_int_equal(pins_file_change(c, "debian", "never", false), 0);
	assert_int_equal(pins_file_read(c, "debian", &f), 0);
	assert_int_equal(f.count, 2);
	assert_string_equal(f.paths[0], "a b\n%");
	assert_string_equal(f.paths[1], "/");
	pins_file_done(&f);
	cache_close(c);
}

static void test_too_many(void **state)
{
	struct cache *c = open_cache();
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	fputs("fetchfs-pins 1\n", f);
	for (int i = 0; i < PINS_MAX - 1; i++)
		fprintf(f, "file%d\n", i);
	fclose(f);
	assert_int_equal(cache_write_text(c, "debian", "pins", text, size), 0);
	assert_int_equal(pins_file_change(c, "debian", "one", true), 0);
	assert_int_equal(pins_file_change(c, "debian", "one too many", true), -E2BIG);
	assert_int_equal(pins_file_change(c, "debian", "file7", false), 0);
	assert_int_equal(pins_file_change(c, "debian", "another", true), 0);
	free(text);
	cache_close(c);
}

static void test_spoilt(void **state)
{
	static const char *const texts[] = { "", "rubbish", "fetchfs-pins 2\nusr\n", "fetchfs-pins 1\nusr", "fetchfs-pins 1\n\n", "fetchfs-pins 1\na b\n",
		"fetchfs-pins 1\n../x\n", "fetchfs-pins 1\n%00\n" };
	struct cache *c = open_cache();
	struct pins_file f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(pins_file_parse(texts[i], strlen(texts[i]), &f), -EBADMSG);
		assert_int_equal(f.count, 0);
	}
	assert_int_equal(cache_write_text(c, "debian", "pins", "rubbish", 7), 0);
	assert_int_equal(pins_file_change(c, "debian", "usr", true), -EBADMSG);
	cache_close(c);
}

/* What is kept is not evicted, by whichever user of the cache, until it is kept no longer. */
static void test_keeping(void **state)
{
	struct cache *c = open_cache(), *other = open_cache();
	struct digest root = { .bytes = { 1 } }, next = { .bytes = { 2 } }, key;
	char content[8192] = "x";
	int folder;

	(void)state;
	digest_of(content, sizeof(content), &key);
	assert_int_equal(cache_keep_open(c, "debian", &root, &folder), 0);
	assert_int_equal(cache_keep(c, folder, &key, false), -ENOENT);
	assert_int_equal(cache_put(c, &key, content, sizeof(content), NULL), 0);
	assert_int_equal(cache_keep(c, folder, &key, false), 0);
	assert_int_equal(cache_keep(c, folder, &key, false), 0);
	assert_int_equal(cache_evict(other, GIB), 0);
	assert_true(cache_has(other, &key));
	/* Fetched again: the second name follows. */
	assert_int_equal(cache_put(c, &key, content, sizeof(content), NULL), 0);
	assert_int_equal(cache_keep(c, folder, &key, false), 0);
	assert_int_equal(cache_evict(other, GIB), 0);
	/* The folder is in use, so another snapshot does not take it away; afterwards it does. */
	cache_keep_only(other, "debian", &next);
	assert_int_equal(cache_evict(other, GIB), 0);
	close(folder);
	/* The next one begins with an empty folder; what was in it is kept until the new one is said to be all. */
	assert_int_equal(cache_keep_open(c, "debian", &root, &folder), 0);
	assert_int_equal(cache_evict(other, GIB), 0);
	assert_int_equal(cache_keep(c, folder, &key, false), 0);
	cache_keep_only(other, "debian", &root);
	assert_int_equal(cache_evict(other, GIB), 0);
	close(folder);
	cache_keep_only(other, "debian", &next);
	assert_true(cache_evict(other, GIB) >= sizeof(content));
	assert_false(cache_has(c, &key));
	cache_close(other);
	cache_close(c);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s;
	(void)type;
	(void)f;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_tree_list(void **state)
{
	static const char text[] = "# what boots\n\nusr/lib/\n/etc//fstab\n../x\na name with blanks # and more\nno/../way\n/";
	_cleanup_free_ char *many = malloc(4 * PINS_MAX + 8);
	static struct pins_file f;
	unsigned bad, line;

	(void)state;
	pins_tree_parse(text, sizeof(text) - 1, &f, &bad, &line);
	assert_int_equal(f.count, 4);
	assert_string_equal(f.paths[0], "usr/lib/");
	assert_string_equal(f.paths[1], "etc/fstab");
	assert_string_equal(f.paths[2], "a name with blanks # and more");
	assert_string_equal(f.paths[3], "/");
	assert_int_equal(bad, 2);
	assert_int_equal(line, 5);
	pins_file_done(&f);
	pins_tree_parse("a\0b\nc", 5, &f, &bad, &line);
	assert_int_equal(f.count, 1);
	assert_int_equal(line, 1);
	pins_file_done(&f);
	assert_non_null(many);
	for (size_t i = 0; i < PINS_MAX + 1; i++)
		memcpy(many + 2 * i, "x\n", 2);
	pins_tree_parse(many, 2 * (PINS_MAX + 1), &f, &bad, &line);
	assert_int_equal(f.count, PINS_MAX);
	assert_int_equal(bad, 1);
	assert_int_equal(line, PINS_MAX + 1);
	pins_file_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tree_list), cmocka_unit_test(test_paths), cmocka_unit_test(test_list), cmocka_unit_test(test_too_many),
					    cmocka_unit_test(test_spoilt), cmocka_unit_test(test_keeping) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
