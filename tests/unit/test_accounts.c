/* SPDX-License-Identifier: MIT */
/*
 * Account files and paths of a new root: what is added, what stays, and that no link leads out of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "contextualize/apply/accounts.h"
#include "contextualize/apply/sha512_crypt.h"

#include <crypt.h>
#include <ftw.h>

static char dir[] = "/tmp/spore-accounts-XXXXXX";
static struct root root;

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *path = io_format("%s/root/%s", dir, name);

	assert_int_equal(io_write_file(path, 0644, text, strlen(text)), 0);
}

static char *get(const char *name)
{
	_cleanup_free_ char *path = io_format("%s/root/%s", dir, name);
	char *data = NULL;
	size_t size;

	assert_int_equal(io_read_file(path, 65536, &data, &size), 0);
	return data;
}

static void assert_file(const char *name, const char *text)
{
	_cleanup_free_ char *data = get(name);

	assert_string_equal(data, text);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	_cleanup_free_ char *etc = NULL, *path = NULL;

	(void)state;
	strcpy(dir, "/tmp/spore-accounts-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	etc = io_format("%s/root/etc", dir);
	path = io_format("%s/root", dir);
	if (io_mkdir_p(etc, 0755) < 0)
		return -1;
	put("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nodd line\ndaemon:x:1:1::/:/bin/false\nold:x:1000:1000::/home/old:/bin/sh\n+::::::\n");
	put("etc/shadow", "root:*:19000:0:99999:7:::\nold:$6$a$b:19000:0:99999:7:::\n");
	put("etc/group", "root:x:0:\nsudo:x:27:old\nold:x:1000:\nusers:x:100:\n");
	put("etc/gshadow", "root:*::\nsudo:*::old\nold:!::\nusers:*::\n");
	put("etc/subuid", "old:100000:65536\n");
	return root_open(&root, path, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	root_done(&root);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_add_user(void **state)
{
	struct account_new n = { .name = "new", .gecos = "A B", .uid = -1 };
	struct account_user u;
	struct accounts a;
	uint32_t gid;

	(void)state;
	assert_int_equal(accounts_load(&a, &root), 0);
	assert_int_equal(accounts_add_user(&a, &n), 0);
	assert_int_equal(accounts_add_user(&a, &n), -EEXIST);
	assert_true(accounts_find_user(&a, "new", &u));
	assert_int_equal(u.uid, 1001);
	assert_int_equal(u.gid, 1001);
	assert_string_equal(u.home, "/home/new");
	assert_false(accounts_find_user(&a, "ne", &u));
	assert_int_equal(accounts_join(&a, "new", "sudo"), 0);
	assert_int_equal(accounts_join(&a, "new", "sudo"), 0);
	assert_int_equal(accounts_add_group(&a, "app", -1, true, &gid), 0);
	assert_int_equal(gid, 999);
	assert_int_equal(accounts_set_password(&a, "new", "$6$x$y", true), 0);
	assert_int_equal(accounts_save(&a), 0);
	accounts_done(&a);
	assert_file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nodd line\ndaemon:x:1:1::/:/bin/false\nold:x:1000:1000::/home/old:/bin/sh\n"
				  "new:x:1001:1001:A B:/home/new:/bin/bash\n+::::::\n");
	assert_file("etc/group", "root:x:0:\nsudo:x:27:old,new\nold:x:1000:\nusers:x:100:\nnew:x:1001:\napp:x:999:\n");
	assert_file("etc/gshadow", "root:*::\nsudo:*::old,new\nold:!::\nusers:*::\nnew:!::\napp:!::\n");
	assert_file("etc/shadow", "root:*:19000:0:99999:7:::\nold:$6$a$b:19000:0:99999:7:::\nnew:$6$x$y:0:0:99999:7:::\n");
	assert_file("etc/subuid", "old:100000:65536\nnew:165536:65536\n");
}

static void test_lock(void **state)
{
	struct accounts a;
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(accounts_load(&a, &root), 0);
	assert_int_equal(accounts_lock(&a, "old", true), 0);
	assert_int_equal(accounts_lock(&a, "old", true), 0);
	assert_int_equal(accounts_save(&a), 0);
	text = get("etc/shadow");
	assert_non_null(strstr(text, "old:!$6$a$b:19000:"));
	assert_int_equal(accounts_lock(&a, "old", false), 0);
	assert_int_equal(accounts_save(&a), 0);
	accounts_done(&a);
	assert_file("etc/shadow", "root:*:19000:0:99999:7:::\nold:$6$a$b:19000:0:99999:7:::\n");
}

/* daemon has no line in shadow. */
static void test_missing_shadow_line(void **state)
{
	struct accounts a;
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(accounts_load(&a, &root), 0);
	assert_int_equal(accounts_set_password(&a, "daemon", "$6$x$y", false), 0);
	assert_int_equal(accounts_set_password(&a, "nobody-here", "$6$x$y", false), -ENOENT);
	assert_int_equal(accounts_save(&a), 0);
	accounts_done(&a);
	text = get("etc/shadow");
	assert_non_null(strstr(text, "daemon:$6$x$y:"));
}

