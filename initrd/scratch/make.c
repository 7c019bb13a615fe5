/* SPDX-License-Identifier: MIT */
/* Partition, file system, label; see make.h. */
#include "initrd/scratch/make.h"
#include "common/io.h"
#include "initrd/scratch/probe.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sodium.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define problem_say(p, ...) snprintf((p)->text, sizeof((p)->text), __VA_ARGS__)

int make_run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_block_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

/* Tells the kernel of one partition without reading the table again, which it refuses while another partition is in use. */
static errint_t kernel_partition(int fd, int operation, uint32_t number, uint64_t offset, uint64_t bytes)
{
	struct blkpg_partition part = { .start = (long long)offset, .length = (long long)bytes, .pno = (int)number };
	struct blkpg_ioctl_arg arg = { .op = operation, .datalen = sizeof(part), .data = &part };

	if (!is_block_device(fd) || ioctl(fd, BLKPG, &arg) == 0)
		return 0;
	/* Already there, with this place or another: then only the whole table will do. */
	int error = errno;
	if (operation == BLKPG_ADD_PARTITION && error == EBUSY && ioctl(fd, BLKRRPART) == 0)
		return 0;
	return -error;
}

static errint_t guid_random(struct gpt_guid *ret)
{
	uint8_t bytes[16];

	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(bytes, sizeof(bytes));
	gpt_guid_from_bytes(bytes, ret);
	/* Random, and so version 4. */
	ret->bytes[7] = (uint8_t)((bytes[7] & 0x0f) | 0x40);
	return 0;
}

/* The table as it will be: that of the disk at today's size, or a new one, with the partition of the place in it. */
static errint_t table_with_partition(int fd, struct disk *d, struct place *place, uint64_t limit, struct gpt *g)
{
	enum gpt_state state;
	struct gpt_guid id;
	uint64_t first, last;
	errint_t r = guid_random(&id);

	if (r < 0)
		return r;
	if (place->verdict == PLACE_GAP) {
		if ((r = gpt_read(fd, d->bytes, d->sector_size, g, &state)) < 0)
			return r;
		gpt_resize(g, d->bytes);
	} else {
		gpt_init(g, d->bytes, d->sector_size, &id);
	}
	int n = gpt_find_unused(g);
	if (n < 0 || !gpt_largest_gap(g, SCRATCH_ALIGNMENT, &first, &last))
		return -ENOSPC;
	uint64_t sectors = MIN(last + 1 - first, limit ? limit / d->sector_size : UINT64_MAX);
	/* Whole mebibytes, so that a later growth starts where a file system block does. */
	sectors -= sectors % (SCRATCH_ALIGNMENT / d->sector_size);
	if (sectors * d->sector_size < SCRATCH_MIN / 2)
		return -ENOSPC;
	struct gpt_partition *p = &g->partitions[n];
	*p = (struct gpt_partition){ .first = first, .last = first + sectors - 1, .name = GPT_NAME_SCRATCH };
	if ((r = gpt_guid_parse(GPT_TYPE_SCRATCH, &p->type)) < 0 || (r = guid_random(&p->id)) < 0)
		return r;
	place->partition = (uint32_t)n + 1;
	place->offset = first * d->sector_size;
	place->bytes = sectors * d->sector_size;
	return 0;
}

static errint_t make_partition(struct disk *d, struct place *place, uint64_t limit, struct make_problem *problem)
{
	_cleanup_free_ struct gpt *g = malloc(sizeof(*g));
	_cleanup_close_ int fd = disk_open(d, O_RDWR);
	errint_t r = fd < 0 ? fd : g ? table_with_partition(fd, d, place, limit, g) : -ENOMEM;

	if (r == 0)
		r = gpt_write(fd, g, true);
	if (r < 0) {
		problem_say(problem, "writing the partition table of /dev/%s", d->name);
		return r;
	}
	r = kernel_partition(fd, BLKPG_ADD_PARTITION, place->partition, place->offset, place->bytes);
	if (r < 0)
		problem_say(problem, "telling the kernel of partition %u on /dev/%s", place->partition, d->name);
	return r;
}

