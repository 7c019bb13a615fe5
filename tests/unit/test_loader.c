/* SPDX-License-Identifier: MIT */
/* The EFI loader's parts that need no firmware: text between UTF-8 and UCS-2, the small printf, the line editor. */
#include "bootloader/efi/edit.h"
#include "bootloader/efi/text.h"
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_units(const char *utf8, size_t size, const ucs2_t *want, size_t count)
{
	ucs2_t got[32];
	bool fits;

	assert_int_equal(text_to_ucs2(utf8, size, got, 32, &fits), count);
	assert_true(fits);
	assert_memory_equal(got, want, count * sizeof(*want));
	assert_int_equal(got[count], 0);
}

static void test_utf8(void **state)
{
	(void)state;
	expect_units("a\303\251\342\202\254", 6, (ucs2_t[]){ 'a', 0xe9, 0x20ac }, 3);
	/* Above U+FFFF, a surrogate, an overlong form: one replacement each. */
	expect_units("\360\237\230\200x", 5, (ucs2_t[]){ 0xfffd, 'x' }, 2);
	expect_units("\355\240\200x", 4, (ucs2_t[]){ 0xfffd, 'x' }, 2);
	expect_units("\340\200\257x", 4, (ucs2_t[]){ 0xfffd, 'x' }, 2);
	/* Bytes that begin nothing, and a character that is cut off. */
	expect_units("\200\377a", 3, (ucs2_t[]){ 0xfffd, 0xfffd, 'a' }, 3);
	expect_units("a\342\202", 3, (ucs2_t[]){ 'a', 0xfffd, 0xfffd }, 3);
	expect_units("", 0, (ucs2_t[]){ 0 }, 0);
}

static void test_ucs2_is_bounded(void **state)
{
	ucs2_t got[4] = { 9, 9, 9, 9 };
	bool fits = true;

	(void)state;
	assert_int_equal(text_to_ucs2("abcdef", 6, got, 3, &fits), 2);
	assert_false(fits);
	assert_int_equal(got[2], 0);
	assert_int_equal(got[3], 9);
	assert_int_equal(text_to_ucs2("ab", 2, got, 1, &fits), 0);
	assert_int_equal(got[0], 0);
}

static void expect_path(const char *path, const char *want)
{
	ucs2_t got[64];
	size_t i;

	assert_true(text_path(path, strlen(path), got, 64));
	for (i = 0; want[i]; i++)
		assert_int_equal(got[i], (unsigned char)want[i]);
	assert_int_equal(got[i], 0);
}

static void test_path(void **state)
{
	ucs2_t got[8];

	(void)state;
	expect_path("/spore/x86_64/linux", "\\spore\\x86_64\\linux");
	expect_path("spore", "\\spore");
	expect_path("//a///b", "\\a\\b");
	assert_false(text_path("", 0, got, 8));
	assert_false(text_path("///", 3, got, 8));
	assert_false(text_path("/a\nb", 4, got, 8));
	assert_false(text_path("/abcdefghij", 11, got, 8));
}

__attribute__((format(printf, 2, 3)))
static void expect_format(const char *want, const char *format, ...)
{
	char got[64];
	va_list arguments;

	va_start(arguments, format);
	assert_int_equal(text_vformat(got, sizeof(got), format, arguments), strlen(want));
	va_end(arguments);
	assert_string_equal(got, want);
}

static void test_format(void **state)
{
	char small[5] = "zzzz";

	(void)state;
	expect_format("a b c", "%s %.*s %c", "a", 1, "bcd", 'c');
	expect_format("0 4294967295", "%u %u", 0u, 4294967295u);
	expect_format("18446744073709551615", "%llu", 18446744073709551615ull);
	expect_format("ffffffffffffffff 1f", "%llx %x", 0xffffffffffffffffull, 31u);
	expect_format("[   7] [0007] [ab  ]", "[%4u] [%04u] [%4s]", 7u, 7u, "ab");
	expect_format("100%", "%u%%", 100u);
	assert_int_equal(text_format(small, 4, "%s", "abcdef"), 3);
	assert_memory_equal(small, "abc\0", 5);
}

static void test_size(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 bytes" }, { 1023, "1023 bytes" }, { 1024, "1 KiB" }, { 1048575, "1023 KiB" }, { 1048576, "1.0 MiB" },
		{ 6606028, "6.2 MiB" }, { 5368709120, "5120.0 MiB" },
	};
	char got[TEXT_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_size(cases[i].bytes, got), cases[i].want);
}

static enum edit_result press(struct edit *e, enum key key) { return edit_key(e, (struct keypress){ .key = key }); }

static void type(struct edit *e, const char *text)
{
	for (; *text; text++)
		edit_key(e, (struct keypress){ .key = KEY_CHARACTER, .character = (unsigned char)*text });
}

static void expect_line(const struct edit *e, const char *want)
{
	assert_int_equal(e->length, strlen(want));
	for (size_t i = 0; i <= e->length; i++)
		assert_int_equal(e->text[i], (unsigned char)want[i]);
	assert_true(e->cursor <= e->length);
	assert_true(e->first <= e->cursor);
	assert_true(e->cursor < e->first + e->columns);
}

static void test_edit(void **state)
{
	ucs2_t line[32] = { 'a', 'b', 0 };
	struct edit e;

	(void)state;
	edit_init(&e, line, 32, 20);
	expect_line(&e, "ab");
	type(&e, "cd");
	expect_line(&e, "abcd");
	press(&e, KEY_LEFT);
	press(&e, KEY_BACKSPACE);
	expect_line(&e, "abd");
	press(&e, KEY_HOME);
	type(&e, "x");
	press(&e, KEY_DELETE);
	expect_line(&e, "xbd");
	/* At the end Delete takes the one before: it is what terminals' backspace key becomes. */
	press(&e, KEY_END);
	press(&e, KEY_DELETE);
	expect_line(&e, "xb");
	press(&e, KEY_ERASE_LINE);
	expect_line(&e, "");
	press(&e, KEY_BACKSPACE);
	press(&e, KEY_DELETE);
	press(&e, KEY_LEFT);
	press(&e, KEY_RIGHT);
	expect_line(&e, "");
	assert_int_equal(press(&e, KEY_ENTER), EDIT_ACCEPTED);
	assert_int_equal(press(&e, KEY_ESCAPE), EDIT_CANCELLED);
}

static void test_edit_is_bounded(void **state)
{
	ucs2_t line[32] = { 0 };
	struct edit e;

	(void)state;
	/* 24 units of text, on 8 columns. */
	edit_init(&e, line, 25, 1);
	for (int i = 0; i < 40; i++) {
		type(&e, "y");
		assert_true(e.length <= 24);
		assert_true(e.cursor >= e.first && e.cursor < e.first + e.columns);
	}
	expect_line(&e, "yyyyyyyyyyyyyyyyyyyyyyyy");
	for (int i = 0; i < 30; i++) {
		press(&e, KEY_LEFT);
		assert_true(e.cursor >= e.first && e.cursor < e.first + e.columns);
	}
	assert_int_equal(e.cursor, 0);
	assert_int_equal(e.first, 0);
	/* A text without an end within its capacity is cut. */
	for (int i = 0; i < 32; i++)
		line[i] = 'z';
	edit_init(&e, line, 10, 20);
	expect_line(&e, "zzzzzzzzz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8), cmocka_unit_test(test_ucs2_is_bounded), cmocka_unit_test(test_path), cmocka_unit_test(test_format),
		cmocka_unit_test(test_size), cmocka_unit_test(test_edit), cmocka_unit_test(test_edit_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
