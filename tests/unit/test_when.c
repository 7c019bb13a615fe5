/* SPDX-License-Identifier: MIT */
/* ISO 8601 dates: against gmtime over centuries, and what is no date. */
#include "fetchfs/client/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void test_round_trip(void **state)
{
	(void)state;
	for (int64_t t = 1; t < INT64_C(253402300799); t += 86400 * 11 + 4241) {
		time_t when = (time_t)t;
		struct tm tm;
		char text[64];
		int64_t found;
		assert_non_null(gmtime_r(&when, &tm));
		assert_true(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
		assert_int_equal(when_parse(text, &found), 0);
		assert_int_equal(found, t);
	}
}

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t when;
	} forms[] = {
		{ "2023-11-14T22:13:20", 1700000000 },	     { "2023-11-14T22:13:20Z", 1700000000 },	 { "2023-11-14 22:13:20", 1700000000 },
		{ "2023-11-14T23:13:20+01:00", 1700000000 }, { "2023-11-14T20:43:20-01:30", 1700000000 }, { "2023-11-14T22:13", 1699999980 },
		{ "2023-11-14", 1700006399 },		     { "2024-02-29", 1709251199 },
	};
	int64_t found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		assert_int_equal(when_parse(forms[i].text, &found), 0);
		assert_int_equal(found, forms[i].when);
	}
}

static void test_no_dates(void **state)
{
	static const char *const texts[] = { "", "2023", "2023-1-01", "2023-13-01", "2023-00-01", "2023-01-00", "2023-02-29", "1969-12-31", "2023-11-14T",
					     "2023-11-14T24:00", "2023-11-14T22:60", "2023-11-14T22:13:20.5", "2023-11-14T22:13X", "2023-11-14T22:13+1",
					     "2023-11-14x", "yesterday", " 2023-11-14", "1970-01-01T00:00", "2023-11-14T22:13+01:00Z" };
	int64_t found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(when_parse(texts[i], &found), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_no_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
