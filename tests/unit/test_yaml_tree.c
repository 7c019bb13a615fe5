/* SPDX-License-Identifier: MIT */
/*
 * YAML and JSON trees: values, places, merge keys, and the limits that hostile texts run into.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "common/yaml_tree.h"

static struct arena arena;
static struct ytree_error error;

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static struct ytree_node *yaml(const char *text)
{
	struct ytree_node *n = NULL;

	return ytree_parse_yaml(&arena, text, strlen(text), &n, &error) == 0 ? n : NULL;
}

static void test_values(void **state)
{
	struct ytree_node *n = yaml("a: yes\nb: 'off'\nc: ~\nd: 12\ne: [1, {x: y}]\nf: |\n  text\na: no\n");
	int64_t v;
	bool b = true;

	(void)state;
	assert_non_null(n);
	assert_true(ytree_bool(ytree_get(n, "a"), &b));
	assert_false(b);	/* the last one */
	assert_int_equal(ytree_get(n, "c")->kind, YTREE_NULL);
	assert_true(ytree_number(ytree_get(n, "d"), 0, 100, &v));
	assert_int_equal(v, 12);
	assert_false(ytree_number(ytree_get(n, "d"), 0, 11, &v));
	assert_int_equal(ytree_get(n, "e")->count, 2);
	assert_int_equal(ytree_get(n, "e")->item[1]->line, 5);
	assert_int_equal(ytree_get(n, "e")->item[1]->column, 8);
	assert_string_equal(ytree_text(ytree_get(n, "f")), "text\n");
	assert_null(ytree_get(n, "g"));
	assert_null(ytree_text(NULL));
	assert_int_equal(yaml("")->kind, YTREE_NULL);
	assert_int_equal(yaml("# nothing\n")->kind, YTREE_NULL);
}

static void test_merge(void **state)
{
	struct ytree_node *n = yaml("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nmap:\n  <<: [*b, *o]\n  x: 9\n"), *m = ytree_get(n, "map");

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->count, 3);
	assert_string_equal(ytree_text(ytree_get(m, "x")), "9");
	assert_string_equal(ytree_text(ytree_get(m, "y")), "2");
	assert_string_equal(ytree_text(ytree_get(m, "z")), "4");
	assert_null(ytree_get(m, "<<"));
}

static void test_laughs(void **state)
{
	char text[2048] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";

	(void)state;
	for (int i = 1; i < 9; i++) {
		char line[256];

		snprintf(line, sizeof line, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1,
			 i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	assert_null(yaml(text));
	assert_non_null(strstr(error.text, "expand to more than"));
}

static void test_limits(void **state)
{
	char deep[400] = "";

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(deep, "[");
	assert_null(yaml(deep));
	assert_non_null(strstr(error.text, "64 levels"));
	assert_null(yaml("a: &x [*x]\n"));
	assert_non_null(strstr(error.text, "inside of what it names"));
	assert_null(yaml("a: *nobody\n"));
	assert_null(yaml("a: b: c\n"));
	assert_int_equal(error.line, 1);
	assert_int_equal(error.column, 5);
	assert_null(yaml("a\n---\nb\n"));
}

static void test_json(void **state)
{
	static const char text[] = "{\"a\": [1, true, null, \"x\\u00e9\"], \"b\": {\"c\": \"d\"}}";
	struct ytree_node *n = NULL;

	(void)state;
	assert_int_equal(ytree_parse_json(&arena, text, strlen(text), &n, &error), 0);
	assert_int_equal(ytree_get(n, "a")->count, 4);
	assert_string_equal(ytree_text(ytree_get(n, "a")->item[3]), "x\xc3\xa9");
	assert_int_equal(ytree_get(n, "a")->item[2]->kind, YTREE_NULL);
	assert_string_equal(ytree_text(ytree_get(ytree_get(n, "b"), "c")), "d");
	assert_int_equal(ytree_parse_json(&arena, "{", 1, &n, &error), -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = { TEST(test_values), TEST(test_merge), TEST(test_laughs), TEST(test_limits), TEST(test_json) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
