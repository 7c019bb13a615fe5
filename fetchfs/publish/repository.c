/* SPDX-License-Identifier: MIT */
/* A repository on a local disk; see repository.h. */
#include "fetchfs/publish/repository.h"
#include "common/io.h"
#include "fetchfs/format/manifest.h"
#include "fetchfs/format/object.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TMP "tmp"
#define LOCK "lock"
#define NAME_SIZE 64

/* Empty, or not there yet. */
static errint_t check_unused(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	errint_t r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = -EEXIST;
	closedir(d);
	return r;
}

errint_t repository_create(const char *path, struct trouble *t)
{
	static const char *const directories[] = { OBJECT_DIRECTORY, REPOSITORY_HISTORY, TMP };
	errint_t r = check_unused(path);

	if (r == -EEXIST)
		return trouble_set(t, r, EXIT_CANNOT_CREATE, "cannot make a repository in %s: it is not empty; name a new directory", path);
	if (r == 0)
		r = io_mkdir_p(path, 0777);
	if (r < 0)
		return trouble_errno(t, r, "cannot make the repository %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *name = io_format("%s/%s", path, directories[i]);
		r = name ? io_mkdir_p(name, 0777) : -ENOMEM;
		if (r < 0)
			return trouble_errno(t, r, "cannot make the directory %s/%s", path, directories[i]);
	}
	return 0;
}

static errint_t clean_tmp(struct repository *r)
{
	int fd;
	DIR *d;
	struct dirent *e;

	if (mkdirat(r->fd, TMP, 0777) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(r->fd, TMP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	/* What cannot be removed is in nobody's way. */
	while ((e = readdir(d)))
		unlinkat(fd, e->d_name, 0);
	closedir(d);
	return 0;
}

static errint_t take_lock(struct repository *r, struct trouble *t)
{
	r->lock = openat(r->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (r->lock < 0)
		return trouble_errno(t, -errno, "cannot open the lock %s/" LOCK, r->path);
	if (flock(r->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return trouble_set(t, -EBUSY, EXIT_UNAVAILABLE, "the repository %s is being changed by another program; try again when it is done",
				   r->path);
	return trouble_errno(t, -errno, "cannot lock the repository %s", r->path);
}

static errint_t open_locked(const char *path, struct repository *ret, struct trouble *t)
{
	errint_t r;

	ret->path = path;
	ret->lock = -1;
	atomic_init(&ret->serial, 0);
	ret->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0)
		return trouble_errno(t, -errno, "cannot open the repository %s", path);
	r = take_lock(ret, t);
	if (r < 0)
		repository_close(ret);
	return r;
}

errint_t repository_open_new(const char *path, struct repository *ret, struct trouble *t)
{
	return open_locked(path, ret, t);
}

errint_t repository_open(const char *path, bool clean, struct repository *ret, struct trouble *t)
{
	_cleanup_free_ char *keyring = io_format("%s/" KEYRING_FILE, path);
	errint_t r;

	if (!keyring)
		return -ENOMEM;
	/* Before the lock, so that no file is made in a directory that is no repository. */
	if (access(keyring, F_OK) < 0)
		return trouble_set(t, -ENOENT, EXIT_NO_INPUT, "%s is no repository: it has no " KEYRING_FILE " ('fetchfs init' makes one)", path);
	r = open_locked(path, ret, t);
	if (r < 0 || !clean)
		return r;
	r = clean_tmp(ret);
	if (r < 0) {
		trouble_errno(t, r, "cannot clean %s/" TMP, path);
		repository_close(ret);
	}
	return r;
}

void repository_close(struct repository *r)
{
	if (r->lock >= 0)
		close(steal_fd(&r->lock));
	if (r->fd >= 0)
		close(steal_fd(&r->fd));
}

errint_t repository_find_object(struct repository *r, const struct digest *d, uint64_t size, uint32_t *ret_stored_size)
{
	char path[OBJECT_PATH_SIZE];
	_cleanup_free_ char *stored = NULL;
	_cleanup_free_ void *data = NULL;
	size_t stored_size;
	errint_t e;

	object_path(d, path);
	/* Most objects are new: one look at the name settles that. */
	if (faccessat(r->fd, path, F_OK, 0) < 0)
		return -ENOENT;
	e = io_read_file_at(r->fd, path, (size_t)(2 * OBJECT_MAX_SIZE), &stored, &stored_size);
	if (e == 0)
		e = object_unpack(d, stored, stored_size, size, &data);
	if (e == -ENOMEM)
		return e;
	if (e < 0)
		return -ENOENT;
	*ret_stored_size = (uint32_t)stored_size;
	return 0;
}

static errint_t write_tmp(struct repository *r, char tmp[NAME_SIZE], const void *data, size_t size, bool sync)
{
	_cleanup_close_ int fd = -1;
	errint_t e;

	snprintf(tmp, NAME_SIZE, TMP "/%ld-%u", (long)getpid(), atomic_fetch_add(&r->serial, 1));
	fd = openat(r->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	e = io_write_full(fd, data, size);
	if (e == 0 && sync && fsync(fd) < 0)
		e = -errno;
	if (close(steal_fd(&fd)) < 0 && e == 0)
		e = -errno;
	if (e < 0)
		unlinkat(r->fd, tmp, 0);
	return e;
}

static errint_t move_tmp(struct repository *r, const char *tmp, const char *path)
{
	if (renameat(r->fd, tmp, r->fd, path) == 0)
		return 0;
	if (errno == ENOENT) {
		/* The first object of its directory. */
		_cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
		if (!directory)
			return -ENOMEM;
		if (mkdirat(r->fd, directory, 0777) < 0 && errno != EEXIST)
			return -errno;
		if (renameat(r->fd, tmp, r->fd, path) == 0)
			return 0;
	}
	return -errno;
}

errint_t repository_put_object(struct repository *r, const struct digest *d, const void *stored, size_t stored_size)
{
	char path[OBJECT_PATH_SIZE], tmp[NAME_SIZE];
	errint_t e;

	object_path(d, path);
	e = write_tmp(r, tmp, stored, stored_size, false);
	if (e < 0)
		return e;
	e = move_tmp(r, tmp, path);
	if (e < 0)
		unlinkat(r->fd, tmp, 0);
	return e;
}

int repository_open_temporary(struct repository *r)
{
	char tmp[NAME_SIZE];
	int fd;

	snprintf(tmp, NAME_SIZE, TMP "/%ld-%u", (long)getpid(), atomic_fetch_add(&r->serial, 1));
	fd = openat(r->fd, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(r->fd, tmp, 0);
	return fd;
}

errint_t repository_sync(struct repository *r)
{
	return syncfs(r->fd) < 0 ? -errno : 0;
}

static errint_t sync_directory(struct repository *r, const char *name)
{
	_cleanup_close_ int fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

errint_t repository_put_text(struct repository *r, const char *name, const void *data, size_t size)
{
	char tmp[NAME_SIZE];
	bool below = strchr(name, '/');
	errint_t e = write_tmp(r, tmp, data, size, true);

	if (e < 0)
		return e;
	e = renameat(r->fd, tmp, r->fd, name) < 0 ? -errno : 0;
	if (e < 0) {
		unlinkat(r->fd, tmp, 0);
		return e;
	}
	return sync_directory(r, below ? REPOSITORY_HISTORY : ".");
}
