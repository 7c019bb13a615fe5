/* SPDX-License-Identifier: MIT */
/*
 * Volumes that may hold a seed: one pass over /sys/class/block, labels read by label.c, mounted with mount(2) read-only. Where
 * $SPORE_ROOT is set (tests) a directory /dev/NAME.mounted stands for what mounting NAME would show.
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define VOLUMES_MAX_DEVICES 512

static const char *const volumes_wanted[] = { "cidata", "config-2" };

/* Devices that never hold a seed. */
static bool volumes_is_ignored(const char *name)
{
	static const char *const prefix[] = { "ram", "loop", "zram", "nbd", "dm-", "md", "." };

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strncmp(name, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return strlen(name) >= VOLUME_NAME_MAX;
}

/* Reading a drive without a disc costs time, and the kernel complains on the console about every sector. */
static bool volumes_drive_is_empty(int fd)
{
	int status = ioctl(fd, CDROM_DRIVE_STATUS, CDSL_CURRENT);

	return status == CDS_NO_DISC || status == CDS_TRAY_OPEN;
}

static void volumes_try(struct finder *f, const char *name)
{
	_cleanup_free_ char *path = NULL, *full = NULL;
	_cleanup_close_ int fd = -1;
	struct volume v = { .name = "" };

	snprintf(v.name, sizeof v.name, "%s", name);
	path = io_format("/dev/%s", name);
	full = path ? ctx_path(path) : NULL;
	/* O_NONBLOCK: an empty CD drive must not make us wait. */
	fd = full ? open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0 || volumes_drive_is_empty(fd) || label_read(fd, &v.label) < 0 || f->volumes.count >= VOLUMES_MAX)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(volumes_wanted); i++)
		if (strcasecmp(v.label.label, volumes_wanted[i]) == 0)
			f->volumes.item[f->volumes.count++] = v;
}

/* CDs first, then names in order: the same machine gives the same answer every time. */
static int volumes_compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	bool cd_x = strncmp(x, "sr", 2) == 0, cd_y = strncmp(y, "sr", 2) == 0;

	return cd_x != cd_y ? (cd_x ? -1 : 1) : strcmp(x, y);
}

void volumes_read(struct finder *f)
{
	_cleanup_free_ char *dir = ctx_path("/sys/class/block");
	char *names[VOLUMES_MAX_DEVICES];
	size_t count = 0;
	struct dirent *e;
	DIR *d = dir ? opendir(dir) : NULL;

	f->volumes.count = 0;
	f->volumes_read = true;
	if (!d)
		return;
	while ((e = readdir(d)) && count < VOLUMES_MAX_DEVICES)
		if (!volumes_is_ignored(e->d_name) && (names[count] = strdup(e->d_name)))
			count++;
	closedir(d);
	qsort(names, count, sizeof *names, volumes_compare);
	for (size_t i = 0; i < count; i++) {
		volumes_try(f, names[i]);
		free(names[i]);
	}
}

const struct volume *volumes_find(struct finder *f, const char *label)
{
	if (!f->volumes_read)
		volumes_read(f);
	for (size_t i = 0; i < f->volumes.count; i++)
		if (strcasecmp(f->volumes.item[i].label.label, label) == 0)
			return &f->volumes.item[i];
	return NULL;
}

errint_t volume_mount(struct finder *f, const struct volume *v, struct mounted *ret)
{
	_cleanup_free_ char *device = io_format("/dev/%s", v->name), *full = device ? ctx_path(device) : NULL;
	_cleanup_free_ char *instead = full ? io_format("%s.mounted", full) : NULL;
	struct stat st;
	errint_t r;

	if (!instead)
		return -ENOMEM;
	if (getenv("SPORE_ROOT") && stat(instead, &st) == 0 && S_ISDIR(st.st_mode)) {
		ret->dir = steal_ptr(instead);
		ret->mounted = false;
		return 0;
	}
	ret->dir = ctx_path("/run/spore/seed");
	if (!ret->dir)
		return -ENOMEM;
	r = io_mkdir_p(ret->dir, 0700);
	if (r == 0 && mount(full, ret->dir, v->label.filesystem, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		r = -errno;
	ret->mounted = r == 0;
	if (r < 0) {
		finder_problem(f, "cannot mount %s (%s, label %s): %s", full, v->label.filesystem, v->label.label, strerror(-r));
		rmdir(ret->dir);
		free(steal_ptr(ret->dir));
	}
	return r;
}

void volume_unmount(struct mounted *m)
{
	if (m->mounted) {
		umount2(m->dir, MNT_DETACH);
		rmdir(m->dir);
	}
	free(m->dir);
	*m = (struct mounted){ .dir = NULL };
}

errint_t volume_file(const char *dir, const char *name, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *path = io_format("%s/%s", dir, name);
	errint_t r = path ? io_read_file(path, CONTEXT_MAX_BLOB, ret, ret_size) : -ENOMEM;

	return r == -ENOTDIR ? -ENOENT : r;
}