errint_t make_ready(const struct plan *plan, const struct place *place, struct make_problem *problem)
{
	struct disk *d = &plan->disks.list[place->disk];
	char name[DISK_NAME_SIZE];
	enum gpt_state state;

	if (!place->partition)
		return 0;
	disk_partition_name(d->name, place->partition, name);
	_cleanup_free_ char *path = disk_path(name);
	_cleanup_free_ struct gpt *g = malloc(sizeof(*g));
	_cleanup_close_ int fd = disk_open(d, O_RDWR);
	if (fd >= 0 && (!is_block_device(fd) || (path && access(path, F_OK) == 0)))
		return 0;
	problem_say(problem, "mending the partition table of /dev/%s", d->name);
	errint_t r = fd < 0 ? fd : g && path ? gpt_read(fd, d->bytes, d->sector_size, g, &state) : -ENOMEM;
	if (r < 0)
		return r;
	if (state != GPT_BACKUP_ONLY)
		return -ENXIO;
	/* The table was being made, or its first copy was damaged: the second is whole. */
	gpt_resize(g, d->bytes);
	r = gpt_write(fd, g, true);
	return r < 0 ? r : kernel_partition(fd, BLKPG_ADD_PARTITION, place->partition, place->offset, place->bytes);
}

/* mke2fs on the partition's own node, or, where the disk is a regular file, at the place in it. */
static errint_t make_file_system(struct disk *d, const struct place *place, struct make_problem *problem)
{
	char name[DISK_NAME_SIZE], size[32];

	_cleanup_close_ int fd = disk_open(d, O_RDWR);
	if (fd < 0) {
		problem_say(problem, "opening /dev/%s", d->name);
		return fd;
	}
	bool whole = is_block_device(fd) && place->partition;
	if (place->partition)
		disk_partition_name(d->name, place->partition, name);
	_cleanup_free_ char *path = disk_path(whole ? name : d->name);
	_cleanup_free_ char *extended = io_format("lazy_itable_init=1,lazy_journal_init=1,nodiscard,offset=%llu",
						  (unsigned long long)(whole ? 0 : place->offset));
	snprintf(size, sizeof(size), "%lluk", (unsigned long long)(place->bytes / KIB));
	if (!path || !extended)
		return -ENOMEM;
	char *argv[] = { (char *)"mke2fs", (char *)"-q", (char *)"-F", (char *)"-t", (char *)"ext4", (char *)"-b", (char *)"4096",
			 (char *)"-I", (char *)"256", (char *)"-i", (char *)"16384", (char *)"-m", (char *)"1", (char *)"-O",
			 (char *)"none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,"
				 "dir_nlink,extra_isize,metadata_csum,64bit",
			 (char *)"-E", extended, path, size, NULL };
	int code = make_run(argv);
	if (code == 0)
		return 0;
	problem_say(problem, "mke2fs on %s failed (exit code %d)", path, code);
	return code < 0 ? code : -EIO;
}

errint_t make_scratch(const struct plan *plan, struct place *place, uint64_t limit, struct make_problem *problem)
{
	struct disk *d = &plan->disks.list[place->disk];
	errint_t r = 0;

	problem->text[0] = '\0';
	if (place->verdict == PLACE_DISK || place->verdict == PLACE_GAP)
		r = make_partition(d, place, limit, problem);
	if (r == 0)
		r = make_ready(plan, place, problem);
	if (r == 0)
		r = make_file_system(d, place, problem);
	if (r < 0)
		return r;
	/* The label makes it scratch: last, when all else is on the disk. */
	char name[DISK_NAME_SIZE];
	_cleanup_close_ int disk_fd = disk_open(d, O_RDWR);
	uint64_t offset = place->offset;
	_cleanup_close_ int part_fd = -1;
	if (disk_fd >= 0 && is_block_device(disk_fd) && place->partition) {
		disk_partition_name(d->name, place->partition, name);
		_cleanup_free_ char *path = disk_path(name);
		part_fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
		offset = 0;
	}
	int fd = part_fd >= 0 ? part_fd : disk_fd;
	r = fd < 0 ? -EIO : fsync(fd) < 0 ? -errno : probe_ext4_set_label(fd, offset, SCRATCH_LABEL);
	if (r < 0) {
		problem_say(problem, "labelling the new file system on /dev/%s", d->name);
		return r;
	}
	place->verdict = PLACE_FOUND;
	return 0;
}

