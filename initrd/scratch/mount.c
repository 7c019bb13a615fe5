/* SPDX-License-Identifier: MIT */
/* Checking, mounting, growing; see mount.h. */
#include "initrd/scratch/mount.h"
#include "common/io.h"
#include "initrd/scratch/probe.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

/* linux/ext4.h since 6.x only. */
#ifndef EXT4_IOC_RESIZE_FS
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
#endif

#define problem_say(p, ...) snprintf((p)->text, sizeof((p)->text), __VA_ARGS__)

/* e2fsck's exit code: 0 clean, 1 and 2 mended, from 4 on not mended. */
static errint_t check_scratch(const char *path, struct make_problem *problem)
{
	struct probe_ext4 ext4;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	errint_t r = fd < 0 ? -errno : probe_ext4(fd, 0, &ext4);

	if (r < 0) {
		problem_say(problem, "reading %s", path);
		return r;
	}
	if (ext4.clean)
		return 0;
	char *argv[] = { (char *)"e2fsck", (char *)"-p", (char *)path, NULL };
	int code = make_run(argv);
	if (code >= 0 && code < 4)
		return 0;
	problem_say(problem, "%s is damaged and e2fsck -p cannot mend it (exit code %d); run 'e2fsck -y %s' from a shell (spore.shell=yes)", path,
		    code, path);
	return -EUCLEAN;
}

errint_t mount_scratch(const char *path, const char *dir, struct make_problem *problem)
{
	errint_t r = check_scratch(path, problem);

	if (r < 0)
		return r;
	if (mount(path, dir, "ext4", MS_NOATIME, "") < 0) {
		r = -errno;
		problem_say(problem, "mounting %s on %s", path, dir);
	}
	return r;
}

errint_t mount_ram(const char *dir, uint64_t *ret_bytes, struct make_problem *problem)
{
	struct sysinfo info;

	*ret_bytes = 0;
	if (sysinfo(&info) == 0)
		*ret_bytes = (uint64_t)info.totalram * info.mem_unit / 100 * MOUNT_RAM_PERCENT;
	_cleanup_free_ char *options = io_format("mode=0755,nr_inodes=0,size=%d%%", MOUNT_RAM_PERCENT);
	if (!options)
		return -ENOMEM;
	if (mount("scratch", dir, "tmpfs", MS_NOATIME, options) == 0)
		return 0;
	errint_t r = -errno;
	problem_say(problem, "mounting a tmpfs on %s", dir);
	return r;
}

errint_t mount_grow(const char *dir, uint64_t partition_bytes, uint64_t *ret_bytes, bool *ret_grown, struct make_problem *problem)
{
	struct statfs st;

	*ret_grown = false;
	problem_say(problem, "looking at the file system on %s", dir);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &st) < 0)
		return -errno;
	uint64_t blocks = partition_bytes / (uint64_t)st.f_bsize, before = st.f_blocks;
	problem_say(problem, "growing the file system on %s", dir);
	if (ioctl(fd, EXT4_IOC_RESIZE_FS, &blocks) < 0)
		return -errno;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	*ret_bytes = partition_bytes;
	*ret_grown = st.f_blocks > before;
	return 0;
}

errint_t mount_free(const char *dir, uint64_t *ret_bytes)
{
	struct statfs st;

	if (statfs(dir, &st) < 0)
		return -errno;
	*ret_bytes = (uint64_t)st.f_bfree * (uint64_t)st.f_bsize;
	return 0;
}
