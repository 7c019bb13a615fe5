/* SPDX-License-Identifier: MIT */
/* The budget of memory: shares, the single piece that is larger than its share, and waiting. */
#include "fetchfs/client/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_shares(void **state)
{
	struct memory m;
	uint64_t sum = 0;

	(void)state;
	memory_init(&m, 0);
	assert_true(m.bound == MEMORY_DEFAULT);
	memory_done(&m);
	memory_init(&m, MEMORY_PROGRAM + 100 * MIB);
	for (unsigned i = 0; i < MEMORY_USES; i++) {
		assert_true(memory_limit(&m, i) >= 10 * MIB);
		sum += memory_limit(&m, i);
	}
	assert_true(sum <= 100 * MIB && sum > 99 * MIB);
	assert_true(memory_limit(NULL, MEMORY_READS) == UINT64_MAX);
	memory_done(&m);
}

static void test_taking(void **state)
{
	struct memory m;
	uint64_t limit;

	(void)state;
	memory_init(&m, MEMORY_MINIMUM);
	limit = memory_limit(&m, MEMORY_KEPT);
	/* One that is too large goes alone. */
	assert_true(memory_take(&m, MEMORY_KEPT, 10 * limit, 100));
	assert_false(memory_fits(&m, MEMORY_KEPT, 1, 100));
	assert_false(memory_take(&m, MEMORY_KEPT, 1, 100));
	/* Uses do not take from each other. */
	assert_true(memory_take(&m, MEMORY_READS, 1, 100));
	assert_true(memory_used(&m) == 10 * limit + 1);
	memory_give(&m, MEMORY_KEPT, 10 * limit);
	memory_give(&m, MEMORY_READS, 1);
	assert_true(memory_used(&m) == 0);
	/* A part of the limit. */
	assert_true(memory_take(&m, MEMORY_KEPT, limit / 2, 60));
	assert_false(memory_take(&m, MEMORY_KEPT, limit / 4, 60));
	assert_true(memory_take(&m, MEMORY_KEPT, limit / 4, 100));
	memory_add(&m, MEMORY_KEPT, limit);
	assert_true(memory_used(&m) > limit);
	memory_done(&m);
	assert_true(memory_take(NULL, MEMORY_KEPT, UINT64_MAX, 0));
	memory_give(NULL, MEMORY_KEPT, UINT64_MAX);
}

#define THREADS 8
#define ROUNDS 2000
static struct memory shared;
static atomic_int inside;

static void *take_and_give(void *context)
{
	static char too_many[] = "more than the limit";
	uint64_t third = memory_limit(&shared, MEMORY_READS) / 3;

	(void)context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		memory_take_waiting(&shared, MEMORY_READS, third);
		if (atomic_fetch_add(&inside, 1) >= 3)
			return too_many;
		atomic_fetch_sub(&inside, 1);
		memory_give(&shared, MEMORY_READS, third);
	}
	return NULL;
}

static void test_waiting(void **state)
{
	pthread_t threads[THREADS];
	void *result;

	(void)state;
	memory_init(&shared, 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_true(memory_used(&shared) == 0);
	memory_done(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_taking),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