static void test_hash(void **state)
{
	char hash[SHA512_CRYPT_SIZE];
	struct arena arena = { .first = NULL };
	const char *fresh = accounts_hash(&arena, "secret");

	(void)state;
	/* As the C library makes it, for passwords shorter and longer than a digest and a block. */
	for (size_t n = 0; n < 260; n += 13) {
		char password[261], setting[24];

		memset(password, 'a' + (int)(n % 26), n);
		password[n] = '\0';
		snprintf(setting, sizeof setting, "$6$%.*s", (int)(1 + n % 16), "saltSALT./012345");
		assert_int_equal(sha512_crypt(password, setting + 3, hash), 0);
		assert_string_equal(hash, crypt(password, setting));
	}
	assert_int_equal(sha512_crypt("x", "12345678901234567", hash), -EINVAL);
	assert_non_null(fresh);
	assert_string_equal(crypt("secret", fresh), fresh);
	assert_string_not_equal(accounts_hash(&arena, "secret"), fresh);
	arena_done(&arena);
}

static void test_links_stay_inside(void **state)
{
	_cleanup_free_ char *outside = io_format("%s/outside", dir), *link = io_format("%s/root/escape", dir), *up = io_format("%s/root/up", dir);
	_cleanup_free_ char *loop = io_format("%s/root/loop", dir), *inside = io_format("%s/root/alias", dir);
	char *data = NULL;
	size_t size;

	(void)state;
	assert_int_equal(io_write_file(outside, 0644, "keep", 4), 0);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(symlink("../../../..", up), 0);
	assert_int_equal(symlink("loop", loop), 0);
	assert_int_equal(symlink("/etc/../etc", inside), 0);
	/* An absolute link means the tree's own root. */
	assert_int_equal(root_read(&root, "/escape", 100, &data, &size), -ENOENT);
	assert_int_equal(root_append(&root, "/escape", "x", 1, 0644, 0, 0), -ENOENT);
	assert_int_equal(root_read(&root, "/loop", 100, &data, &size), -ELOOP);
	assert_int_equal(root_write(&root, "/up/a", "a", 1, 0600, 0, 0), 0);
	assert_file("a", "a");
	assert_int_equal(root_write(&root, "/../../b", "b", 1, 0600, 0, 0), 0);
	assert_file("b", "b");
	assert_int_equal(root_write(&root, "/alias/c", "c", 1, 0600, 0, 0), 0);
	assert_file("etc/c", "c");
	/* A link is replaced, not followed. */
	assert_int_equal(root_write(&root, "/escape", "new", 3, 0600, 0, 0), 0);
	assert_int_equal(io_read_file(outside, 100, &data, &size), 0);
	assert_string_equal(data, "keep");
	free(data);
}

static void test_append_and_keep(void **state)
{
	_cleanup_free_ char *path = io_format("%s/root/etc/x", dir);
	struct stat st;

	(void)state;
	assert_int_equal(root_mkdir_p(&root, "/var/lib/deep/er", 0755, 0, 0), 0);
	assert_true(root_exists(&root, "/var/lib/deep/er"));
	assert_int_equal(root_append(&root, "/etc/x", "one\n", 4, 0640, 0, 0), 0);
	assert_int_equal(root_append(&root, "/etc/x", "two\n", 4, ROOT_KEEP, ROOT_KEEP_ID, ROOT_KEEP_ID), 0);
	assert_file("etc/x", "one\ntwo\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(root_unlink(&root, "/etc/x"), 0);
	assert_int_equal(root_unlink(&root, "/etc/x"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_add_user), TEST(test_lock), TEST(test_missing_shadow_line), TEST(test_hash), TEST(test_links_stay_inside),
		TEST(test_append_and_keep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
