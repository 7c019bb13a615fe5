/* SPDX-License-Identifier: MIT */
/* What outlives a worker, beside the journal: the state's text, counters, the modes of open inodes, and settings on their way to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fetchfs/client/open_modes.h"
#include "fetchfs/client/settings_pack.h"
#include "fetchfs/client/state.h"

#include <sys/mman.h>

static void expect_text(int fd, const char *text, bool pending)
{
	_cleanup_free_ void *read = NULL;
	bool is_pending;
	size_t size;

	assert_int_equal(state_read(fd, &read, &size, &is_pending), 0);
	assert_int_equal(size, strlen(text));
	assert_memory_equal(read, text, size);
	assert_int_equal(is_pending, pending);
}

static void test_text(void **state)
{
	_cleanup_close_ int fd = -1;
	uint64_t changes;
	void *text;
	size_t size;
	bool pending;

	(void)state;
	assert_int_equal(state_make(&fd), 0);
	expect_text(fd, "", false);
	for (unsigned i = 0; i < 5; i++) {
		changes = state_changes(fd);
		assert_int_equal(state_replace(fd, "first", 5, i == 2), 0);
		expect_text(fd, "first", i == 2);
		assert_int_equal(state_append(fd, " and more", 9), 0);
		expect_text(fd, "first and more", i == 2);
		assert_true(state_changes(fd) != changes);
	}
	assert_int_equal(state_replace(fd, "x", 1, true), 0);
	assert_int_equal(state_settle(fd), 0);
	expect_text(fd, "x", false);
	assert_int_equal(pwrite(fd, "zzzz", 4, 0), 4);
	assert_int_equal(state_read(fd, &text, &size, &pending), -EPROTONOSUPPORT);
}

static void test_counters(void **state)
{
	_cleanup_close_ int fd = -1;
	struct stats *first, *second;

	(void)state;
	assert_int_equal(stats_make(&fd), 0);
	assert_int_equal(stats_map(fd, &first), 0);
	stats_add(first, requests, 7);
	assert_int_equal(stats_map(fd, &second), 0);
	assert_int_equal(stats_get(second, requests), 7);
	/* A program that counts other things begins anew. */
	assert_int_equal(pwrite(fd, "other names", 11, 0), 11);
	assert_int_equal(stats_map(fd, &second), 0);
	assert_int_equal(stats_get(second, requests), 0);
}

static uint32_t number;
static unsigned asked;

static uint32_t choose(void *context)
{
	(void)context;
	asked++;
	return number;
}

static uint32_t open_one(struct open_modes *m, uint64_t ino)
{
	uint32_t mode = UINT32_MAX;

	assert_int_equal(open_modes_open(m, ino, choose, NULL, &mode), 0);
	return mode;
}

static void test_modes(void **state)
{
	_cleanup_close_ int fd = -1;
	struct open_modes *a, *b;

	(void)state;
	assert_int_equal(open_modes_make(&fd), 0);
	assert_int_equal(open_modes_map(fd, &a), 0);
	number = 5;
	assert_int_equal(open_one(a, 100), 5);
	number = 0;
	assert_int_equal(open_one(a, 200), 0);
	/* The next worker holds to it. */
	assert_int_equal(open_modes_map(fd, &b), 0);
	number = 9;
	assert_int_equal(open_one(b, 100), 5);
	assert_int_equal(open_one(b, 200), 0);
	assert_int_equal(asked, 2);
	assert_int_equal(open_modes_close(b, 100), 0);
	assert_int_equal(open_modes_close(b, 100), 5);
	assert_int_equal(open_modes_close(b, 100), 0);
	assert_int_equal(open_one(b, 100), 9);
	/* Many, and room again after them. */
	number = 0;
	for (unsigned round = 0; round < 3; round++) {
		uint64_t ino = 1000 + 100000 * (uint64_t)round, first = ino;
		uint32_t mode;
		while (open_modes_open(b, ino, choose, NULL, &mode) == 0)
			ino++;
		assert_true(ino - first > 16000);
		assert_int_equal(open_modes_open(b, ino, choose, NULL, &mode), -ENFILE);
		while (ino-- > first)
			(void)open_modes_close(b, ino);
	}
	open_modes_unmap(a);
	open_modes_unmap(b);
}

static void test_settings(void **state)
{
	struct settings before, after;
	char url[] = "http://user:secret@host/repo", proxy[] = "http://p:1", options[] = "quota=3G,soft=7,lower=/a:/b,tag=stable,opens,verify=always";
	_cleanup_close_ int fd = -1;
	char text[8192];
	ssize_t size;

	(void)state;
	settings_init(&before);
	assert_int_equal(settings_add_url(&before, url), 0);
	assert_int_equal(settings_set_proxy(&before, proxy), 0);
	assert_int_equal(settings_parse_options(&before, options), 0);
	before.mountpoint = "/mnt/\xff\xfe";
	before.cache = strdup("/var/cache");
	before.key_count = 1;
	memset(&before.keys[0], 0x5a, sizeof(before.keys[0]));
	assert_int_equal(settings_pack(&before, &fd), 0);
	settings_init(&after);
	assert_int_equal(settings_unpack(fd, &after), 0);
	assert_string_equal(after.secret_urls[0], "http://user:secret@host/repo");
	assert_string_equal(after.urls[0], "http://host/repo");
	assert_string_equal(after.mountpoint, "/mnt/\xff\xfe");
	assert_string_equal(after.cache, "/var/cache");
	assert_string_equal(after.lower, "/a:/b");
	assert_string_equal(after.tag, "stable");
	assert_string_equal(after.proxy, "http://p:1");
	assert_true(after.quota == 3 * GIB && after.timeout == 7 && after.opens && after.verify == FILES_VERIFY_ALWAYS && !after.root);
	assert_memory_equal(&after.keys[0], &before.keys[0], sizeof(after.keys[0]));
	assert_null(after.record);
	settings_done(&before);
	settings_done(&after);
	/* Cut short anywhere: an error, or less; never more than there is. */
	assert_true(ftruncate(fd, 10) < 0 && pwrite(fd, "x", 1, 0) < 0);
	size = pread(fd, text, sizeof(text), 0);
	assert_true(size > 400 && size < (ssize_t)sizeof(text));
	while ((size -= 3) > 0) {
		_cleanup_close_ int cut = memfd_create("cut", MFD_CLOEXEC);
		settings_init(&after);
		assert_int_equal(write(cut, text, (size_t)size), size);
		/* Where a record ends just there, something may be missing that need not be there. */
		if (settings_unpack(cut, &after) == 0)
			assert_true(after.mountpoint && after.url_count == 1 && after.key_count == 1);
		settings_done(&after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_counters), cmocka_unit_test(test_modes), cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
