/* SPDX-License-Identifier: MIT */
/*
 * The cache on a disk that fails: every call that changes something is made to fail once, and from then on, with no room and with a broken device. Whatever
 * happens, what is found afterwards is right, and no call ends in another way than its header says.
 */
#include "common/io.h"
#include "fetchfs/client/cache.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define CONTENTS 12
#define CONTENT ((size_t)(60 * KIB))
#define EXTENT ((size_t)(20 * KIB))
#define EXTENTS 3

/* In memory where that can be, since a cache syncs at its end. */
static char directory[64];
static struct stats stats;

/* The failing disk: the call with number fail_at fails, or all from there on. */
static struct {
	bool armed, sticky;
	int error;
	atomic_long calls;
	long fail_at;
	bool halves;		/* a write that fails has written half */
} disk;

static bool fails(void)
{
	long n;

	if (!disk.armed)
		return false;
	n = atomic_fetch_add(&disk.calls, 1);
	if (n != disk.fail_at && !(disk.sticky && n > disk.fail_at))
		return false;
	errno = disk.error;
	return true;
}

/* Descriptors of other things than files are left alone. */
static bool is_file(int fd)
{
	struct stat s;

	return syscall(SYS_fstat, fd, &s) == 0 && (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode));
}

/* These stand before the C library's. */
ssize_t write(int fd, const void *data, size_t size)
{
	if (is_file(fd) && fails()) {
		if (disk.halves)
			(void)!syscall(SYS_write, fd, data, size / 2);
		return -1;
	}
	return syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	if (fails()) {
		if (disk.halves)
			(void)!syscall(SYS_pwrite64, fd, data, size / 2, offset);
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, size, offset);
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (flags & O_CREAT && fails())
		return -1;
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return fails() ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return fails() ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int ftruncate(int fd, off_t size)
{
	return fails() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return fails() ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

int fsync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_syncfs, fd);
}

