/* SPDX-License-Identifier: MIT */
/* Image definitions: defaults, places of errors, near matches, and what each value may be. */
#include "mkimage/definition.h"
#include "mkimage/definition_check.h"
#include "common/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char folder[] = "/tmp/spore-definition-XXXXXX";
static struct definition d;
static struct problem p;

static errint_t read_text(const char *text)
{
	_cleanup_free_ char *path = io_format("%s/test.conf", folder);

	definition_done(&d);
	p = (struct problem){ .exit_code = 0 };
	assert_int_equal(io_write_file(path, 0644, text, strlen(text)), 0);
	errint_t r = definition_read(&d, path, &p);
	return r < 0 ? r : definition_finish(&d, &p);
}

static void expect_problem(const char *text, const char *part)
{
	assert_true(read_text(text) < 0);
	assert_int_equal(p.exit_code, EXIT_CONFIG);
	if (!strstr(p.text, part))
		fail_msg("'%s' lacks '%s'", p.text, part);
}

static void defaults_and_paths(void **state)
{
	_cleanup_free_ char *key = io_format("%s/a.pub /abs/b.pub @BUILD@/c.pub", folder), *recipe = io_format("%s/../initrd/recipe", folder);
	(void)state;

	assert_int_equal(read_text("# comment\n\n  repository =  http://a.example/r https://b.example \nkey = a.pub\t/abs/b.pub  @BUILD@/c.pub\r\n"
				   "recipe = ../initrd/recipe\ntag =\n"), 0);
	assert_string_equal(d.values[DEF_REPOSITORY], "http://a.example/r https://b.example");
	assert_string_equal(d.values[DEF_KEY], key);
	assert_string_equal(d.values[DEF_RECIPE], recipe);
	assert_string_equal(d.values[DEF_NAME], "spore");
	assert_string_equal(d.values[DEF_CONSOLE], "tty0 ttyS0,115200");
	assert_int_equal(definition_set(&d, "key=rel.pub", &p), 0);
	assert_string_equal(d.values[DEF_KEY], "rel.pub");
	assert_int_equal(definition_set(&d, "timeout = 7", &p), 0);
	assert_string_equal(d.values[DEF_TIMEOUT], "7");
	assert_true(definition_set(&d, "timeout", &p) < 0);
	assert_int_equal(p.exit_code, EXIT_USAGE);
}

static void errors_have_places(void **state)
{
	(void)state;
	expect_problem("repository = http://a\nkey = k.pub\nrepositry = http://b\n", "test.conf:3: unknown key 'repositry'; did you mean 'repository'?");
	expect_problem("something = 1\n", "test.conf:1: unknown key 'something'; images/default.conf");
	expect_problem("\nno equals sign\n", "test.conf:2: no 'key = value'");
	expect_problem("tag = a\ntag = b\n", "test.conf:2: 'tag' was set before, at ");
	expect_problem("repository = ftp://a\n", "test.conf:1: repository = ftp://a: a URL begins with http:// or https://");
	expect_problem("repository = http://\n", "names no host");
	expect_problem("key = k.pub\n", "no repository");
	expect_problem("repository = http://a\n", "no key");
	expect_problem("cmdline = a\001b\n", "control characters");
	assert_true(definition_read(&d, "/nonexistent/x.conf", &(struct problem){ .exit_code = 0 }) == -ENOENT);
}

static void values(void **state)
{
	static const struct { const char *(*check)(const char *); const char *good[4], *bad[6]; } cases[] = {
		{ check_name, { "a", "Debian-12.1_x" }, { "a b", "-a", ".a", "a/b" } },
		{ check_urls, { "http://h", "https://[::1]:8443/a", "http://a http://b" }, { "h", "http:///x", "http://a b", "http://a/\"", "http://a/?x" } },
		{ check_consoles, { "ttyS0", "tty0 hvc0 ttyAMA0,115200n8" }, { "console=tty0", "0" } },
		{ check_timeout, { "0", "3600" }, { "-1", "3601", "5s" } },
		{ check_yes_no, { "yes", "no" }, { "true", "Yes" } },
		{ check_datasource, { "auto", "ec2" }, { "aws" } },
		{ check_scratch, { "auto", "ram", "/dev/vdb", "LABEL=x" }, { "/dev/", "LABEL=", "vdb", "/dev/a b" } },
		{ check_size, { "20G", "500M" }, { "20 G", "x", "-1" } },
		{ check_quota, { "4G", "50%", "100%" }, { "0%", "101%", "%", "50 %" } },
		{ check_compression, { "xz", "zstd", "none" }, { "gzip" } },
		{ check_fat, { "auto", "12", "32" }, { "fat32", "8" } },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t k = 0; k < 4 && cases[i].good[k]; k++)
			assert_null(cases[i].check(cases[i].good[k]));
		for (size_t k = 0; k < 6 && cases[i].bad[k]; k++)
			if (!cases[i].check(cases[i].bad[k]))
				fail_msg("'%s' was taken", cases[i].bad[k]);
	}
}

static void placeholders(void **state)
{
	_cleanup_free_ char *path = definition_expand("@BUILD@/@ARCH@/x@y@LOADER@", "out", "x86_64", "BOOTX64.EFI");
	char word[8];
	const char *at = "  one\ttwo  ";
	(void)state;

	assert_string_equal(path, "out/x86_64/x@yBOOTX64.EFI");
	assert_true(definition_next_word(&at, word, sizeof(word)));
	assert_string_equal(word, "one");
	assert_true(definition_next_word(&at, word, sizeof(word)));
	assert_string_equal(word, "two");
	assert_false(definition_next_word(&at, word, sizeof(word)));
	assert_int_equal(definition_distance("kitten", "sitting"), 3);
	assert_int_equal(definition_distance("", "abc"), 3);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	_cleanup_free_ char *path = io_format("%s/test.conf", folder);
	(void)state;

	definition_done(&d);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(defaults_and_paths), cmocka_unit_test(errors_have_places), cmocka_unit_test(values),
					    cmocka_unit_test(placeholders) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
