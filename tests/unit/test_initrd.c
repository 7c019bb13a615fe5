/* SPDX-License-Identifier: MIT */
/* Recipes and the archives made of them: contents come back, the same recipe gives the same bytes, mistakes are named with their line. */
#include "mkimage/executable.h"
#include "mkimage/initrd.h"
#include "common/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static char folder[] = "/tmp/spore-initrd-XXXXXX";
static struct recipe recipe;
static struct problem p;

static errint_t read_text(const char *text)
{
	_cleanup_free_ char *path = io_format("%s/recipe", folder);
	const struct recipe_places places = { .guest = folder, .initrd = folder, .arch = "x86_64" };

	recipe_done(&recipe);
	p = (struct problem){ .exit_code = 0 };
	assert_int_equal(io_write_file(path, 0644, text, strlen(text)), 0);
	errint_t r = recipe_read(&recipe, path, &places, &p);
	return r < 0 ? r : recipe_finish(&recipe, path, &p);
}

static const char good[] = "# comment\nfile /init 0755 program # behind it\nlink /bin/sh busybox\nfile bin/busybox 0755 @GUEST@/program\n"
			   "nod /dev/console 0600 c 5 1\nnod /dev/sda 0660 b 8 0\ndir /var/empty 0711\n";

static void round_trip(void **state)
{
	static const enum initrd_compression kinds[] = { INITRD_XZ, INITRD_ZSTD, INITRD_NONE };
	static const char *const names[] = { "xz", "zstd", "none" };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct initrd_options o = { .compression = kinds[i], .time = 1700000000 };
		_cleanup_free_ char *data = NULL, *again = NULL;
		size_t size, again_size, unpacked;
		struct initrd_content c;
		char why[256];
		assert_int_equal(read_text(good), 0);
		assert_int_equal(initrd_write(&recipe, &o, &data, &size, &unpacked), 0);
		assert_int_equal(read_text(good), 0);
		assert_int_equal(initrd_write(&recipe, &o, &again, &again_size, &unpacked), 0);
		assert_int_equal(size, again_size);
		assert_memory_equal(data, again, size);
		assert_int_equal(initrd_read(data, size, INITRD_MAX_UNPACKED, &c, why), 0);
		assert_string_equal(c.compression, names[i]);
		assert_int_equal(c.unpacked, unpacked);
		/* bin, dev and var come by themselves. */
		assert_int_equal(c.count, 9);
		assert_int_equal(initrd_find(&c, "init")->mode, S_IFREG | 0755);
		assert_int_equal(initrd_find(&c, "init")->size, 6);
		assert_int_equal(initrd_find(&c, "bin")->mode, S_IFDIR | 0755);
		assert_string_equal(initrd_find(&c, "bin/sh")->target, "busybox");
		assert_int_equal(initrd_find(&c, "dev/console")->mode, S_IFCHR | 0600);
		assert_int_equal(initrd_find(&c, "dev/sda")->mode, S_IFBLK | 0660);
		assert_int_equal(initrd_find(&c, "var/empty")->mode, S_IFDIR | 0711);
		assert_null(initrd_find(&c, "etc"));
		initrd_content_done(&c);
		/* Cut short, and too large for the bound. */
		assert_int_equal(initrd_read(data, size / 2, INITRD_MAX_UNPACKED, &c, why), -EBADMSG);
		assert_int_equal(initrd_read(data, size, 5, &c, why), -E2BIG);
	}
}

static void xz_has_the_check_that_the_kernel_wants(void **state)
{
	const struct initrd_options o = { .compression = INITRD_XZ };
	_cleanup_free_ char *data = NULL;
	size_t size, unpacked;
	(void)state;

	assert_int_equal(read_text(good), 0);
	assert_int_equal(initrd_write(&recipe, &o, &data, &size, &unpacked), 0);
	/* Stream flags (.xz format 1.0.4, 2.1.1.2): check type 1 is CRC32. */
	assert_memory_equal(data, "\xfd" "7zXZ\0\0\1", 8);
}

static void expect_problem(const char *text, const char *part)
{
	assert_true(read_text(text) < 0);
	assert_true(p.exit_code != 0);
	if (!strstr(p.text, part))
		fail_msg("'%s' lacks '%s'", p.text, part);
}

