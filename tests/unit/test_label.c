/* SPDX-License-Identifier: MIT */
/*
 * Volume labels of ISO 9660 and FAT, on images put together here by hand; what mkfs.vfat and our own seeds write is held against it in
 * tests/integration/contextualize.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contextualize/sources/label.h"

#include <sys/mman.h>

static int image_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	return fd;
}

static errint_t label_of(const uint8_t *data, size_t size, struct volume_label *ret)
{
	int fd = image_of(data, size);
	errint_t r = label_read(fd, ret);

	close(fd);
	return r;
}

static void test_iso(void **state)
{
	static uint8_t d[20 * 2048];
	struct volume_label l;

	(void)state;
	memset(d, 0, sizeof d);
	memcpy(d + 16 * 2048, "\0CD001", 6);	/* a boot record comes first */
	memcpy(d + 17 * 2048, "\1CD001", 6);
	memcpy(d + 17 * 2048 + 40, "cidata                          ", 32);
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "cidata");
	assert_string_equal(l.filesystem, "iso9660");
	/* Joliet says it better. */
	memcpy(d + 17 * 2048 + 40, "CONFIG_2", 8);
	memcpy(d + 18 * 2048, "\2CD001", 6);
	memcpy(d + 18 * 2048 + 88, "%/E", 3);
	for (unsigned i = 0; i < 16; i++)
		d[18 * 2048 + 41 + 2 * i] = (uint8_t)"config-2        "[i];
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "config-2");
	d[17 * 2048] = 255;
	assert_int_equal(label_of(d, sizeof d, &l), -ENODATA);
	assert_int_equal(label_of(d, 16 * 2048 + 100, &l), -ENODATA);
	assert_int_equal(label_of(d, 0, &l), -ENODATA);
}

/* A boot sector of a FAT volume of 512-byte sectors, one per cluster. */
static void fat_boot(uint8_t *b, bool fat32, uint16_t entries, uint32_t fat_size, uint32_t total)
{
	b[0] = 0xeb;
	le16_put(b + 11, 512);
	b[13] = 1;
	le16_put(b + 14, 1);
	b[16] = 1;
	le16_put(b + 17, entries);
	b[21] = 0xf8;
	le32_put(b + 32, total);
	if (fat32) {
		le32_put(b + 36, fat_size);
		le32_put(b + 44, 2);
		memcpy(b + 71, "BOOTLABEL  ", 11);
	} else {
		le16_put(b + 22, (uint16_t)fat_size);
		memcpy(b + 43, "NO NAME    ", 11);
	}
	b[510] = 0x55;
	b[511] = 0xaa;
}

static void test_fat16(void **state)
{
	static uint8_t d[64 * 512];
	struct volume_label l;

	(void)state;
	memset(d, 0, sizeof d);
	fat_boot(d, false, 16, 2, 64);
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "");	/* NO NAME is none */
	memcpy(d + 3 * 512, "FILE    TXT ", 12);
	memcpy(d + 3 * 512 + 32, "CIDATA     \x08", 12);
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "CIDATA");
	assert_string_equal(l.filesystem, "vfat");
	d[3 * 512 + 32] = 0xe5;	/* deleted */
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "");
}

static void test_fat32(void **state)
{
	static uint8_t d[64 * 512];
	struct volume_label l;

	(void)state;
	memset(d, 0, sizeof d);
	fat_boot(d, true, 0, 2, 64);
	/* The root directory is cluster 2, then 3, then in a circle. */
	le32_put(d + 512 + 8, 3);
	le32_put(d + 512 + 12, 2);
	memset(d + 3 * 512, 0xe5, 1024);
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "BOOTLABEL");
	memcpy(d + 4 * 512 + 64, "config-2   \x08", 12);
	assert_int_equal(label_of(d, sizeof d, &l), 0);
	assert_string_equal(l.label, "config-2");
	le32_put(d + 36, 0xffffffff);	/* a table larger than the volume */
	assert_int_equal(label_of(d, sizeof d, &l), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_iso), cmocka_unit_test(test_fat16), cmocka_unit_test(test_fat32) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
