/* SPDX-License-Identifier: MIT */
/*
 * Files as wholes: reading with a bound, writing without gaps, replacing in one step.
 * Knows descriptors and paths; must not know what the bytes mean.
 */
#ifndef SPORE_COMMON_IO_H
#define SPORE_COMMON_IO_H

#include "common/base.h"
#include <sys/types.h>

/* Read until size bytes or the end. Returns the number of bytes read, or -errno. EINTR is retried. */
ssize_t io_read_full(int fd, void *buf, size_t size);
ssize_t io_pread_full(int fd, void *buf, size_t size, uint64_t offset);

/* Write all of it or fail. A short write without an error is -ENOSPC. */
errint_t io_write_full(int fd, const void *buf, size_t size);
errint_t io_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset);

/*
 * A whole file into memory, at most max bytes (-EFBIG beyond). The buffer belongs to the caller (free) and ends
 * with a NUL that *ret_size does not count. path may be relative to dirfd (AT_FDCWD).
 */
errint_t io_read_file_at(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_size);
errint_t io_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size);

/*
 * A file that appears under its name only when it is complete: written as PATH.tmp-XXXXXX beside it, synced, then renamed.
 * io_atomic_done after a commit does nothing; without one it removes the temporary file. The target is never half-written.
 */
struct io_atomic {
	int fd;		/* write here */
	char *path;	/* final name, owned */
	char *tmp;	/* temporary name, owned; NULL once committed */
};
errint_t io_atomic_begin(struct io_atomic *a, const char *path, mode_t mode);
errint_t io_atomic_commit(struct io_atomic *a);
void io_atomic_done(struct io_atomic *a);
#define IO_ATOMIC_INIT { .fd = -1, .path = NULL, .tmp = NULL }

/* io_atomic_* for content that is in memory already. */
errint_t io_write_file(const char *path, mode_t mode, const void *data, size_t size);

/* mkdir -p. An existing directory is no error. */
errint_t io_mkdir_p(const char *path, mode_t mode);

/* printf into a new string (free); NULL when memory is out. */
char *io_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
