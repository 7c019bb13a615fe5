/* SPDX-License-Identifier: MIT */
/*
 * What is never evicted although nobody has it open: each content that is kept has a second name (a hard link) in a folder of who keeps it, and eviction leaves
 * alone what has two. So every user of the cache sees it without asking, after a restart too, and it costs no memory.
 *
 *	repositories/NAME/pinned/b2-ROOT/	folder of the mounts of one snapshot; locked (flock, shared) by each of them
 *	repositories/NAME/pinned/old-b2-ROOT/	what was there when the first of them began, until all is there again
 *	  b2-...				a content
 *	  b2-....catalog			a catalog
 */
#include "fetchfs/client/cache_private.h"
#include "common/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PINNED "pinned"
#define CATALOG_ENDING ".catalog"
#define OLD "old-"
#define KEPT_NAME_SIZE (DIGEST_TEXT_SIZE + 16)

static errint_t open_folder(struct cache *c, const char *repository, bool make, int *ret)
{
	_cleanup_free_ char *path = io_format(CACHE_REPOSITORIES "/%s/" PINNED, repository);

	if (!path)
		return -ENOMEM;
	if (make && mkdirat(c->fd, path, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

static errint_t make_and_open(int folder, const char *name, int *ret)
{
	if (mkdirat(folder, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

/* True: nobody used the folder, and it has another name now. */
static bool set_aside(int folder, const char *name, int fd)
{
	char old[KEPT_NAME_SIZE];

	snprintf(old, sizeof(old), OLD "%s", name);
	return flock(fd, LOCK_EX | LOCK_NB) == 0 && renameat(folder, name, folder, old) == 0;
}

errint_t cache_keep_open(struct cache *c, const char *repository, const struct digest *root, int *ret)
{
	char name[DIGEST_TEXT_SIZE];
	_cleanup_close_ int folder = -1, fd = -1;
	errint_t r = open_folder(c, repository, true, &folder);

	if (r < 0)
		return r;
	digest_to_text(root, name);
	r = make_and_open(folder, name, &fd);
	if (r == 0 && set_aside(folder, name, fd)) {
		close(steal_fd(&fd));
		r = make_and_open(folder, name, &fd);
	}
	if (r == 0 && flock(fd, LOCK_SH) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret = steal_fd(&fd);
	return 0;
}

static void make_names(const struct digest *key, bool is_catalog, char ret_name[CACHE_NAME_SIZE], char ret_kept[KEPT_NAME_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(key, text);
	snprintf(ret_kept, KEPT_NAME_SIZE, "%s%s", text, is_catalog ? CATALOG_ENDING : "");
	if (is_catalog)
		snprintf(ret_name, CACHE_NAME_SIZE, CACHE_CATALOGS "/%s", text);
	else
		cache_name(CACHE_FILES, key, "", ret_name);
}

errint_t cache_keep(struct cache *c, int folder, const struct digest *key, bool is_catalog)
{
	char name[CACHE_NAME_SIZE], kept[KEPT_NAME_SIZE];
	struct stat a, b;

	make_names(key, is_catalog, name, kept);
	if (linkat(c->fd, name, folder, kept, 0) == 0)
		return 0;
	if (errno == ENOENT) {
		/* Nobody evicts from there. */
		if (!is_catalog && cache_lower_has(c, key))
			return 0;
		/* What was damaged is gone from the cache: its second name is of no use. */
		(void)unlinkat(folder, kept, 0);
		return -ENOENT;
	}
	if (errno != EEXIST)
		return -errno;
	if (fstatat(c->fd, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(folder, kept, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return 0;
	/* It was fetched again since. */
	(void)unlinkat(folder, kept, 0);
	return linkat(c->fd, name, folder, kept, 0) == 0 ? 0 : -errno;
}

void cache_keep_not(int folder, const struct digest *key, bool is_catalog)
{
	char name[CACHE_NAME_SIZE], kept[KEPT_NAME_SIZE];

	make_names(key, is_catalog, name, kept);
	(void)unlinkat(folder, kept, 0);
}

/* Takes over fd. */
static void empty(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

void cache_keep_only(struct cache *c, const char *repository, const struct digest *root)
{
	char name[DIGEST_TEXT_SIZE] = "";
	struct dirent *e;
	DIR *d;
	int folder;

	if (root)
		digest_to_text(root, name);
	if (open_folder(c, repository, false, &folder) < 0)
		return;
	d = fdopendir(folder);
	if (!d) {
		close(folder);
		return;
	}
	while ((e = readdir(d))) {
		int fd;
		if (e->d_name[0] == '.' || strcmp(e->d_name, name) == 0)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Whoever has it mounted holds its lock. */
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			empty(fd);
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		} else if (fd >= 0) {
			close(fd);
		}
	}
	closedir(d);
}

errint_t cache_lock_texts(struct cache *c, const char *repository, int *ret)
{
	_cleanup_free_ char *path = io_format(CACHE_REPOSITORIES "/%s", repository);
	_cleanup_close_ int fd = -1;

	if (!path)
		return -ENOMEM;
	fd = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}
