/* SPDX-License-Identifier: MIT */
/*
 * The image as a whole: the worked example of docs/format-image.md is made again and must stand there to the byte; the layout's promises are held.
 * Run from the top of the tree.
 */
#include "mkimage/image.h"
#include "common/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct payload tree;

static uint8_t *assemble(uint64_t free_bytes, struct image_layout *l, uint64_t *ret_size)
{
	const struct image_options o = { .free_bytes = free_bytes, .time = 1577836800 };
	struct disk d = { .size = 0 };
	const char *bad;

	assert_int_equal(image_assemble(&tree, &o, &d, l, &bad), 0);
	uint8_t *image = calloc(1, d.size);
	for (size_t i = 0; i < d.count; i++)
		memcpy(image + d.extents[i].offset, d.extents[i].data, d.extents[i].size);
	*ret_size = d.size;
	disk_done(&d);
	return image;
}

/* Each line of 16 bytes, as 'hexdump -C' prints it without the text, must be in the document. */
static void assert_documented(const char *document, const uint8_t *image, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += 16) {
		char line[80];
		int n = snprintf(line, sizeof(line), "%08llx ", (unsigned long long)(offset + i));
		for (size_t k = 0; k < 16; k++)
			n += snprintf(line + n, sizeof(line) - (size_t)n, "%s%02x", k == 8 ? "  " : " ", image[offset + i + k]);
		if (!strstr(document, line))
			fail_msg("docs/format-image.md lacks the line: %s", line);
	}
}

static void worked_example(void **state)
{
	_cleanup_free_ char *document = NULL;
	struct image_layout l;
	size_t size;
	uint64_t image_size;
	(void)state;

	assert_int_equal(io_read_file("docs/format-image.md", MIB, &document, &size), 0);
	assert_int_equal(payload_add_copy(&tree, "spore/boot.conf", "entry a\nlinux /l\n", 17), 0);
	_cleanup_free_ uint8_t *image = assemble(64 * KIB, &l, &image_size);
	payload_done(&tree);
	assert_documented(document, image, 0x1b0, 80);		/* the MBR's entries */
	assert_documented(document, image, 0x200, 96);		/* the primary header */
	assert_documented(document, image, 0x400, 128);		/* partition 1 */
	assert_documented(document, image, 0x10000, 64);	/* the FAT's boot sector */
	assert_documented(document, image, l.esp_offset + l.fat.reserved * 512, 16);
	assert_documented(document, image, l.esp_offset + (l.fat.reserved + 2 * l.fat.fat_sectors) * 512, 64);
	assert_documented(document, image, l.esp_offset + (l.fat.reserved + 2 * l.fat.fat_sectors) * 512 + l.fat.root_entries * 32, 160);
}

static void layout(void **state)
{
	(void)state;
	for (uint64_t space = 0; space < 3 * MIB; space += 333 * KIB) {
		struct image_layout l;
		uint64_t size;
		assert_int_equal(payload_add_copy(&tree, "a", "x", 1), 0);
		free(assemble(space, &l, &size));
		payload_done(&tree);
		assert_int_equal(l.esp_offset, 64 * KIB);
		assert_int_equal(l.esp_size % (64 * KIB), 0);
		assert_int_equal(size % (4 * KIB), 0);
		/* No more behind the ESP than the backup and the rounding. */
		assert_true(size - l.esp_offset - l.esp_size < 33 * 512 + 4 * KIB);
		assert_true(l.fat.sectors * FAT_SECTOR <= l.esp_size);
	}
}

static void identifiers_follow_the_content(void **state)
{
	struct image_layout a, b, c;
	uint64_t size;
	(void)state;

	assert_int_equal(payload_add_copy(&tree, "a", "x", 1), 0);
	free(assemble(0, &a, &size));
	free(assemble(0, &b, &size));
	payload_done(&tree);
	assert_int_equal(payload_add_copy(&tree, "a", "y", 1), 0);
	free(assemble(0, &c, &size));
	payload_done(&tree);
	assert_memory_equal(&a.disk_id, &b.disk_id, 16);
	assert_memory_equal(&a.esp_id, &b.esp_id, 16);
	assert_memory_not_equal(&a.disk_id, &c.disk_id, 16);
	assert_memory_not_equal(&a.disk_id, &a.esp_id, 16);
}

static void extents(void **state)
{
	struct disk d = { .size = 4096 };
	(void)state;

	assert_int_equal(disk_add(&d, 1024, "x", 512, NULL), 0);
	assert_int_equal(disk_add(&d, 0, "x", 1024, NULL), 0);
	assert_int_equal(disk_sort(&d), 0);
	assert_int_equal(d.extents[0].offset, 0);
	assert_int_equal(disk_add(&d, 1535, "x", 1, NULL), 0);
	assert_int_equal(disk_sort(&d), -EINVAL);
	disk_done(&d);
	assert_int_equal(disk_add(&d, 4096, "x", 1, NULL), 0);
	assert_int_equal(disk_sort(&d), -EINVAL);
	disk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(worked_example), cmocka_unit_test(layout), cmocka_unit_test(identifiers_follow_the_content),
					    cmocka_unit_test(extents) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
