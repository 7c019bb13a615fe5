/* SPDX-License-Identifier: MIT */
/*
 * A root directory with nothing in it: for a process that stays root's without capabilities, and whom files of root's would obey. What it needs it has open. Names of hosts
 * are still looked up, so the two files for that are copied; of /proc there is a view of its own without anything to set. See sandbox.h.
 */
#include "fetchfs/client/sandbox.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* linux/mount.h, which older systems lack. */
#define CONFIG_SET_STRING 1
#define CONFIG_CREATE 6
#define FLAG_CLOEXEC 1
#define ATTRIBUTES (0x2 | 0x4 | 0x8)	/* nosuid, nodev, noexec */
#define READ_ONLY 0x1

#define TREE_CLONE 1
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef SYS_open_tree	/* one number for all architectures */
#define SYS_open_tree 428
#endif

#define COPY_MAX (64 * KIB)

static int proc_fd = -1;

/* A file system that is mounted nowhere and ends with its last descriptor. Linux 5.2. */
static errint_t make_mount(const char *type, const char *key, const char *value, unsigned attributes, int *ret_fd)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, type, FLAG_CLOEXEC);
	_cleanup_close_ int mount = -1;

	if (fs < 0 || syscall(SYS_fsconfig, fs, CONFIG_SET_STRING, key, value, 0) < 0 || syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = (int)syscall(SYS_fsmount, fs, FLAG_CLOEXEC, ATTRIBUTES | attributes);
	if (mount < 0)
		return -errno;
	*ret_fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* One that is not there is not there in the copy either. */
static errint_t copy(int root, const char *path)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	errint_t r = io_read_file(path, COPY_MAX, &text, &size);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	fd = openat(root, path + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : io_write_full(fd, text, size);
}

errint_t sandbox_hide_files(void)
{
	_cleanup_close_ int root = -1, proc = -1;
	errint_t r = make_mount("tmpfs", "size", "1m", 0, &root);

	if (r == 0)
		r = make_mount("proc", "subset", "pid", READ_ONLY, &proc);
	if (r == 0 && mkdirat(root, "etc", 0555) < 0)
		r = -errno;
	if (r == 0)
		r = copy(root, "/etc/resolv.conf");
	if (r == 0)
		r = copy(root, "/etc/hosts");
	if (r == 0 && (fchdir(root) < 0 || chroot(".") < 0))
		r = -errno;
	if (r == 0)
		proc_fd = steal_fd(&proc);
	return r;
}

errint_t sandbox_detach(int directory, int *ret_fd)
{
	_cleanup_close_ int tree = (int)syscall(SYS_open_tree, directory, "", (unsigned)(AT_EMPTY_PATH | TREE_CLONE | O_CLOEXEC));

	if (tree < 0)
		return -errno;
	/* As what fsmount gives, it can be looked into but not read. */
	*ret_fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

bool sandbox_is_detached(int directory)
{
	struct stat inside, above;

	return fstat(directory, &inside) == 0 && fstatat(directory, "..", &above, 0) == 0 && inside.st_dev == above.st_dev && inside.st_ino == above.st_ino;
}

bool sandbox_hides_files(void)
{
	return proc_fd >= 0;
}

int sandbox_open_proc(const char *path)
{
	char whole[64];

	if (proc_fd >= 0)
		return openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	snprintf(whole, sizeof(whole), "/proc/%s", path);
	return open(whole, O_RDONLY | O_CLOEXEC);
}
