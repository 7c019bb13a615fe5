/* SPDX-License-Identifier: MIT */
/* The client's cache alone: contents, pins and the quota, damage after an unclean end, parts, catalogs and texts. */
#include "common/io.h"
#include "fetchfs/client/cache_private.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define CONTENT 5000

static char directory[] = "/tmp/spore-test-cache-XXXXXX";
static struct stats stats;

static struct cache *open_cache(uint64_t quota)
{
	struct cache_config config = { .path = directory, .quota = quota, .stats = &stats };
	struct cache *c;

	assert_int_equal(cache_open(&config, &c), 0);
	return c;
}

static void make_content(unsigned n, char ret[CONTENT], struct digest *ret_key)
{
	memset(ret, 'a' + (int)(n % 26), CONTENT);
	memcpy(ret, &n, sizeof(n));
	digest_of(ret, CONTENT, ret_key);
}

static void put(struct cache *c, unsigned n)
{
	char content[CONTENT];
	struct digest key;

	make_content(n, content, &key);
	assert_int_equal(cache_put(c, &key, content, CONTENT, NULL), 0);
}

/* 0 and right, or the error. */
static errint_t get(struct cache *c, unsigned n)
{
	char content[CONTENT], found[CONTENT];
	_cleanup_close_ int fd = -1;
	struct digest key;
	errint_t r;

	make_content(n, content, &key);
	r = cache_find(c, &key, CONTENT, &fd);
	if (r < 0)
		return r;
	assert_int_equal(io_pread_full(fd, found, CONTENT, 0), CONTENT);
	assert_memory_equal(found, content, CONTENT);
	return 0;
}

static char *path_of(const char *folder, unsigned n)
{
	char content[CONTENT], text[DIGEST_TEXT_SIZE];
	struct digest key;

	make_content(n, content, &key);
	digest_to_text(&key, text);
	return io_format("%s/%s/%.2s/%s", directory, folder, text + 3, text);
}

