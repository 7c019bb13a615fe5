/* SPDX-License-Identifier: MIT */
/* Which disk becomes scratch, and which are left alone: on sparse files behind a /sys of our own. */
#include "common/gpt.h"
#include "common/io.h"
#include "initrd/scratch/make.h"
#include "initrd/scratch/plan.h"
#include "initrd/scratch/probe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static char folder[sizeof("/tmp/spore-plan-XXXXXX")];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/spore-plan-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("SPORE_ROOT", folder, 1), 0);
	_cleanup_free_ char *dev = io_format("%s/dev", folder), *sys = io_format("%s/sys/block", folder);
	assert_int_equal(io_mkdir_p(dev, 0755), 0);
	assert_int_equal(io_mkdir_p(sys, 0755), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	_cleanup_free_ char *command = io_format("rm -rf %s", folder);
	return system(command);
}

static void attribute(const char *disk, const char *name, const char *value)
{
	_cleanup_free_ char *path = io_format("%s/sys/block/%s/%s", folder, disk, name);

	assert_int_equal(io_write_file(path, 0644, value, strlen(value)), 0);
}

/* A sparse file as a disk; its descriptor. */
static int disk_make(const char *name, uint64_t bytes)
{
	_cleanup_free_ char *sys = io_format("%s/sys/block/%s", folder, name), *dev = io_format("%s/dev/%s", folder, name);
	_cleanup_free_ char *sectors = io_format("%llu\n", (unsigned long long)(bytes / 512));

	assert_int_equal(io_mkdir_p(sys, 0755), 0);
	attribute(name, "size", sectors);
	attribute(name, "ro", "0\n");
	attribute(name, "removable", "0\n");
	int fd = open(dev, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

/* An image of ours: ESP from sector 64 on, table for image_bytes, on a disk of disk_bytes. */
static int disk_with_image(const char *name, uint64_t image_bytes, uint64_t disk_bytes)
{
	struct gpt *g = calloc(1, sizeof(*g));
	struct gpt_guid id = { .bytes = { 1, 2, 3 } };
	int fd = disk_make(name, image_bytes);

	gpt_init(g, image_bytes, 512, &id);
	g->partitions[0] = (struct gpt_partition){ .first = 64, .last = g->last_usable, .id = { .bytes = { 9 } }, .name = GPT_NAME_ESP };
	assert_int_equal(gpt_guid_parse(GPT_TYPE_ESP, &g->partitions[0].type), 0);
	assert_int_equal(gpt_write(fd, g, true), 0);
	free(g);
	assert_int_equal(ftruncate(fd, (off_t)disk_bytes), 0);
	return fd;
}

static void poke(int fd, uint64_t at, const void *bytes, size_t size)
{
	assert_int_equal(io_pwrite_full(fd, bytes, size, at), 0);
}

/* A superblock with just what is looked at. */
static void poke_ext4(int fd, uint64_t offset, const char *label, uint64_t bytes, bool mounted)
{
	uint8_t super[1024] = { 0 };

	le32_put(super + 0x4, (uint32_t)(bytes / 4096));
	le32_put(super + 0x18, 2);
	le32_put(super + 0x2C, mounted ? 1700000000 : 0);
	le16_put(super + 0x34, mounted);
	le16_put(super + 0x38, 0xEF53);
	le16_put(super + 0x3A, 1);
	strncpy((char *)super + 0x78, label, 16);
	poke(fd, offset + 1024, super, sizeof(super));
}

/* The choice as "vda1 found", "RAM" or "nothing: ...", by the policy. */
static const char *choice(const char *policy)
{
	static char text[400];
	char name[DISK_NAME_SIZE];
	struct plan p;

	assert_int_equal(plan_make(&p, policy, false), 0);
	if (p.chosen == PLAN_RAM) {
		snprintf(text, sizeof(text), "RAM");
	} else if (p.chosen == PLAN_NONE) {
		snprintf(text, sizeof(text), "nothing: %s", p.why);
	} else {
		plan_place_name(&p, &p.places[p.chosen], name);
		snprintf(text, sizeof(text), "%s %s", name, plan_verdict_name(p.places[p.chosen].verdict));
	}
	plan_done(&p);
	return text;
}

static void no_disk_is_ram(void **state)
{
	(void)state;
	assert_string_equal(choice("auto"), "RAM");
}

static void empty_disk_is_taken(void **state)
{
	(void)state;
	close(disk_make("vda", 2 * GIB));
	assert_string_equal(choice("auto"), "vda empty-disk");
	assert_string_equal(choice("ram"), "RAM");
	assert_string_equal(choice("/dev/vda"), "vda empty-disk");
	assert_string_equal(choice("/dev/vdb"), "nothing: there is no disk or partition 'vdb'");
	assert_string_equal(choice("LABEL=OTHER"), "nothing: no ext4 file system is labelled 'OTHER'");
	struct plan p;
	assert_int_equal(plan_make(&p, "sometimes", false), -EINVAL);
	plan_done(&p);
}

static void names_in_order(void **state)
{
	(void)state;
	close(disk_make("vdaa", 2 * GIB));
	close(disk_make("vdc", 2 * GIB));
	close(disk_make("vdb", 2 * GIB));
	assert_string_equal(choice("auto"), "vdb empty-disk");
}

static void one_byte_is_content(void **state)
{
	static const uint64_t places[] = { 0, 511, 4096, 4 * MIB - 1, 2 * GIB - 1, 2 * GIB - 4 * MIB };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = disk_make("vda", 2 * GIB);
		poke(fd, places[i], "x", 1);
		assert_string_equal(choice("auto"), "RAM");
		poke(fd, places[i], "", 1);
		close(fd);
	}
	assert_string_equal(choice("auto"), "vda empty-disk");
}

static void data_between_is_found(void **state)
{
	uint8_t block[4 * MIB / 64];
	(void)state;

	/* Samples lie about 2 MiB apart on 2 GiB: any stretch of 4 MiB is hit. */
	int fd = disk_make("vda", 2 * GIB);
	memset(block, 0x5a, sizeof(block));
	for (int i = 0; i < 64; i++)
		poke(fd, 777 * MIB + 12345 + (uint64_t)i * sizeof(block), block, sizeof(block));
	close(fd);
	assert_string_equal(choice("auto"), "RAM");
}

static void unfit_disks(void **state)
{
	(void)state;
	close(disk_make("loop0", 2 * GIB));
	close(disk_make("sr0", 2 * GIB));
	close(disk_make("zram0", 2 * GIB));
	close(disk_make("dm-0", 2 * GIB));
	close(disk_make("fd0", 2 * GIB));
	close(disk_make("sda", 2 * GIB));
	attribute("sda", "removable", "1\n");
	close(disk_make("sdb", 2 * GIB));
	attribute("sdb", "ro", "1\n");
	close(disk_make("sdc", 700 * MIB));
	close(disk_make("sdd", 0));
	assert_string_equal(choice("auto"), "RAM");
	assert_string_equal(choice("/dev/sdb"), "nothing: /dev/sdb is read-only");
	assert_string_equal(choice("/dev/sdc"), "nothing: /dev/sdc has 700 MiB; scratch needs 750 MiB");
}

static void labelled_is_found_first(void **state)
{
	(void)state;
	close(disk_make("vda", 2 * GIB));
	int fd = disk_make("vdb", 2 * GIB);
	poke_ext4(fd, 0, SCRATCH_LABEL, GIB, true);
	assert_string_equal(choice("auto"), "vdb found");
	/* Another label is somebody's. */
	poke_ext4(fd, 0, "HOME", GIB, true);
	assert_string_equal(choice("auto"), "vda empty-disk");
	assert_string_equal(choice("LABEL=HOME"), "vdb found");
	assert_string_equal(choice("/dev/vdb"), "nothing: /dev/vdb holds an ext4 file system labelled 'HOME'");
	close(fd);
}

static void gap_behind_the_image(void **state)
{
	(void)state;
	int fd = disk_with_image("vda", 8 * MIB, 4 * GIB);
	assert_string_equal(choice("auto"), "vda gap");
	/* An empty disk comes first, a foreign one never. */
	close(disk_make("vdb", 2 * GIB));
	assert_string_equal(choice("auto"), "vdb empty-disk");
	assert_string_equal(choice("/dev/vda"), "vda gap");
	poke(fd, GIB, "x", 1);
	poke(fd, 9 * MIB, "x", 1);
	assert_true(strncmp(choice("/dev/vda"), "nothing: /dev/vda is not empty: data at byte 9437184", 51) == 0);
	poke(fd, 9 * MIB, "", 1);
	/* The end of the disk is where the backup table goes. */
	poke(fd, 4 * GIB - 100, "x", 1);
	assert_true(strncmp(choice("/dev/vda"), "nothing:", 8) == 0);
	close(fd);
}

static void image_without_room(void **state)
{
	(void)state;
	close(disk_with_image("vda", 8 * MIB, 8 * MIB));
	assert_string_equal(choice("auto"), "RAM");
	close(disk_with_image("vdb", 8 * MIB, 500 * MIB));
	assert_string_equal(choice("auto"), "RAM");
	/* Cut off: the table speaks of sectors that are not there. */
	close(disk_with_image("vdc", 900 * MIB, 800 * MIB));
	assert_string_equal(choice("auto"), "RAM");
}

static void corrupt_table_is_left_alone(void **state)
{
	(void)state;
	int fd = disk_with_image("vda", 8 * MIB, 4 * GIB);
	poke(fd, 512 + 40, "\xff\xff", 2);
	assert_string_equal(choice("auto"), "RAM");
	assert_string_equal(choice("/dev/vda"), "nothing: /dev/vda has a corrupt partition table (GPT)");
	close(fd);
}

static void foreign_gpt_is_left_alone(void **state)
{
	struct gpt *g = calloc(1, sizeof(*g));
	struct gpt_guid id = { .bytes = { 4 } };
	int fd = disk_make("vda", 4 * GIB);
	(void)state;

	/* Room for scratch, but on a disk that is not the image's. */
	gpt_init(g, 4 * GIB, 512, &id);
	g->partitions[0] = (struct gpt_partition){ .type = { .bytes = { 7 } }, .first = 2048, .last = 4095, .name = "data" };
	assert_int_equal(gpt_write(fd, g, true), 0);
	assert_string_equal(choice("auto"), "RAM");
	/* An empty table is a table. */
	g->partitions[0] = (struct gpt_partition){ .first = 0 };
	assert_int_equal(gpt_write(fd, g, true), 0);
	assert_string_equal(choice("auto"), "RAM");
	free(g);
	close(fd);
}

/* What a power cut leaves behind on the way of make_scratch. */
static void begun_is_taken_up_again(void **state)
{
	struct gpt *g = calloc(1, sizeof(*g));
	struct gpt_guid id = { .bytes = { 4 } };
	int fd = disk_make("vda", 4 * GIB);
	(void)state;

	gpt_init(g, 4 * GIB, 512, &id);
	g->partitions[0] = (struct gpt_partition){ .first = 2048, .last = 8000000, .id = { .bytes = { 8 } }, .name = GPT_NAME_SCRATCH };
	assert_int_equal(gpt_guid_parse(GPT_TYPE_SCRATCH, &g->partitions[0].type), 0);
	assert_int_equal(gpt_write(fd, g, true), 0);
	assert_string_equal(choice("auto"), "vda1 begun");
	/* Only the copy at the end was written. */
	uint8_t zero[34 * 512] = { 0 };
	poke(fd, 0, zero, sizeof(zero));
	assert_string_equal(choice("auto"), "vda1 begun");
	/* And of that only the entries. */
	poke(fd, 4 * GIB - 512, zero, 512);
	assert_string_equal(choice("auto"), "vda empty-disk");
	assert_int_equal(gpt_write(fd, g, true), 0);
	/* mke2fs was through, the label was missing. */
	poke_ext4(fd, MIB, "", GIB, false);
	assert_string_equal(choice("auto"), "vda1 begun");
	/* The same, once mounted, is somebody's. */
	poke_ext4(fd, MIB, "", GIB, true);
	assert_string_equal(choice("auto"), "RAM");
	/* Something else at its start too. */
	poke(fd, MIB, zero, 4096);
	poke(fd, MIB + 100, "x", 1);
	assert_string_equal(choice("auto"), "RAM");
	free(g);
	close(fd);
}

static void partitions_of_an_mbr_disk(void **state)
{
	int fd = disk_make("sda", 4 * GIB);
	_cleanup_free_ char *sys = io_format("%s/sys/block/sda/sda1", folder);
	(void)state;

	poke(fd, 510, "\x55\xaa", 2);
	assert_int_equal(io_mkdir_p(sys, 0755), 0);
	attribute("sda", "sda1/partition", "1\n");
	attribute("sda", "sda1/start", "2048\n");
	attribute("sda", "sda1/size", "4194304\n");
	assert_string_equal(choice("auto"), "RAM");
	/* A partition of zeroes: only when it is named. */
	assert_string_equal(choice("/dev/sda1"), "sda1 blank");
	poke_ext4(fd, MIB, SCRATCH_LABEL, GIB, true);
	assert_string_equal(choice("auto"), "sda1 found");
	close(fd);
}

static void label_with_checksum(void **state)
{
	struct probe_ext4 e;
	uint8_t super[1024];
	int fd = disk_make("vda", 16 * MIB);
	(void)state;

	assert_int_equal(probe_ext4_set_label(fd, 0, "X"), -ENOENT);
	poke_ext4(fd, 0, "", 8 * MIB, false);
	/* metadata_csum, without a checksum yet. */
	assert_int_equal(io_pread_full(fd, super, sizeof(super), 1024), sizeof(super));
	le32_put(super + 0x64, 0x400);
	poke(fd, 1024, super, sizeof(super));
	assert_int_equal(probe_ext4(fd, 0, &e), 0);
	assert_false(e.checksum_good);
	assert_int_equal(probe_ext4_set_label(fd, 0, SCRATCH_LABEL), 0);
	assert_int_equal(probe_ext4(fd, 0, &e), 0);
	assert_true(e.checksum_good);
	assert_string_equal(e.label, SCRATCH_LABEL);
	assert_int_equal(e.bytes, 8 * MIB);
	assert_int_equal(probe_ext4_set_label(fd, 0, "longer than sixteen"), -EINVAL);
	close(fd);
}

static void signatures(void **state)
{
	static const struct { uint64_t at; const char *bytes; size_t size; const char *name; } known[] = {
		{ 512, "LABELONE", 8, "LVM2" }, { 0, "LUKS\xba\xbe", 6, "LUKS" }, { 0, "XFSB", 4, "xfs" }, { 32769, "CD001", 5, "ISO 9660" },
		{ 4096 - 10, "SWAPSPACE2", 10, "swap" }, { 65536 + 64, "_BHRfS_M", 8, "btrfs" }, { 510, "\x55\xaa", 2, "MBR" },
		{ 512, "EFI PART", 8, "GPT" }, { 16 * MIB - 512, "EFI PART", 8, "GPT (backup)" },
	};
	const char *name;
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char disk[DISK_NAME_SIZE];
		snprintf(disk, sizeof(disk), "vd%c", (char)('a' + i));
		int fd = disk_make(disk, 16 * MIB);
		assert_int_equal(probe_signature(fd, 0, 16 * MIB, &name), 0);
		assert_null(name);
		poke(fd, known[i].at, known[i].bytes, known[i].size);
		assert_int_equal(probe_signature(fd, 0, 16 * MIB, &name), 0);
		assert_string_equal(name, known[i].name);
		close(fd);
	}
}

/* Small, sector sized differently, absurd: never more than a refusal. */
static void tiny_disks(void **state)
{
	(void)state;
	for (uint64_t size = 512; size <= 8192; size += 512) {
		close(disk_make("vda", size));
		assert_string_equal(choice("auto"), "RAM");
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_disk_is_ram), TEST(empty_disk_is_taken), TEST(names_in_order), TEST(one_byte_is_content), TEST(data_between_is_found),
		TEST(unfit_disks), TEST(labelled_is_found_first), TEST(gap_behind_the_image), TEST(image_without_room),
		TEST(corrupt_table_is_left_alone), TEST(foreign_gpt_is_left_alone), TEST(begun_is_taken_up_again), TEST(partitions_of_an_mbr_disk),
		TEST(label_with_checksum), TEST(signatures), TEST(tiny_disks),
	};

	return cmocka_run_group_tests_name("scratch plan", tests, NULL, NULL);
}