/* The sector behind the last that the partition may have: the next partition's first, or the end of what is usable. */
static uint64_t room_end(const struct gpt *g, int n)
{
	uint64_t end = g->last_usable + 1;

	for (int i = 0; i < GPT_ENTRIES; i++)
		if (i != n && !gpt_guid_is_zero(&g->partitions[i].type) && g->partitions[i].first > g->partitions[n].last)
			end = MIN(end, g->partitions[i].first);
	return end;
}

errint_t make_larger(const struct plan *plan, struct place *place, uint64_t limit, bool *ret_grown, struct make_problem *problem)
{
	struct disk *d = &plan->disks.list[place->disk];
	_cleanup_free_ struct gpt *g = malloc(sizeof(*g));
	_cleanup_close_ int fd = disk_open(d, O_RDWR);
	enum gpt_state state;
	int n = (int)place->partition - 1;

	*ret_grown = false;
	problem_say(problem, "reading the partition table of /dev/%s", d->name);
	errint_t r = fd < 0 ? fd : g ? gpt_read(fd, d->bytes, d->sector_size, g, &state) : -ENOMEM;
	if (r < 0)
		return r;
	/* Only tables that are whole, and only a partition that is ours. */
	if ((state != GPT_GOOD && state != GPT_BACKUP_MISPLACED) || n < 0 || n >= GPT_ENTRIES || strcmp(g->partitions[n].name, GPT_NAME_SCRATCH) != 0)
		return 0;
	/* What the partition grows into must be nobody's: zero, but for the backup table that is ours. */
	uint64_t array = (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE, old_end = (g->backup_lba + 1) * d->sector_size;
	struct probe_hole old = { .first = old_end - d->sector_size - array, .end = old_end };
	gpt_resize(g, d->bytes);
	struct gpt_partition *p = &g->partitions[n];
	uint64_t unit = SCRATCH_ALIGNMENT / d->sector_size, sectors = room_end(g, n) - p->first;
	sectors = MIN(sectors, limit ? limit / d->sector_size : UINT64_MAX);
	sectors -= sectors % unit;
	if (sectors <= p->last + 1 - p->first)
		return 0;
	uint64_t at, first = (p->last + 1) * d->sector_size, end = room_end(g, n) * d->sector_size;
	if (room_end(g, n) == g->last_usable + 1)
		end = d->bytes;
	if ((r = probe_zero(fd, first, end - first, &old, &at)) < 0)
		return r;
	if (at != UINT64_MAX) {
		problem_say(problem, "the room behind /dev/%s's scratch is not empty (data at byte %llu)", d->name, (unsigned long long)at);
		return -EEXIST;
	}
	p->last = p->first + sectors - 1;
	problem_say(problem, "writing the partition table of /dev/%s", d->name);
	if ((r = gpt_write(fd, g, true)) < 0)
		return r;
	place->bytes = sectors * d->sector_size;
	problem_say(problem, "telling the kernel of the larger partition on /dev/%s", d->name);
	if ((r = kernel_partition(fd, BLKPG_RESIZE_PARTITION, place->partition, place->offset, place->bytes)) < 0)
		return r;
	*ret_grown = true;
	return 0;
}