/* What is missing after a power cut or kill -9. */
static void forget_cleanliness(void)
{
	_cleanup_free_ char *session = io_format("%s/session", directory);

	assert_int_equal(unlink(session), 0);
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
	strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	memset(&stats, 0, sizeof(stats));
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_contents(void **state)
{
	struct cache *c = open_cache(0);

	(void)state;
	assert_int_equal(get(c, 1), -ENOENT);
	put(c, 1);
	put(c, 1);
	assert_int_equal(get(c, 1), 0);
	cache_close(c);
	c = open_cache(0);
	assert_int_equal(get(c, 1), 0);
	assert_int_equal(get(c, 2), -ENOENT);
	cache_close(c);
}

static void test_wrong_size(void **state)
{
	struct cache *c = open_cache(0);
	_cleanup_free_ char *path = path_of("files", 1);

	(void)state;
	put(c, 1);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(get(c, 1), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	put(c, 1);
	assert_int_equal(get(c, 1), 0);
	cache_close(c);
}

static void test_unclean_end(void **state)
{
	struct cache *c = open_cache(0);
	_cleanup_free_ char *path = path_of("files", 1), *suspect = path_of("suspect", 1);
	int fd;

	(void)state;
	put(c, 1);
	put(c, 2);
	cache_close(c);
	/* Altered, of the same size: only the digest tells. */
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1);
	close(fd);
	forget_cleanliness();
	c = open_cache(0);
	assert_int_equal(access(suspect, F_OK), 0);
	assert_int_equal(get(c, 1), -ENOENT);
	assert_int_equal(access(suspect, F_OK), -1);
	assert_int_equal(get(c, 2), 0);
	assert_int_equal(stats_get(&stats, cache_bad), 1);
	cache_close(c);
	/* A second unclean end, with suspects of the first left. */
	c = open_cache(0);
	put(c, 3);
	cache_close(c);
	forget_cleanliness();
	c = open_cache(0);
	assert_int_equal(get(c, 2), 0);
	assert_int_equal(get(c, 3), 0);
	cache_close(c);
}

/* While somebody uses the cache it is not suspected. */
static void test_shared(void **state)
{
	struct cache *a = open_cache(0), *b;

	(void)state;
	put(a, 1);
	b = open_cache(0);
	assert_int_equal(get(b, 1), 0);
	put(b, 2);
	assert_int_equal(get(a, 2), 0);
	cache_close(a);
	assert_int_equal(get(b, 1), 0);
	cache_close(b);
}

static void assert_session(const char *expected)
{
	_cleanup_free_ char *path = io_format("%s/session", directory), *text = NULL;
	size_t size;

	assert_int_equal(io_read_file(path, 64, &text, &size), 0);
	assert_string_equal(text, expected);
}

/* Who only reads leaves the mark alone: a power cut then costs nothing. */
static void test_session(void **state)
{
	struct cache *c = open_cache(0);

	(void)state;
	put(c, 1);
	cache_close(c);
	c = open_cache(0);
	assert_int_equal(get(c, 1), 0);
	assert_session("clean\n");
	put(c, 2);
	assert_session("in use\n");
	cache_close(c);
	assert_session("clean\n");
}

/* Until each folder has been listed. */
static void wait_counted(struct cache *c)
{
	while (!atomic_load(&c->room.is_counted))
		sched_yield();
}

static char *accounts_path(void)
{
	return io_format("%s/accounts", directory);
}

/* What a clean end leaves is what the next start knows at once, and nobody else after that. */
static void test_accounts(void **state)
{
	_cleanup_free_ char *accounts = accounts_path();
	struct cache *c = open_cache(0), *other;
	uint64_t usage;

	(void)state;
	put(c, 1);
	put(c, 2);
	wait_counted(c);
	usage = cache_usage(c);
	assert_int_equal(usage, 2 * align_up(CONTENT, 4096));
	cache_close(c);
	assert_int_equal(access(accounts, F_OK), 0);
	c = open_cache(0);
	assert_int_equal(cache_usage(c), usage);
	assert_int_equal(access(accounts, F_OK), -1);
	/* Two at a time: neither knows what the other puts in. */
	other = open_cache(0);
	put(other, 3);
	cache_close(other);
	cache_close(c);
	assert_int_equal(access(accounts, F_OK), -1);
	c = open_cache(0);
	wait_counted(c);
	assert_int_equal(cache_usage(c), 3 * align_up(CONTENT, 4096));
	cache_close(c);
}

/* After an unclean end, or where the file is no such file, all is counted. */
static void test_accounts_not_good(void **state)
{
	_cleanup_free_ char *accounts = accounts_path();
	struct cache *c = open_cache(0);

	(void)state;
	put(c, 1);
	wait_counted(c);
	cache_close(c);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 0)
			assert_int_equal(truncate(accounts, 100), 0);
		else if (i == 1)
			assert_int_equal(io_write_file(accounts, 0600, "SPOREacc", 8), 0);
		else
			forget_cleanliness();
		c = open_cache(0);
		wait_counted(c);
		assert_int_equal(cache_usage(c), align_up(CONTENT, 4096));
		cache_close(c);
		assert_int_equal(access(accounts, F_OK), 0);
	}
	/* A number that no folder can have. */
	{
		char text[4112] = "SPOREacc";
		memset(text + 8, 0xff, sizeof(text) - 8);
		assert_int_equal(io_write_file(accounts, 0600, text, sizeof(text)), 0);
	}
	c = open_cache(0);
	wait_counted(c);
	assert_int_equal(cache_usage(c), align_up(CONTENT, 4096));
	cache_close(c);
}

