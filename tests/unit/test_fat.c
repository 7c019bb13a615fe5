/* SPDX-License-Identifier: MIT */
/* FAT volumes: written ones are read back and found sound in all three types, and each kind of damage is found. fsck.fat judges in tests/integration/mkimage.sh. */
#include "mkimage/fat.h"
#include "mkimage/fat_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct payload tree;
static char findings[64 * KIB];

static void report(void *context, const char *text)
{
	(void)context;
	snprintf(findings + strlen(findings), sizeof(findings) - strlen(findings), "%s\n", text);
}

static int check(const uint8_t *volume, uint64_t size)
{
	struct fat f;
	const char *why = NULL;

	findings[0] = '\0';
	assert_int_equal(fat_open(volume, size, &f, &why), 0);
	return fat_check(&f, report, NULL);
}

static void add(const char *path, size_t size)
{
	char *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7 + strlen(path));
	assert_int_equal(payload_add(&tree, path, data, size), 0);
}

static void fill_tree(void)
{
	payload_done(&tree);
	add("EFI/BOOT/BOOTX64.EFI", 18000);
	add("spore/boot.conf", 300);
	add("spore/empty", 0);
	add("spore/x86_64/initrd", 4096);
	add("a name with spaces and dots.in.it.text", 1);
	add("a name with spaces and dots.in.it.text2", 2);
	add("sp\xc3\xb6re/\xf0\x9f\x8d\x84.txt", 513);
	for (int i = 0; i < 40; i++) {
		char path[64];
		snprintf(path, sizeof(path), "many/a rather long name number %02d", i);
		add(path, 10);
	}
	payload_sort(&tree);
}

static uint8_t *make(enum fat_type type, uint64_t *ret_size, struct fat_geometry *g)
{
	const struct fat_options o = { .type = type, .free_bytes = 64 * KIB, .volume_id = 0x12345678, .label = "SPORE", .time = 1700000000 };
	struct disk d = { .size = 0 };
	const char *bad;

	assert_int_equal(fat_create(&tree, &o, &d, 0, g, &bad), 0);
	d.size = *ret_size = g->sectors * FAT_SECTOR;
	assert_int_equal(disk_sort(&d), 0);
	uint8_t *volume = calloc(1, d.size);
	for (size_t i = 0; i < d.count; i++)
		memcpy(volume + d.extents[i].offset, d.extents[i].data, d.extents[i].size);
	disk_done(&d);
	return volume;
}

static void round_trip(void **state)
{
	static const enum fat_type types[] = { FAT12, FAT16, FAT32, FAT_AUTO };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct fat_geometry g;
		struct fat f;
		struct fat_listing l;
		const char *why;
		uint64_t size;
		fill_tree();
		_cleanup_free_ uint8_t *volume = make(types[i], &size, &g);
		if (types[i] != FAT_AUTO)
			assert_int_equal(g.type, types[i]);
		assert_int_equal(check(volume, size), 0);
		assert_int_equal(fat_open(volume, size, &f, &why), 0);
		assert_string_equal(f.label, "SPORE");
		assert_int_equal(f.volume_id, 0x12345678);
		assert_true(fat_free_bytes(&f) >= 64 * KIB);
		assert_int_equal(fat_list(&f, &l), 0);
		for (size_t k = 0; k < tree.count; k++) {
			const struct fat_node *n = fat_find(&l, tree.files[k].path);
			_cleanup_free_ char *data = NULL;
			size_t got;
			assert_non_null(n);
			assert_string_equal(n->path, tree.files[k].path);
			assert_int_equal(fat_read(&f, n, MIB, &data, &got), 0);
			assert_int_equal(got, tree.files[k].size);
			assert_memory_equal(data, tree.files[k].data, got);
		}
		fat_listing_done(&l);
	}
	payload_done(&tree);
}

static void deterministic(void **state)
{
	struct fat_geometry g;
	uint64_t a_size, b_size;
	(void)state;

	fill_tree();
	_cleanup_free_ uint8_t *a = make(FAT_AUTO, &a_size, &g);
	fill_tree();
	_cleanup_free_ uint8_t *b = make(FAT_AUTO, &b_size, &g);
	assert_int_equal(a_size, b_size);
	assert_memory_equal(a, b, a_size);
	payload_done(&tree);
}

