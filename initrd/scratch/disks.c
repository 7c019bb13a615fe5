/* SPDX-License-Identifier: MIT */
/* Disks from sysfs; see disks.h. */
#include "initrd/scratch/disks.h"
#include "common/io.h"
#include "common/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Names that no scratch is ever made on. */
static const struct {
	const char *prefix, *what;
} unfit[] = {
	{ "loop", "a loop device" }, { "ram", "a RAM disk" }, { "zram", "compressed memory" }, { "sr", "a CD drive" }, { "fd", "a floppy drive" },
	{ "dm-", "made of other disks" }, { "md", "made of other disks" }, { "mtd", "flash memory" }, { "nbd", "a network block device" },
	{ "drbd", "made of other disks" }, { "ubi", "flash memory" }, { "mmcblk0boot", "firmware" },
};

const char *disks_root(void)
{
	const char *root = getenv("SPORE_ROOT");

	return root ? root : "";
}

char *disk_path(const char *name)
{
	return io_format("%s/dev/%s", disks_root(), name);
}

void disk_partition_name(const char *disk, uint32_t number, char ret[DISK_NAME_SIZE])
{
	size_t length = strlen(disk);
	bool digit = length && disk[length - 1] >= '0' && disk[length - 1] <= '9';

	snprintf(ret, DISK_NAME_SIZE, "%.*s%s%u", DISK_NAME_SIZE - 13, disk, digit ? "p" : "", number);
}

/* A number from an attribute of sysfs; 0 where it is missing or none. */
static uint64_t attribute(const char *device, const char *name)
{
	_cleanup_free_ char *path = io_format("%s/sys/block/%s/%s", disks_root(), device, name);
	char text[64];
	uint64_t value;

	/* Files of sysfs claim to be a page long: what is read counts. */
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return parse_number(text, 0, UINT64_MAX, &value) < 0 ? 0 : value;
}

static void add_partition(struct disk *d, const char *name)
{
	_cleanup_free_ char *device = io_format("%s/%s", d->name, name);

	if (!device || d->partition_count == DISK_PARTITIONS_MAX || strlen(name) >= DISK_NAME_SIZE)
		return;
	uint64_t number = attribute(device, "partition"), first = attribute(device, "start"), sectors = attribute(device, "size");
	if (number == 0 || number > UINT32_MAX || first > UINT64_MAX / 512 || sectors > UINT64_MAX / 512)
		return;
	struct disk_partition *p = &d->partitions[d->partition_count++];
	*p = (struct disk_partition){ .number = (uint32_t)number, .first = first * 512, .bytes = sectors * 512 };
	snprintf(p->name, sizeof(p->name), "%.*s", DISK_NAME_SIZE - 1, name);
}

static void read_partitions(struct disk *d)
{
	_cleanup_free_ char *path = io_format("%s/sys/block/%s", disks_root(), d->name);
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (strncmp(e->d_name, d->name, strlen(d->name)) == 0)
			add_partition(d, e->d_name);
	closedir(dir);
}

static void read_disk(struct disk *d, const char *name)
{
	*d = (struct disk){ .sector_size = 512 };
	snprintf(d->name, sizeof(d->name), "%.*s", DISK_NAME_SIZE - 1, name);
	uint64_t sectors = attribute(name, "size");
	d->bytes = sectors > UINT64_MAX / 512 ? 0 : sectors * 512;
	d->read_only = attribute(name, "ro");
	d->removable = attribute(name, "removable");
	for (size_t i = 0; i < ARRAY_SIZE(unfit) && !d->unfit; i++)
		if (strncmp(name, unfit[i].prefix, strlen(unfit[i].prefix)) == 0)
			d->unfit = unfit[i].what;
	if (!d->unfit && d->bytes == 0)
		d->unfit = "empty drive";
	if (!d->unfit)
		read_partitions(d);
}

static int by_name(const void *a, const void *b)
{
	const struct disk *x = a, *y = b;
	size_t l = strlen(x->name), m = strlen(y->name);

	return l != m ? (l < m ? -1 : 1) : strcmp(x->name, y->name);
}

errint_t disks_read(struct disks *ret)
{
	_cleanup_free_ char *path = io_format("%s/sys/block", disks_root());
	const struct dirent *e;

	*ret = (struct disks){ 0 };
	DIR *dir = path ? opendir(path) : NULL;
	if (!dir)
		return path ? -errno : -ENOMEM;
	while ((e = readdir(dir)) && ret->count < DISKS_MAX) {
		if (e->d_name[0] == '.' || strlen(e->d_name) >= DISK_NAME_SIZE - 12)
			continue;
		struct disk *list = realloc(ret->list, (ret->count + 1) * sizeof(*list));
		if (!list) {
			closedir(dir);
			disks_done(ret);
			return -ENOMEM;
		}
		ret->list = list;
		read_disk(&list[ret->count++], e->d_name);
	}
	closedir(dir);
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), by_name);
	return 0;
}

void disks_done(struct disks *d)
{
	free(d->list);
	*d = (struct disks){ 0 };
}

int disk_open(struct disk *d, int flags)
{
	_cleanup_free_ char *path = disk_path(d->name);
	struct stat st;

	if (!path)
		return -ENOMEM;
	_cleanup_close_ int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode)) {
		int sector = 512;
		if (ioctl(fd, BLKGETSIZE64, &d->bytes) < 0 || ioctl(fd, BLKSSZGET, &sector) < 0)
			return -errno;
		d->sector_size = (uint32_t)sector;
	} else if (S_ISREG(st.st_mode)) {
		d->bytes = (uint64_t)st.st_size;
	} else {
		return -ENOTBLK;
	}
	return steal_fd(&fd);
}