int unlinkat(int dir, const char *name, int flags)
{
	return fails() ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

static void make_content(unsigned n, char *ret, size_t size, struct digest *ret_key)
{
	memset(ret, 'a' + (int)(n % 26), size);
	memcpy(ret, &n, sizeof(n));
	digest_of(ret, size, ret_key);
}

static void assert_content(int fd, const char *expected, size_t size)
{
	_cleanup_free_ char *found = malloc(size);

	assert_int_equal(io_pread_full(fd, found, size, 0), size);
	assert_memory_equal(found, expected, size);
}

/* Puts, finds and looks at what it got. */
static void use_contents(struct cache *c, unsigned first)
{
	static char content[CONTENT];

	for (unsigned n = first; n < first + CONTENTS; n++) {
		struct digest key;
		int fd = -1;
		make_content(n, content, CONTENT, &key);
		if (cache_put(c, &key, content, CONTENT, n % 2 ? &fd : NULL) == 0 && n % 2) {
			assert_content(fd, content, CONTENT);
			close(fd);
		}
		if (cache_find(c, &key, CONTENT, &fd) == 0) {
			assert_content(fd, content, CONTENT);
			close(fd);
		}
	}
}

/* What is found may be less than what was put, never something else. */
static unsigned check_contents(struct cache *c, unsigned first)
{
	static char content[CONTENT];
	unsigned there = 0;

	for (unsigned n = first; n < first + CONTENTS; n++) {
		struct digest key;
		int fd;
		make_content(n, content, CONTENT, &key);
		if (cache_find(c, &key, CONTENT, &fd) < 0)
			continue;
		assert_content(fd, content, CONTENT);
		close(fd);
		there++;
	}
	return there;
}

static void use_parts(struct cache *c)
{
	static char extent[EXTENT];
	struct digest key = { .bytes = { 7, 7, 7 } };
	uint8_t claimed[EXTENTS];
	struct cache_part p;
	unsigned written = 0;

	if (cache_part_open(c, &key, EXTENTS * EXTENT, EXTENTS, &p, claimed) < 0)
		return;
	for (unsigned i = 0; i < EXTENTS && !p.whole; i++) {
		memset(extent, 'A' + (int)i, EXTENT);
		written += cache_part_write(c, &p, i, extent, EXTENT, i * EXTENT) == 0;
	}
	if (written == EXTENTS)
		(void)cache_part_finish(c, &p);
	cache_part_close(&p);
}

/* Claims are only claims; but what has its final name in a clean cache is used as it is. */
static void check_parts(struct cache *c)
{
	static char found[EXTENT], expected[EXTENT];
	struct digest key = { .bytes = { 7, 7, 7 } };
	uint8_t claimed[EXTENTS];
	struct cache_part p;

	assert_int_equal(cache_part_open(c, &key, EXTENTS * EXTENT, EXTENTS, &p, claimed), 0);
	for (unsigned i = 0; i < EXTENTS && p.whole; i++) {
		memset(expected, 'A' + (int)i, EXTENT);
		assert_int_equal(io_pread_full(p.fd, found, EXTENT, i * EXTENT), EXTENT);
		assert_memory_equal(found, expected, EXTENT);
	}
	cache_part_close(&p);
}

static void use_catalogs(struct cache *c)
{
	static char content[CONTENT];
	struct cache_catalog image;
	struct digest key;

	make_content(999, content, CONTENT, &key);
	if (cache_get_catalog(c, &key, CONTENT, &image) < 0)
		assert_int_equal(cache_put_catalog(c, &key, content, CONTENT, &image), 0);
	assert_memory_equal(image.data, content, CONTENT);
	cache_free_catalog(&image);
	(void)cache_write_text(c, "debian", "manifest", "hello", 5);
}

static errint_t open_cache(uint64_t quota, struct cache **ret)
{
	struct cache_config config = { .path = directory, .quota = quota, .no_free = true, .stats = &stats };

	return cache_open(&config, ret);
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
	strcpy(directory, "/dev/shm/spore-test-faults-XXXXXX");
	if (mkdtemp(directory))
		return 0;
	strcpy(directory, "/tmp/spore-test-faults-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A session with a fault, and one without behind it. True: the fault has come. */
static bool live_through(long at, bool sticky, int error)
{
	struct cache *c;
	char *text;
	size_t size;
	bool came;

	atomic_store(&disk.calls, 0);
	disk.fail_at = at;
	disk.sticky = sticky;
	disk.error = error;
	disk.halves = at % 2;
	disk.armed = true;
	/* Not all of the contents fit. */
	if (open_cache(MIB, &c) == 0) {
		use_contents(c, 0);
		use_parts(c);
		use_catalogs(c);
		use_contents(c, 100);
		(void)check_contents(c, 0);
		cache_close(c);
	}
	disk.armed = false;
	came = atomic_load(&disk.calls) > at;
	assert_int_equal(open_cache(16 * MIB, &c), 0);
	(void)check_contents(c, 0);
	(void)check_contents(c, 100);
	check_parts(c);
	use_catalogs(c);
	if (cache_read_text(c, "debian", "manifest", 100, &text, &size) == 0) {
		assert_string_equal(text, "hello");
		free(text);
	}
	/* The disk is in order again: everything can be put. */
	use_contents(c, 200);
	assert_int_equal(check_contents(c, 200), CONTENTS);
	cache_close(c);
	return came;
}

static void live_through_all(bool sticky, int error)
{
	long at = 0;

	for (; ; at++) {
		bool came;
		assert_int_equal(set_up(NULL), 0);
		came = live_through(at, sticky, error);
		assert_int_equal(tear_down(NULL), 0);
		/* What works in the background makes the number of calls differ a little. */
		if (!came)
			break;
		/* The folders, 256 of them, are all alike. */
		at += at > 10 && at < 240 ? 57 : sticky ? 2 : 0;
	}
	print_message("%ld places\n", at);
	assert_true(at > 300);
}

static void test_no_room_once(void **state)
{
	(void)state;
	live_through_all(false, ENOSPC);
}

static void test_no_room_any_more(void **state)
{
	(void)state;
	live_through_all(true, ENOSPC);
}

static void test_broken_once(void **state)
{
	(void)state;
	live_through_all(false, EIO);
}

static void test_broken_from_then_on(void **state)
{
	(void)state;
	live_through_all(true, EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_room_once),
		cmocka_unit_test(test_no_room_any_more),
		cmocka_unit_test(test_broken_once),
		cmocka_unit_test(test_broken_from_then_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
