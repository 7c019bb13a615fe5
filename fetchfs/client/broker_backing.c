/* SPDX-License-Identifier: MIT */
/*
 * Passthrough: files that a worker has open are given to the kernel, which opens them anew with the supervisor's rights. Therefore only those that the worker could only
 * have got from the directories of caches. See broker.h.
 */
#include "fetchfs/client/broker_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef FUSE_DEV_IOC_BACKING_OPEN	/* linux/fuse.h since 6.9 */
struct fuse_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(229, 1, struct fuse_backing_map)
#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)
#endif

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* struct statx of linux/stat.h up to what is wanted: a C library may not know it yet. */
#define WANT_MOUNT 0x1000u
struct mount_stat {
	uint32_t mask, others[35];
	uint64_t mount;
	uint64_t more[13];
};
_Static_assert(offsetof(struct mount_stat, mount) == 0x90 && sizeof(struct mount_stat) == 0x100, "linux/stat.h");

/* The mount through which it was opened (Linux 5.8; passthrough is younger). False: it cannot be told. */
static bool mount_of(int fd, uint64_t *ret)
{
	struct mount_stat s = { .mask = 0 };

	if (fd < 0 || syscall(SYS_statx, fd, "", AT_EMPTY_PATH, WANT_MOUNT, &s) < 0 || !(s.mask & WANT_MOUNT))
		return false;
	*ret = s.mount;
	return true;
}

static bool is_on(int directory, uint64_t mount)
{
	uint64_t of_directory;

	return mount_of(directory, &of_directory) && of_directory == mount;
}

static bool is_cached(const struct broker *b, int fd)
{
	uint64_t mount;

	if (!mount_of(fd, &mount))
		return false;
	for (size_t i = 0; i < b->count; i++)
		if (b->files[i].is_directory && is_on(b->files[i].fd, mount))
			return true;
	return is_on(b->cache, mount) || is_on(b->ram_fd, mount);
}

static bool may_be_passed(const struct broker *b, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat s;

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_PATH) && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && is_cached(b, fd);
}

int broker_backing_open(struct broker *b, int fd)
{
	struct fuse_backing_map map = { .fd = fd };
	int number;

	if (!may_be_passed(b, fd))
		return -EPERM;
	if (b->backings >= BROKER_BACKINGS_MAX)
		return -EMFILE;
	number = ioctl(b->device, FUSE_DEV_IOC_BACKING_OPEN, &map);
	if (number < 0)
		return -errno;
	b->backings++;
	return number;
}

errint_t broker_backing_close(struct broker *b, uint32_t number)
{
	if (ioctl(b->device, FUSE_DEV_IOC_BACKING_CLOSE, &number) < 0)
		return -errno;
	b->backings--;
	return 0;
}
