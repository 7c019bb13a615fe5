/* SPDX-License-Identifier: MIT */
/*
 * A cache in memory: a tmpfs of this program's own that is mounted nowhere and goes with it. Who may not make one gets a directory in /dev/shm, which is
 * removed at the end; what a killed program left there is removed by the next. Knows tmpfs; what goes into it is the same as on a disk.
 */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define SHARED_MEMORY "/dev/shm"
#define PREFIX "fetchfs-"
#define DEFAULT_PERCENT 25	/* of the memory */
#define OVERHEAD_BYTES (4 * MIB)
#define MAX_DEPTH 4

/* linux/mount.h, which older systems lack. */
#define RAM_CONFIG_SET_STRING 1
#define RAM_CONFIG_CREATE 6
#define RAM_CLOEXEC 1
#define RAM_ATTRIBUTES (0x2 | 0x4 | 0x8)	/* nosuid, nodev, noexec */

static errint_t configure(int fs, const char *key, const char *value)
{
	long command = key ? RAM_CONFIG_SET_STRING : RAM_CONFIG_CREATE;

	return syscall(SYS_fsconfig, fs, command, key, value, 0) < 0 ? -errno : 0;
}

/* Linux 5.2; CAP_SYS_ADMIN. */
static errint_t make_mount(uint64_t size, int *ret_fd)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "tmpfs", RAM_CLOEXEC);
	_cleanup_close_ int mount = -1;
	char text[24];
	errint_t r;

	if (fs < 0)
		return -errno;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	r = configure(fs, "size", text);
	if (r == 0)
		r = configure(fs, "mode", "0700");
	if (r == 0)
		r = configure(fs, NULL, NULL);
	if (r < 0)
		return r;
	mount = (int)syscall(SYS_fsmount, fs, RAM_CLOEXEC, RAM_ATTRIBUTES);
	if (mount < 0)
		return -errno;
	/* What fsmount gives can be looked into, but not read. */
	*ret_fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* A cache is not deep. */
static void remove_all(int dir, const char *name, unsigned depth)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0 && depth > 0)
			remove_all(fd, e->d_name, depth - 1);
	}
	if (d)
		closedir(d);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

/* Whoever uses one holds its lock. */
static bool is_left_over(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat s;

	return fd >= 0 && fstat(fd, &s) == 0 && s.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_left_overs(void)
{
	int fd = open(SHARED_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 && is_left_over(fd, e->d_name))
			remove_all(fd, e->d_name, MAX_DEPTH);
	if (d)
		closedir(d);
}

static errint_t make_directory(char **ret_path, int *ret_fd)
{
	_cleanup_free_ char *path = strdup(SHARED_MEMORY "/" PREFIX "XXXXXX");
	_cleanup_close_ int fd = -1;
	struct statfs s;

	if (!path)
		return -ENOMEM;
	if (statfs(SHARED_MEMORY, &s) < 0)
		return -errno;
	/* A directory on a disk would not be what was asked for. */
	if (s.f_type != TMPFS_MAGIC && s.f_type != RAMFS_MAGIC)
		return -EPERM;
	remove_left_overs();
	if (!mkdtemp(path))
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0) {
		(void)rmdir(path);
		return -errno;
	}
	*ret_path = steal_ptr(path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

uint64_t cache_ram_quota(const struct cache_config *config)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	unsigned percent = config->quota_percent ? config->quota_percent : DEFAULT_PERCENT;

	if (config->quota)
		return config->quota;
	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 100 * percent : GIB;
}

errint_t cache_ram_make(uint64_t quota, char **ret_path, int *ret_fd)
{
	errint_t r = make_mount(quota + quota / 8 + OVERHEAD_BYTES, ret_fd);

	return r == 0 ? 0 : make_directory(ret_path, ret_fd);
}

void cache_ram_remove(char *path)
{
	if (path)
		remove_all(AT_FDCWD, path, MAX_DEPTH);
	free(path);
}