static void type_follows_size(void **state)
{
	static const struct { size_t size; enum fat_type type; } cases[] = {
		{ 100, FAT12 }, { 1900 * 1024, FAT12 }, { 2100 * 1024, FAT16 }, { 8 * 1024 * 1024, FAT16 }, { 200 * 1024 * 1024, FAT16 },
		{ 300 * 1024 * 1024, FAT32 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fat_options o = { .label = "SPORE", .free_bytes = cases[i].size };
		struct disk d = { .size = 0 };
		struct fat_geometry g;
		const char *bad;
		assert_int_equal(fat_create(&tree, &o, &d, 0, &g, &bad), 0);
		assert_int_equal(g.type, cases[i].type);
		/* Never so near to a limit that readers disagree. */
		assert_true(g.type == FAT12 ? g.clusters < 4085 - 15 : g.type == FAT16 ? g.clusters >= 4085 + 16 && g.clusters <= 65525 - 16 : g.clusters >= 65525 + 16);
		assert_true((g.reserved + 2 * g.fat_sectors + g.root_entries / 16) * FAT_SECTOR % g.cluster_size == 0);
		disk_done(&d);
	}
	const struct fat_options tight = { .type = FAT12, .label = "SPORE", .free_bytes = GIB };
	struct disk d = { .size = 0 };
	struct fat_geometry g;
	const char *bad;
	assert_int_equal(fat_create(&tree, &tight, &d, 0, &g, &bad), -ENOSPC);
	disk_done(&d);
}

/* Damages a sound volume in one place; text: part of the finding that is awaited. */
static void expect_finding(enum fat_type type, uint64_t (*place)(const struct fat *f, const struct fat_listing *l), uint8_t xor, const char *text)
{
	struct fat_geometry g;
	struct fat f;
	struct fat_listing l;
	const char *why;
	uint64_t size;

	fill_tree();
	_cleanup_free_ uint8_t *volume = make(type, &size, &g);
	assert_int_equal(fat_open(volume, size, &f, &why), 0);
	assert_int_equal(fat_list(&f, &l), 0);
	/* 0: the loader's first cluster becomes the initrd's. */
	if (xor == 0)
		xor = (uint8_t)(fat_find(&l, "EFI/BOOT/BOOTX64.EFI")->first_cluster ^ fat_find(&l, "spore/x86_64/initrd")->first_cluster);
	volume[place(&f, &l)] ^= xor;
	fat_listing_done(&l);
	assert_true(check(volume, size) > 0);
	if (!strstr(findings, text))
		fail_msg("findings lack '%s': %s", text, findings);
	payload_done(&tree);
}

static uint64_t second_fat(const struct fat *f, const struct fat_listing *l)
{
	(void)l;
	return f->fat_offset + (uint64_t)f->g.fat_sectors * FAT_SECTOR + 20;
}

static uint64_t chain_of_loader(const struct fat *f, const struct fat_listing *l)
{
	return f->fat_offset + 2 * fat_find(l, "EFI/BOOT/BOOTX64.EFI")->first_cluster;
}

static uint64_t free_entry(const struct fat *f, const struct fat_listing *l)
{
	(void)l;
	return f->fat_offset + 2 * ((uint64_t)f->g.clusters + 1);
}

static uint64_t first_long_name(const struct fat *f, const struct fat_listing *l)
{
	(void)l;
	/* Behind the label's and EFI's entry: the checksum of a long name. */
	return f->root_offset + 2 * FAT_ENTRY + 13;
}

static uint64_t dot_entry(const struct fat *f, const struct fat_listing *l)
{
	return f->data_offset + (uint64_t)(fat_find(l, "spore")->first_cluster - 2) * f->g.cluster_size;
}

static uint64_t size_of_loader(const struct fat *f, const struct fat_listing *l)
{
	/* The third entry of EFI/BOOT; its size's third byte. */
	return f->data_offset + (uint64_t)(fat_find(l, "EFI/BOOT")->first_cluster - 2) * f->g.cluster_size + 2 * FAT_ENTRY + 30;
}

static uint64_t start_of_loader(const struct fat *f, const struct fat_listing *l)
{
	return size_of_loader(f, l) - 4;
}

static uint64_t fs_info(const struct fat *f, const struct fat_listing *l)
{
	(void)f, (void)l;
	return FAT_SECTOR + 488;
}

static uint64_t boot_sector(const struct fat *f, const struct fat_listing *l)
{
	(void)f, (void)l;
	return 100;
}

static void damage_is_found(void **state)
{
	(void)state;
	expect_finding(FAT16, second_fat, 1, "copies of the FAT differ");
	expect_finding(FAT16, chain_of_loader, 0x80, "BOOTX64.EFI: its chain leads to cluster");
	expect_finding(FAT16, free_entry, 0xff, "belong to no file");
	expect_finding(FAT16, first_long_name, 1, "long name");
	expect_finding(FAT16, dot_entry, 1, "is not '.'");
	expect_finding(FAT16, size_of_loader, 1, "its size asks for");
	expect_finding(FAT16, start_of_loader, 0, "belongs to another chain");
	expect_finding(FAT32, fs_info, 1, "FSInfo tells another number");
	expect_finding(FAT32, boot_sector, 1, "differs from its backup");
}

static void names(void **state)
{
	struct fat_name n;
	(void)state;

	assert_int_equal(fat_name_make("BOOTX64.EFI", 11, 0, &n), 0);
	assert_memory_equal(n.short_name, "BOOTX64 EFI", 11);
	assert_int_equal(n.count, 0);
	assert_int_equal(fat_name_make("linux", 5, 0, &n), 0);
	assert_memory_equal(n.short_name, "LINUX      ", 11);
	assert_int_equal(n.count, 5);
	assert_int_equal(fat_name_make("boot.conf", 9, 0, &n), -EAGAIN);
	assert_int_equal(fat_name_make("boot.conf", 9, 1, &n), 0);
	assert_memory_equal(n.short_name, "BOOT~1  CON", 11);
	assert_int_equal(fat_name_make(".hidden", 7, 12, &n), 0);
	assert_memory_equal(n.short_name, "HIDDE~12   ", 11);
	assert_int_equal(fat_name_make("a:b", 3, 1, &n), -EINVAL);
	assert_int_equal(fat_name_make("a.", 2, 1, &n), -EINVAL);
	assert_int_equal(fat_name_make("", 0, 1, &n), -EINVAL);
	char text[300];
	memset(text, 'x', sizeof(text));
	assert_int_equal(fat_name_make(text, 255, 1, &n), 0);
	assert_int_equal(fat_name_entries(&n), 21);
	assert_int_equal(fat_name_make(text, 256, 1, &n), -ENAMETOOLONG);
	/* By hand, after the listing in Microsoft's paper. */
	assert_int_equal(fat_short_checksum((const uint8_t *)"BOOT~1  CON"), 0x39);
}

static void hostile_trees(void **state)
{
	struct disk d = { .size = 0 };
	struct fat_geometry g;
	const struct fat_options o = { .label = "SPORE" };
	const char *bad;
	(void)state;

	assert_int_equal(payload_add_copy(&tree, "../up", "x", 1), -EINVAL);
	assert_int_equal(payload_add_copy(&tree, "/abs", "x", 1), -EINVAL);
	assert_int_equal(payload_add_copy(&tree, "a//b", "x", 1), -EINVAL);
	assert_int_equal(payload_add_copy(&tree, "a", "x", 1), 0);
	assert_int_equal(payload_add_copy(&tree, "A", "x", 1), -EEXIST);
	assert_int_equal(payload_add_copy(&tree, "a/b", "x", 1), 0);
	payload_sort(&tree);
	assert_int_equal(fat_create(&tree, &o, &d, 0, &g, &bad), -EINVAL);
	assert_string_equal(bad, "a/b");
	payload_done(&tree);
	/* A file of 4 GiB: refused by its size alone. */
	char *little = strdup("");
	assert_int_equal(payload_add(&tree, "big", little, (size_t)4 * GIB), 0);
	assert_int_equal(fat_create(&tree, &o, &d, 0, &g, &bad), -EFBIG);
	assert_string_equal(bad, "big");
	payload_done(&tree);
	disk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(deterministic), cmocka_unit_test(type_follows_size), cmocka_unit_test(damage_is_found),
		cmocka_unit_test(names), cmocka_unit_test(hostile_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
