/* SPDX-License-Identifier: MIT */
/* spore/boot.conf: what the parser takes, and what it refuses and where. */
#include "common/boot_conf.h"
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct boot_conf conf;

static enum boot_conf_error parse(const char *text)
{
	return boot_conf_parse(text, strlen(text), &conf);
}

static void assert_slice(const char *text, struct boot_conf_text t, const char *expected)
{
	assert_int_equal(t.size, strlen(expected));
	assert_memory_equal(text + t.offset, expected, t.size);
}

static void whole_file(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\r\n\ntimeout 5\ndefault b\n"
				   "entry a\n\ttitle A title\n\tlinux /spore/x86_64/linux\n\tinitrd /spore/x86_64/initrd\n\toptions  a=b  c \n"
				   "entry b\r\nlinux /l\r\ncolour red\noptions\n   # indented comment";
	(void)state;

	assert_int_equal(parse(text), BOOT_CONF_OK);
	assert_int_equal(conf.timeout, 5);
	assert_int_equal(conf.count, 2);
	assert_int_equal(conf.default_entry, 1);
	assert_false(conf.default_unknown);
	assert_slice(text, conf.entries[0].title, "A title");
	assert_slice(text, conf.entries[0].initrd_path, "/spore/x86_64/initrd");
	assert_slice(text, conf.entries[0].options, "a=b  c");
	assert_slice(text, conf.entries[1].linux_path, "/l");
	assert_int_equal(conf.entries[1].initrd_path.size, 0);
	assert_int_equal(conf.entries[1].line, 10);
	/* A key of a later version is passed over and told. */
	assert_int_equal(conf.ignored, 1);
	assert_int_equal(conf.ignored_line, 12);
}

static void refusals(void **state)
{
	static const struct { const char *text; enum boot_conf_error error; uint32_t line; } cases[] = {
		{ "", BOOT_CONF_E_NO_ENTRY, 0 },
		{ "# only a comment\n", BOOT_CONF_E_NO_ENTRY, 0 },
		{ "linux /l\n", BOOT_CONF_E_OUTSIDE, 1 },
		{ "entry a\nlinux /l\n\nentry b\ntitle x\n", BOOT_CONF_E_NO_LINUX, 4 },
		{ "entry b\nentry a\nlinux /l\n", BOOT_CONF_E_NO_LINUX, 1 },
		{ "entry a\nlinux /l\nentry a\nlinux /l\n", BOOT_CONF_E_REPEATED, 3 },
		{ "entry a\nlinux /l\nlinux /m\n", BOOT_CONF_E_REPEATED, 3 },
		{ "timeout 1\ntimeout 2\n", BOOT_CONF_E_REPEATED, 2 },
		{ "default a\ndefault b\n", BOOT_CONF_E_REPEATED, 2 },
		{ "timeout\n", BOOT_CONF_E_VALUE, 1 },
		{ "timeout -1\n", BOOT_CONF_E_NUMBER, 1 },
		{ "timeout 4294967297\n", BOOT_CONF_E_NUMBER, 1 },
		{ "entry a b\n", BOOT_CONF_E_NAME, 1 },
		{ "entry a/b\n", BOOT_CONF_E_NAME, 1 },
		{ "entry a\nlinux spore/linux\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /a//b\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /a/\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /a/../b\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /..\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /a\\b\n", BOOT_CONF_E_PATH, 2 },
		{ "entry a\nlinux /a\033[2J\n", BOOT_CONF_E_CHARACTER, 2 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].text), cases[i].error);
		assert_int_equal(conf.error_line, cases[i].line);
		assert_string_not_equal(boot_conf_error_text(cases[i].error), "unknown error");
	}
	assert_int_equal(boot_conf_parse("entry a\nlinux /a\0b\n", 19, &conf), BOOT_CONF_E_CHARACTER);
	assert_int_equal(parse("entry a\nlinux /..a\n"), BOOT_CONF_OK);
	assert_int_equal(parse("default none\nentry a\nlinux /a\n"), BOOT_CONF_OK);
	assert_true(conf.default_unknown);
	assert_int_equal(conf.default_entry, 0);
}

static void limits(void **state)
{
	_cleanup_free_ char *text = malloc(BOOT_CONF_MAX_SIZE + 2);
	size_t used = 0;
	(void)state;

	for (int i = 0; i <= BOOT_CONF_MAX_ENTRIES; i++)
		used += (size_t)sprintf(text + used, "entry e%d\nlinux /l\n", i);
	assert_int_equal(parse(text), BOOT_CONF_E_MANY);
	memset(text, '\n', BOOT_CONF_MAX_SIZE + 1);
	assert_int_equal(boot_conf_parse(text, BOOT_CONF_MAX_SIZE + 1, &conf), BOOT_CONF_E_SIZE);
	assert_int_equal(boot_conf_parse(text, BOOT_CONF_MAX_SIZE, &conf), BOOT_CONF_E_NO_ENTRY);
	used = (size_t)sprintf(text, "entry a\nlinux /l\noptions ");
	memset(text + used, 'x', BOOT_CONF_MAX_OPTIONS);
	assert_int_equal(boot_conf_parse(text, used + BOOT_CONF_MAX_OPTIONS, &conf), BOOT_CONF_OK);
	text[used + BOOT_CONF_MAX_OPTIONS] = 'x';
	assert_int_equal(boot_conf_parse(text, used + BOOT_CONF_MAX_OPTIONS + 1, &conf), BOOT_CONF_E_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whole_file), cmocka_unit_test(refusals), cmocka_unit_test(limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
