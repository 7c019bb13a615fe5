/* SPDX-License-Identifier: MIT */
/* Partition tables: what is written is read back, each kind of damage is told apart, and growing keeps what is there. */
#include "common/gpt.h"
#include "common/io.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

#define DISK (16 * MIB)

static int new_disk(uint64_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void fill(struct gpt *g, uint64_t size, uint32_t sector_size)
{
	struct gpt_guid id;

	gpt_guid_from_bytes((const uint8_t *)"0123456789abcdef", &id);
	gpt_init(g, size, sector_size, &id);
	assert_int_equal(gpt_guid_parse(GPT_TYPE_ESP, &g->partitions[0].type), 0);
	g->partitions[0].id = id;
	g->partitions[0].first = 128;
	g->partitions[0].last = 1023;
	strcpy(g->partitions[0].name, GPT_NAME_ESP);
}

static enum gpt_state state_of(int fd, uint64_t size, struct gpt *ret)
{
	enum gpt_state state;

	assert_int_equal(gpt_read(fd, size, 512, ret, &state), 0);
	return state;
}

static void poke(int fd, uint64_t offset)
{
	uint8_t b;

	assert_int_equal(io_pread_full(fd, &b, 1, offset), 1);
	b ^= 0xff;
	assert_int_equal(io_pwrite_full(fd, &b, 1, offset), 0);
}

static void guids(void **state)
{
	struct gpt_guid g;
	char text[37];
	(void)state;

	assert_int_equal(gpt_guid_parse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", &g), 0);
	/* The first three fields are little-endian (UEFI 2.10, appendix A). */
	assert_memory_equal(g.bytes, "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b", 16);
	gpt_guid_format(&g, text);
	assert_string_equal(text, GPT_TYPE_ESP);
	assert_int_equal(gpt_guid_parse("C12A7328-F81F-11D2-BA4B-00A0C93EC93", &g), -EINVAL);
	assert_int_equal(gpt_guid_parse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B0", &g), -EINVAL);
	assert_int_equal(gpt_guid_parse("C12A7328xF81F-11D2-BA4B-00A0C93EC93B", &g), -EINVAL);
	assert_int_equal(gpt_guid_parse("", &g), -EINVAL);
	memset(text, 0xff, 16);
	gpt_guid_from_bytes((const uint8_t *)text, &g);
	gpt_guid_format(&g, text);
	assert_int_equal(text[14], '8');
	assert_int_equal(text[19], 'B');
	assert_int_equal(gpt_crc32("123456789", 9), 0xcbf43926);
}

static void round_trip(void **state)
{
	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		struct gpt g, back;
		enum gpt_state found;
		_cleanup_close_ int fd = new_disk(DISK);
		fill(&g, DISK, sector);
		strcpy(g.partitions[0].name, "sp\xc3\xb6re \xf0\x9f\x8d\x84");
		g.partitions[127] = g.partitions[0];
		g.partitions[127].first = 1024;
		g.partitions[127].last = 2047;
		g.partitions[127].attributes = 0x8000000000000004;
		assert_int_equal(gpt_write(fd, &g, true), 0);
		assert_int_equal(gpt_read(fd, DISK, sector, &back, &found), 0);
		assert_int_equal(found, GPT_GOOD);
		assert_int_equal(back.sectors, g.sectors);
		assert_int_equal(back.first_usable, g.first_usable);
		assert_int_equal(back.last_usable, g.last_usable);
		assert_string_equal(back.partitions[0].name, "sp\xc3\xb6re \xf0\x9f\x8d\x84");
		assert_int_equal(back.partitions[127].attributes, 0x8000000000000004);
		assert_int_equal(gpt_find_name(&back, g.partitions[0].name), 0);
		assert_int_equal(gpt_find_name(&back, "other"), -1);
		assert_int_equal(gpt_find_unused(&back), 1);
	}
	(void)state;
}

static void damage_is_told_apart(void **state)
{
	struct gpt g, back;
	_cleanup_close_ int fd = new_disk(DISK);
	(void)state;

	assert_int_equal(state_of(fd, DISK, &back), GPT_NONE);
	assert_int_equal(state_of(fd, 100, &back), GPT_NONE);
	fill(&g, DISK, 512);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(state_of(fd, DISK, &back), GPT_GOOD);
	/* A byte of an entry, each copy in turn. */
	poke(fd, 1024 + 40);
	memset(&back, 0, sizeof(back));
	assert_int_equal(state_of(fd, DISK, &back), GPT_BACKUP_ONLY);
	assert_int_equal(back.partitions[0].first, 128);
	poke(fd, DISK - 512 + 24);
	assert_int_equal(state_of(fd, DISK, &back), GPT_CORRUPT);
	poke(fd, 1024 + 40);
	assert_int_equal(state_of(fd, DISK, &back), GPT_PRIMARY_ONLY);
	poke(fd, DISK - 512 + 24);
	assert_int_equal(state_of(fd, DISK, &back), GPT_GOOD);
	/* The device is smaller than the table says. */
	assert_int_equal(state_of(fd, DISK / 2, &back), GPT_PRIMARY_ONLY);
	assert_int_equal(gpt_check(&back), -ENOSPC);
}

static void growing(void **state)
{
	struct gpt g, back;
	uint64_t first, last;
	_cleanup_close_ int fd = new_disk(DISK);
	(void)state;

	fill(&g, DISK, 512);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(ftruncate(fd, 4 * DISK), 0);
	assert_int_equal(state_of(fd, 4 * DISK, &back), GPT_BACKUP_MISPLACED);
	/* A table that is not made to fit is not written. */
	assert_int_equal(gpt_write(fd, &back, true), -EINVAL);
	gpt_resize(&back, 4 * DISK);
	assert_true(gpt_largest_gap(&back, MIB, &first, &last));
	assert_int_equal(first, 2048);
	assert_int_equal(last, 4 * DISK / 512 - 34);
	int n = gpt_find_unused(&back);
	back.partitions[n] = back.partitions[0];
	back.partitions[n].first = first;
	back.partitions[n].last = last;
	assert_int_equal(gpt_write(fd, &back, true), 0);
	assert_int_equal(state_of(fd, 4 * DISK, &g), GPT_GOOD);
	assert_int_equal(g.partitions[0].first, 128);
	assert_int_equal(g.partitions[1].last, last);
	/* What is left is before the first partition. */
	assert_true(gpt_largest_gap(&g, 1, &first, &last));
	assert_int_equal(first, 1024);
	assert_int_equal(last, 2047);
}

static void power_cut(void **state)
{
	struct gpt g, back;
	_cleanup_close_ int fd = new_disk(DISK);
	_cleanup_close_ int done = new_disk(DISK);
	_cleanup_free_ uint8_t *old = malloc(DISK), *new = malloc(DISK), *half = malloc(DISK);
	(void)state;

	fill(&g, DISK, 512);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(io_pread_full(fd, old, DISK, 0), DISK);
	g.partitions[3] = g.partitions[0];
	g.partitions[3].first = 2048;
	g.partitions[3].last = 4095;
	assert_int_equal(gpt_write(done, &g, true), 0);
	assert_int_equal(io_pread_full(done, new, DISK, 0), DISK);
	/* Backup first, primary then: cut anywhere, one whole copy is found. */
	uint64_t backup = DISK - 33 * 512;
	for (uint64_t cut = 0; cut < 67 * 512; cut += 256) {
		memcpy(half, old, DISK);
		memcpy(half + backup, new + backup, MIN(cut, 33 * (uint64_t)512));
		if (cut > 33 * 512)
			memcpy(half + 1024, new + 1024, MIN(cut - 33 * 512, 32 * (uint64_t)512));
		assert_int_equal(io_pwrite_full(fd, half, DISK, 0), 0);
		enum gpt_state s = state_of(fd, DISK, &back);
		assert_true(s == GPT_GOOD || s == GPT_PRIMARY_ONLY || s == GPT_BACKUP_ONLY);
		assert_int_equal(back.partitions[0].first, 128);
	}
}

static void refuses_nonsense(void **state)
{
	struct gpt g;
	_cleanup_close_ int fd = new_disk(DISK);
	(void)state;

	fill(&g, DISK, 512);
	g.partitions[1] = g.partitions[0];
	assert_int_equal(gpt_write(fd, &g, true), -EEXIST);
	g.partitions[1].first = 2048;
	g.partitions[1].last = 2047;
	assert_int_equal(gpt_write(fd, &g, true), -ERANGE);
	g.partitions[1].last = DISK / 512;
	assert_int_equal(gpt_write(fd, &g, true), -ERANGE);
	fill(&g, 20 * 512, 512);
	assert_int_equal(gpt_write(fd, &g, true), -ENOSPC);
	fill(&g, DISK, 1024);
	assert_int_equal(gpt_check(&g), -EINVAL);
	/* Nothing was written by any of them. */
	assert_int_equal(state_of(fd, DISK, &g), GPT_NONE);
}

static void encoded_is_written(void **state)
{
	struct gpt g;
	_cleanup_free_ uint8_t *head = calloc(1, 64 * KIB), *tail = calloc(1, 64 * KIB), *disk = malloc(DISK);
	(void)state;

	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		_cleanup_close_ int fd = new_disk(DISK);
		fill(&g, DISK, sector);
		assert_int_equal(gpt_write(fd, &g, true), 0);
		assert_int_equal(gpt_encode(&g, head, tail), 0);
		assert_int_equal(io_pread_full(fd, disk, DISK, 0), DISK);
		assert_memory_equal(head, disk, gpt_head_size(&g));
		assert_memory_equal(tail, disk + DISK - gpt_tail_size(&g), gpt_tail_size(&g));
	}
	g.backup_lba--;
	assert_int_equal(gpt_encode(&g, head, tail), -EINVAL);
}

static void boot_record(void **state)
{
	struct gpt g;
	uint8_t m[512], again[512];
	_cleanup_close_ int fd = new_disk(DISK);
	(void)state;

	memset(m, 0x90, 440);
	memset(m + 440, 0, 72);
	assert_int_equal(io_pwrite_full(fd, m, 512, 0), 0);
	fill(&g, DISK, 512);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(io_pread_full(fd, again, 512, 0), 512);
	assert_memory_equal(m, again, 440);
	assert_int_equal(again[450], 0xee);
	assert_int_equal(le32_get(again + 454), 1);
	assert_int_equal(le32_get(again + 458), DISK / 512 - 1);
	/* The active flag survives; a hybrid record is left alone. */
	again[446] = 0x80;
	assert_int_equal(io_pwrite_full(fd, again, 512, 0), 0);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(io_pread_full(fd, m, 512, 0), 512);
	assert_memory_equal(m, again, 512);
	again[466] = 0x0c;
	assert_int_equal(io_pwrite_full(fd, again, 512, 0), 0);
	assert_int_equal(gpt_write(fd, &g, true), 0);
	assert_int_equal(io_pread_full(fd, m, 512, 0), 512);
	assert_memory_equal(m, again, 512);
}

static void gaps_of_odd_tables(void **state)
{
	struct gpt g;
	uint64_t first, last;
	(void)state;

	fill(&g, DISK, 512);
	/* Partitions that no tool would make must neither hang the search nor be overlapped by what it finds. */
	g.partitions[1] = g.partitions[2] = g.partitions[0];
	g.partitions[1].first = 0;
	g.partitions[1].last = 200;
	g.partitions[2].first = 4000;
	g.partitions[2].last = UINT64_MAX;
	assert_true(gpt_largest_gap(&g, 4096, &first, &last));
	assert_int_equal(first, 1024);
	assert_int_equal(last, 3999);
	g.partitions[2].first = 1;
	assert_false(gpt_largest_gap(&g, 4096, &first, &last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guids), cmocka_unit_test(round_trip), cmocka_unit_test(damage_is_told_apart), cmocka_unit_test(growing),
		cmocka_unit_test(power_cut), cmocka_unit_test(refuses_nonsense), cmocka_unit_test(boot_record), cmocka_unit_test(encoded_is_written), cmocka_unit_test(gaps_of_odd_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