static void mistakes(void **state)
{
	(void)state;
	expect_problem("\nfile /a 0644\n", "recipe:2: expected 'file PATH MODE SOURCE'");
	expect_problem("pipe /a 0644\n", "recipe:1: a line begins with dir, file, link or nod");
	expect_problem("dir /a 0999\n", "recipe:1: the mode is octal");
	expect_problem("dir /a 17777\n", "recipe:1: the mode is octal");
	expect_problem("dir /a/../b 0755\n", "recipe:1: the path is empty");
	expect_problem("dir / 0755\n", "recipe:1: the path is empty");
	expect_problem("nod /a 0600 p 1 1\n", "recipe:1: the kind of a device node is c or b");
	expect_problem("nod /a 0600 c 4096 1\n", "recipe:1: device numbers are");
	expect_problem("dir /a 0755\ndir a 0755\n", "/a is in the initrd twice");
	expect_problem("link /a b\nfile /a/c 0644 program\n", "/a/c lies below /a, which is no directory");
	expect_problem("file /a 0644 missing\n", "recipe:1: cannot read ");
	expect_problem("file /a 0644 @GUEST@/missing\n", "build it first (make guest)");
	expect_problem("dir a b c d e f g h i j\n", "recipe:1: too many words");
}

static void hostile_archives(void **state)
{
	static const char *const texts[] = { "", "070701", "no archive at all, but some text that is long enough to be one, perhaps", "\3757zXZ" };
	struct initrd_content c;
	char why[256];
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		why[0] = '\0';
		assert_int_equal(initrd_read(texts[i], strlen(texts[i]), INITRD_MAX_UNPACKED, &c, why), -EBADMSG);
		assert_true(why[0] != '\0');
	}
}

/* The smallest bytes that count as a kernel with an EFI stub. */
static void make_kernel(uint8_t *k, size_t size)
{
	memset(k, 0, size);
	memcpy(k, "MZ", 2);
	le32_put(k + 0x3c, 0x40);
	memcpy(k + 0x40, "PE\0\0", 4);
	le16_put(k + 0x44, 0x8664);
	le16_put(k + 0x54, 112);
	le16_put(k + 0x58, 0x20b);
	le16_put(k + 0x58 + 68, 10);
	k[0x1f1] = 1;
	le32_put(k + 0x1f4, 64);
	le16_put(k + 0x1fe, 0xaa55);
	memcpy(k + 0x202, "HdrS", 4);
	le16_put(k + 0x206, 0x020f);
	k[0x211] = 1;
	le16_put(k + 0x20e, 0x100);
	memcpy(k + 0x300, "6.12.0-test (a@b) #1", 20);
}

static void kernels(void **state)
{
	uint8_t k[2048];
	struct kernel_info info;
	const char *why;
	(void)state;

	make_kernel(k, sizeof(k));
	assert_int_equal(kernel_inspect(k, sizeof(k), &info, &why), 0);
	assert_true(info.efi_stub);
	assert_int_equal(info.machine, 0x8664);
	assert_string_equal(info.version, "6.12.0-test (a@b) #1");
	assert_int_equal(kernel_inspect(k, sizeof(k) - 100, &info, &why), -EBADMSG);
	assert_int_equal(kernel_inspect(k, 0x100, &info, &why), -EBADMSG);
	le16_put(k + 0x20e, 0xffff);
	assert_int_equal(kernel_inspect(k, sizeof(k), &info, &why), 0);
	assert_string_equal(info.version, "");
	le32_put(k + 0x3c, 0xfffffff0);
	assert_int_equal(kernel_inspect(k, sizeof(k), &info, &why), 0);
	assert_false(info.efi_stub);
	k[0x202] = 'x';
	assert_int_equal(kernel_inspect(k, sizeof(k), &info, &why), -EBADMSG);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	_cleanup_free_ char *program = io_format("%s/program", folder);
	return io_write_file(program, 0755, "hello\n", 6);
}

static int teardown(void **state)
{
	_cleanup_free_ char *program = io_format("%s/program", folder), *path = io_format("%s/recipe", folder);
	(void)state;

	recipe_done(&recipe);
	unlink(program);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(round_trip), cmocka_unit_test(xz_has_the_check_that_the_kernel_wants), cmocka_unit_test(mistakes),
					    cmocka_unit_test(hostile_archives), cmocka_unit_test(kernels) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