static void age(unsigned n, time_t seconds)
{
	_cleanup_free_ char *path = path_of("files", n);
	struct timespec times[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_nsec = UTIME_OMIT } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_quota(void **state)
{
	struct cache *c = open_cache(MIB);
	char content[CONTENT];
	struct digest pinned;
	unsigned left = 0;

	(void)state;
	make_content(0, content, &pinned);
	put(c, 0);
	cache_pin(c, &pinned);
	put(c, 1);
	for (unsigned n = 2; n < 120; n++) {
		put(c, n);
		age(n, 2000 - n);
	}
	age(0, 5000);
	age(1, 60 * 60);
	/* Used, and so not the oldest any more. */
	assert_int_equal(get(c, 1), 0);
	for (unsigned n = 120; n < 400; n++) {
		put(c, n);
		age(n, 2000 - n);
	}
	assert_int_equal(get(c, 0), 0);
	assert_int_equal(get(c, 1), 0);
	assert_int_equal(get(c, 2), -ENOENT);
	assert_int_equal(get(c, 399), 0);
	for (unsigned n = 0; n < 400; n++)
		left += get(c, n) == 0;
	/* Two blocks each. */
	assert_in_range(left, 50, MIB / 8192);
	cache_unpin(c, &pinned);
	/* Nobody evicts in the background any more. */
	cache_close(c);
	assert_true(stats_get(&stats, evicted) >= 400 - left);
}

/* Where everything is in use the quota still holds: the caller is told, and goes on without. */
static void test_quota_in_use(void **state)
{
	struct cache *c = open_cache(MIB);
	_cleanup_free_ char *large = calloc(1, 700 * KIB);
	struct digest one, two;
	int fd;

	(void)state;
	assert_non_null(large);
	digest_of(large, 700 * KIB, &one);
	assert_int_equal(cache_put(c, &one, large, 700 * KIB, NULL), 0);
	cache_pin(c, &one);
	large[0] = 1;
	digest_of(large, 700 * KIB, &two);
	assert_int_equal(cache_put(c, &two, large, 700 * KIB, &fd), -ENOSPC);
	cache_unpin(c, &one);
	assert_int_equal(cache_put(c, &two, large, 700 * KIB, &fd), 0);
	close(fd);
	cache_close(c);
}

/* The clock was ahead when they were used: they are not kept for ever for that. */
static void test_clock_set_back(void **state)
{
	struct cache *c = open_cache(MIB);
	unsigned left = 0;

	(void)state;
	for (unsigned n = 0; n < 50; n++) {
		put(c, n);
		age(n, -86400 * 365);
	}
	/* Eviction meets them and takes them for used now; what is used from then on is newer. */
	for (unsigned n = 1000; n < 1300; n++)
		put(c, n);
	for (unsigned n = 0; n < 50; n++)
		left += get(c, n) == 0;
	assert_true(left < 50);
	assert_int_equal(get(c, 1299), 0);
	cache_close(c);
}

/* What somebody keeps has a second name. */
static void test_kept(void **state)
{
	struct cache *c = open_cache(MIB);
	_cleanup_free_ char *path = path_of("files", 0), *kept = io_format("%s/repositories/kept", directory);

	(void)state;
	put(c, 0);
	assert_int_equal(link(path, kept), 0);
	age(0, 100000);
	for (unsigned n = 1; n < 400; n++)
		put(c, n);
	assert_true(stats_get(&stats, evicted) > 0);
	assert_int_equal(get(c, 0), 0);
	cache_close(c);
}

/* Old catalogs take a quarter at most, and those in use stay. */
static void test_many_catalogs(void **state)
{
	struct cache *c = open_cache(MIB);
	char content[CONTENT], text[DIGEST_TEXT_SIZE];
	struct digest kept;
	unsigned left = 0;

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		struct cache_catalog image;
		struct digest key;
		make_content(n, content, &key);
		assert_int_equal(cache_put_catalog(c, &key, content, CONTENT, &image), 0);
		cache_free_catalog(&image);
		if (n == 0)
			cache_pin(c, &key);
	}
	for (unsigned n = 0; n < 200; n++) {
		_cleanup_free_ char *path = NULL;
		struct digest key;
		make_content(n, content, &key);
		digest_to_text(&key, text);
		path = io_format("%s/catalogs/%s", directory, text);
		left += access(path, F_OK) == 0;
		assert_true(n != 0 || left == 1);
	}
	assert_in_range(left, 10, MIB / 4 / 8192);
	make_content(0, content, &kept);
	cache_unpin(c, &kept);
	cache_close(c);
}

