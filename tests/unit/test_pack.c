/* SPDX-License-Identifier: MIT */
/* Objects and packs: what is built can be read, and every way of being wrong is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fetchfs/format/object.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/publish/pack_builder.h"
#include "tests/unit/hexdump.h"

static void *build(size_t *ret_size)
{
	static const char *const contents[] = { "Hello\n", "", "World, a little longer\n" };
	struct pack_builder b = { 0 };
	void *data;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct digest d;
		digest_of(contents[i], strlen(contents[i]), &d);
		assert_int_equal(pack_builder_add(&b, &d, contents[i], (uint32_t)strlen(contents[i])), 0);
	}
	assert_int_equal(pack_builder_finish(&b, &data, ret_size), 0);
	pack_builder_done(&b);
	return data;
}

static void test_round_trip(void **state)
{
	size_t size;
	_cleanup_free_ uint8_t *data = build(&size);
	struct pack p;
	struct pack_cursor cursor = { 0 };
	struct pack_entry e;
	unsigned count = 0;

	(void)state;
	assert_int_equal(pack_open(data, size, &p), 0);
	while (pack_next(&p, &cursor, &e)) {
		struct digest d;
		digest_of(data + e.offset, e.length, &d);
		assert_true(digest_equal(&d, &e.digest));
		count++;
	}
	assert_int_equal(count, 3);
	assert_int_equal(e.offset + e.length, size);
	assert_true(hexdump_matches("docs/format-pack.md", "pack", data, size));
}

static void test_empty(void **state)
{
	struct pack_builder b = { 0 };
	_cleanup_free_ void *data = NULL;
	size_t size;
	struct pack p;
	struct pack_cursor cursor = { 0 };
	struct pack_entry e;

	(void)state;
	assert_int_equal(pack_builder_finish(&b, &data, &size), 0);
	assert_int_equal(size, PACK_HEADER_SIZE);
	assert_int_equal(pack_open(data, size, &p), 0);
	assert_false(pack_next(&p, &cursor, &e));
}

static void test_damage(void **state)
{
	size_t size;
	_cleanup_free_ uint8_t *data = build(&size);
	struct pack p;

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(pack_open(data, n, &p), -EBADMSG);
	/* Magic, count and lengths: each bit matters. */
	for (size_t bit = 0; bit < 8 * PACK_HEADER_SIZE; bit++) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(pack_open(data, size, &p) < 0);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 32; bit++) {
		data[PACK_HEADER_SIZE + DIGEST_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(pack_open(data, size, &p), -EBADMSG);
		data[PACK_HEADER_SIZE + DIGEST_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	le32_put(data + 8, PACK_VERSION + 1);
	assert_int_equal(pack_open(data, size, &p), -EPROTONOSUPPORT);
}

static void test_builder_limits(void **state)
{
	struct pack_builder b = { 0 };
	struct digest d = { .bytes = { 1 } };
	_cleanup_free_ char *zeros = calloc(1, CHUNK_SIZE);
	unsigned count = 0;

	(void)state;
	while (!pack_builder_is_full(&b)) {
		assert_int_equal(pack_builder_add(&b, &d, zeros, CHUNK_SIZE - 1), 0);
		count++;
	}
	assert_int_equal(count, 2);
	/* Also many small contents make a pack full, by their index. */
	pack_builder_done(&b);
	for (count = 0; !pack_builder_is_full(&b); count++)
		assert_int_equal(pack_builder_add(&b, &d, zeros, 1), 0);
	assert_int_equal(count, PACK_MAX_ENTRIES);
	assert_int_equal(pack_builder_add(&b, &d, zeros, 1), -EFBIG);
	pack_builder_done(&b);
	while (b.size < PACK_MAX_SIZE - CHUNK_SIZE - (size_t)(b.count + 8) * PACK_ENTRY_SIZE)
		assert_int_equal(pack_builder_add(&b, &d, zeros, CHUNK_SIZE - 1), 0);
	while (pack_builder_add(&b, &d, zeros, CHUNK_SIZE - 1) == 0)
		;
	assert_int_equal(pack_builder_add(&b, &d, zeros, CHUNK_SIZE - 1), -EFBIG);
	pack_builder_done(&b);
}

static void test_object(void **state)
{
	static const char text[] = "Hello\n";
	_cleanup_free_ void *stored = NULL;
	void *data;
	size_t stored_size;
	struct digest d, other;
	char path[OBJECT_PATH_SIZE];

	(void)state;
	digest_of(text, 6, &d);
	digest_of(text, 5, &other);
	assert_int_equal(object_pack(text, 6, 19, &stored, &stored_size), 0);
	assert_true(hexdump_matches("docs/format-object.md", "object", stored, stored_size));
	object_path(&d, path);
	assert_string_equal(path, "objects/f2/b2-f2187273852d04b1d1ff550ca489fc4ced0e5197c7438b688a29737359073c30");
	assert_int_equal(object_unpack(&d, stored, stored_size, 6, &data), 0);
	assert_memory_equal(data, text, 6);
	free(data);
	assert_int_equal(object_unpack(&other, stored, stored_size, 6, &data), -EBADMSG);
	assert_int_equal(object_unpack(&d, stored, stored_size, 7, &data), -EBADMSG);
	assert_int_equal(object_unpack(&d, stored, stored_size, OBJECT_MAX_SIZE + 1, &data), -EFBIG);
	for (size_t n = 0; n < stored_size; n++)
		assert_int_equal(object_unpack(&d, stored, n, 6, &data), -EBADMSG);
	for (size_t bit = 0; bit < 8 * stored_size; bit++) {
		((uint8_t *)stored)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* One bit of the frame's header is for decoders to ignore (RFC 8878, 3.1.1.1.1.3): what comes out is right all the same. */
		errint_t r = object_unpack(&d, stored, stored_size, 6, &data);
		assert_int_equal(r, bit == 4 * 8 + 4 ? 0 : -EBADMSG);
		if (r == 0)
			free(data);
		((uint8_t *)stored)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Two frames in a row, and bytes behind a frame, are no object. */
static void test_object_alone(void **state)
{
	static const char text[] = "Hello\n";
	_cleanup_free_ uint8_t *stored = NULL, *twice = NULL;
	void *data;
	size_t stored_size;
	struct digest d;

	(void)state;
	digest_of(text, 6, &d);
	assert_int_equal(object_pack(text, 6, 3, (void **)&stored, &stored_size), 0);
	twice = calloc(2, stored_size);
	memcpy(twice, stored, stored_size);
	assert_int_equal(object_unpack(&d, twice, stored_size + 1, 6, &data), -EBADMSG);
	memcpy(twice + stored_size, stored, stored_size);
	assert_int_equal(object_unpack(&d, twice, 2 * stored_size, 6, &data), -EBADMSG);
}

static void test_object_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 1000, 5 * 1024 * 1024 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ uint8_t *content = calloc(1, sizes[i] + 1);
		_cleanup_free_ void *stored = NULL, *data = NULL;
		size_t stored_size;
		struct digest d;
		for (size_t n = 0; n < sizes[i]; n++)
			content[n] = (uint8_t)(n * n >> 7);
		digest_of(content, sizes[i], &d);
		assert_int_equal(object_pack(content, sizes[i], 3, &stored, &stored_size), 0);
		assert_int_equal(object_unpack(&d, stored, stored_size, sizes[i], &data), 0);
		assert_memory_equal(data, content, sizes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_builder_limits), cmocka_unit_test(test_object), cmocka_unit_test(test_object_alone),
		cmocka_unit_test(test_object_sizes),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
