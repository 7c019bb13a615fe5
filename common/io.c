/* SPDX-License-Identifier: MIT */
/* Files as wholes; see io.h. */
#include "common/io.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

/* One request to the kernel; larger ones are cut short on some filesystems anyway. */
#define IO_PIECE ((size_t)(1 * GIB))

ssize_t io_read_full(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, MIN(size - done, IO_PIECE));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t io_pread_full(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, MIN(size - done, IO_PIECE), (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

errint_t io_write_full(int fd, const void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)buf + done, MIN(size - done, IO_PIECE));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

errint_t io_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)buf + done, MIN(size - done, IO_PIECE), (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

/* Files in /proc and /sys tell no size: grow as it comes. */
static errint_t read_growing(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		if (room - size < 2) {
			room = room ? room * 2 : 4096;
			char *larger = realloc(data, room);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		ssize_t n = io_read_full(fd, data + size, room - size - 1);
		if (n < 0)
			return (errint_t)n;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
	}
	data[size] = '\0';
	*ret_data = steal_ptr(data);
	*ret_size = size;
	return 0;
}

errint_t io_read_file_at(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_size)
{
	struct stat st;
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		return -EFBIG;
	return read_growing(fd, max, ret_data, ret_size);
}

errint_t io_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size)
{
	return io_read_file_at(AT_FDCWD, path, max, ret_data, ret_size);
}

errint_t io_atomic_begin(struct io_atomic *a, const char *path, mode_t mode)
{
	errint_t r;

	a->fd = -1;
	a->path = strdup(path);
	a->tmp = io_format("%s.tmp-XXXXXX", path);
	if (!a->path || !a->tmp) {
		r = -ENOMEM;
		goto fail;
	}
	a->fd = mkostemp(a->tmp, O_CLOEXEC);
	if (a->fd < 0) {
		r = -errno;
		goto fail;
	}
	mode_t mask = umask(0);
	umask(mask);
	if (fchmod(a->fd, mode & ~mask) < 0) {
		r = -errno;
		io_atomic_done(a);
		return r;
	}
	return 0;
fail:
	free(steal_ptr(a->path));
	free(steal_ptr(a->tmp));
	return r;
}

errint_t io_atomic_commit(struct io_atomic *a)
{
	/* A device or file system without fsync (EINVAL) has nothing to sync. */
	if (fsync(a->fd) < 0 && errno != EINVAL)
		return -errno;
	int fd = steal_fd(&a->fd);
	if (close(fd) < 0)
		return -errno;
	if (rename(a->tmp, a->path) < 0)
		return -errno;
	free(steal_ptr(a->tmp));
	return 0;
}

void io_atomic_done(struct io_atomic *a)
{
	if (a->fd >= 0)
		close(steal_fd(&a->fd));
	if (a->tmp)
		unlink(a->tmp);
	free(steal_ptr(a->tmp));
	free(steal_ptr(a->path));
}

errint_t io_write_file(const char *path, mode_t mode, const void *data, size_t size)
{
	_cleanup_(io_atomic_done) struct io_atomic a = IO_ATOMIC_INIT;
	errint_t r = io_atomic_begin(&a, path, mode);

	if (r < 0)
		return r;
	r = io_write_full(a.fd, data, size);
	if (r < 0)
		return r;
	return io_atomic_commit(&a);
}

errint_t io_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *copy; p++) {
		char c = *p;
		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = c;
		if (c == '\0')
			break;
	}
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

char *io_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	return n < 0 ? NULL : text;
}