static void test_parts(void **state)
{
	static const char extent[1000] = "abc";
	struct cache *c = open_cache(0);
	struct digest key = { .bytes = { 1, 2, 3 } };
	struct cache_part p;
	uint8_t claimed[3];
	int fd;

	(void)state;
	assert_int_equal(cache_part_open(c, &key, 3000, 3, &p, claimed), 0);
	assert_false(p.whole);
	assert_memory_equal(claimed, "\0\0\0", 3);
	assert_int_equal(cache_part_write(c, &p, 1, extent, 1000, 1000), 0);
	cache_part_close(&p);
	assert_int_equal(cache_part_open(c, &key, 3000, 3, &p, claimed), 0);
	assert_memory_equal(claimed, "\0\1\0", 3);
	assert_int_equal(cache_find(c, &key, 3000, &fd), -ENOENT);
	assert_int_equal(cache_part_write(c, &p, 0, extent, 1000, 0), 0);
	assert_int_equal(cache_part_write(c, &p, 2, extent, 1000, 2000), 0);
	assert_int_equal(cache_part_finish(c, &p), 0);
	/* Somebody else's file of that name is not this one. */
	assert_int_equal(cache_part_finish(c, &p), -ENOENT);
	cache_part_close(&p);
	assert_int_equal(cache_part_open(c, &key, 3000, 3, &p, claimed), 0);
	assert_true(p.whole);
	cache_part_close(&p);
	cache_close(c);
	/* After an unclean end a whole file is one whose extents all want to be verified. */
	forget_cleanliness();
	c = open_cache(0);
	assert_int_equal(cache_part_open(c, &key, 3000, 3, &p, claimed), 0);
	assert_false(p.whole);
	assert_memory_equal(claimed, "\1\1\1", 3);
	cache_part_close(&p);
	cache_close(c);
}

static void test_catalogs_and_texts(void **state)
{
	struct cache *c = open_cache(0);
	char content[CONTENT], text[DIGEST_TEXT_SIZE];
	_cleanup_free_ char *path = NULL, *read = NULL;
	struct cache_catalog image;
	struct digest key;
	size_t size;
	int fd;

	(void)state;
	make_content(7, content, &key);
	assert_int_equal(cache_get_catalog(c, &key, CONTENT, &image), -ENOENT);
	assert_int_equal(cache_put_catalog(c, &key, content, CONTENT, &image), 0);
	assert_memory_equal(image.data, content, CONTENT);
	cache_free_catalog(&image);
	assert_int_equal(cache_get_catalog(c, &key, CONTENT, &image), 0);
	cache_free_catalog(&image);
	/* What becomes of the file is nothing to a catalog in use, and noticed when it is read again. */
	assert_int_equal(cache_get_catalog(c, &key, CONTENT, &image), 0);
	digest_to_text(&key, text);
	path = io_format("%s/catalogs/%s", directory, text);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 9), 1);
	assert_memory_equal(image.data, content, CONTENT);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_memory_equal(image.data, content, CONTENT);
	assert_int_equal(ftruncate(fd, CONTENT), 0);
	close(fd);
	cache_free_catalog(&image);
	assert_int_equal(cache_get_catalog(c, &key, CONTENT, &image), -ENOENT);

	assert_int_equal(cache_read_text(c, "debian", "manifest", 100, &read, &size), -ENOENT);
	assert_int_equal(cache_write_text(c, "debian", "manifest", "hello", 5), 0);
	assert_int_equal(cache_read_text(c, "debian", "manifest", 100, &read, &size), 0);
	assert_string_equal(read, "hello");
	cache_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unclean_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accounts_not_good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quota, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quota_in_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clock_set_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_catalogs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_catalogs_and_texts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
