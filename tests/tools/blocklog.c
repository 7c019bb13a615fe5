/* SPDX-License-Identifier: MIT */
/*
 * blocklog serve IMAGE LOG DIRECTORY: shows the disk image as DIRECTORY/disk (FUSE, in the foreground), for a loop device, and notes every write in LOG.
 * blocklog count LOG: how many writes it holds. blocklog apply IMAGE LOG FROM TO: does the writes from number FROM to before TO on an image; what a power cut
 * after the write number TO - 1 leaves, if it was done to a copy of the image as it was at first.
 *
 * LOG: for each write u64 offset, u64 length (little-endian), and the bytes.
 */
#include "common/base.h"
#include "common/io.h"

#include <err.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <sys/stat.h>

#define DISK_NAME "/disk"
#define HEAD_SIZE 16
#define MAX_WRITE (16 * MIB)

static int image_fd = -1, log_fd = -1;

static int show_attributes(const char *path, struct stat *ret, struct fuse_file_info *fi)
{
	(void)fi;
	memset(ret, 0, sizeof(*ret));
	ret->st_nlink = 1;
	ret->st_mode = S_IFDIR | 0700;
	if (strcmp(path, "/") == 0)
		return 0;
	if (strcmp(path, DISK_NAME) != 0)
		return -ENOENT;
	return fstat(image_fd, ret) < 0 ? -errno : 0;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	(void)path;
	(void)offset;
	(void)fi;
	(void)flags;
	fill(buffer, &DISK_NAME[1], NULL, 0, 0);
	return 0;
}

static int open_disk(const char *path, struct fuse_file_info *fi)
{
	(void)fi;
	return strcmp(path, DISK_NAME) == 0 ? 0 : -ENOENT;
}

static int read_disk(const char *path, char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	return (int)io_pread_full(image_fd, data, size, (uint64_t)offset);
}

static int write_disk(const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	uint8_t head[HEAD_SIZE];
	errint_t r;

	(void)path;
	(void)fi;
	le64_put(head, (uint64_t)offset);
	le64_put(head + 8, size);
	r = io_pwrite_full(image_fd, data, size, (uint64_t)offset);
	if (r == 0)
		r = io_write_full(log_fd, head, sizeof(head));
	if (r == 0)
		r = io_write_full(log_fd, data, size);
	return r < 0 ? r : (int)size;
}

/* What was written is in the log already. */
static int sync_disk(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)path;
	(void)data_only;
	(void)fi;
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = show_attributes, .readdir = list, .open = open_disk, .read = read_disk, .write = write_disk, .fsync = sync_disk,
};

static int serve(char *program, const char *image, const char *log, char *directory)
{
	char foreground[] = "-f", single[] = "-s";
	char *arguments[] = { program, foreground, single, directory, NULL };

	image_fd = open(image, O_RDWR | O_CLOEXEC);
	if (image_fd < 0)
		err(1, "%s", image);
	log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		err(1, "%s", log);
	return fuse_main(4, arguments, &operations, NULL);
}

/* Reads the log, does what lies between from and to on the image (-1: nothing), and returns how many writes it has seen. */
static unsigned long walk(const char *log, unsigned long from, unsigned long to, int image)
{
	_cleanup_fclose_ FILE *f = fopen(log, "re");
	uint8_t head[HEAD_SIZE];
	unsigned long n = 0;

	if (!f)
		err(1, "%s", log);
	for (; n < to && fread(head, sizeof(head), 1, f) == 1; n++) {
		uint64_t offset = le64_get(head), size = le64_get(head + 8);
		_cleanup_free_ char *data = size <= MAX_WRITE ? malloc(size ? size : 1) : NULL;
		if (!data || fread(data, 1, size, f) != size)
			errx(1, "%s: write %lu is not whole", log, n);
		if (image >= 0 && n >= from && io_pwrite_full(image, data, size, offset) < 0)
			err(1, "write %lu", n);
	}
	return n;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		return serve(argv[0], argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "count") == 0)
		return printf("%lu\n", walk(argv[2], 0, ULONG_MAX, -1)) < 0;
	if (argc == 6 && strcmp(argv[1], "apply") == 0) {
		_cleanup_close_ int image = open(argv[2], O_RDWR | O_CLOEXEC);
		if (image < 0)
			err(1, "%s", argv[2]);
		walk(argv[3], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10), image);
		return 0;
	}
	fputs("usage: blocklog serve IMAGE LOG DIRECTORY | count LOG | apply IMAGE LOG FROM TO\n", stderr);
	return 64;
}
