/* SPDX-License-Identifier: MIT */
/*
 * What a worker cannot do itself, since it has given its privileges away, done by the supervisor: opening the files that the mount's options name, writing the two that
 * are written (pin=, record=), making the memory for a cache, and, with passthrough, giving a cached file to the kernel. Both ends are here. The supervisor's end knows a fixed list of paths, compares, and reads none
 * of the contents.
 */
#ifndef SPORE_FETCHFS_CLIENT_BROKER_H
#define SPORE_FETCHFS_CLIENT_BROKER_H

#include "fetchfs/client/channel.h"
#include "fetchfs/client/settings.h"

#define BROKER_FILES_MAX 24
#define BROKER_WRITE_MAX (64 * MIB)
#define BROKER_BACKINGS_MAX 65536

/* The supervisor's end. */
struct broker {
	struct broker_file {
		char *path;
		int fd;			/* held since the beginning (the file may be gone when a later worker asks); -1: opened when asked */
		int place;		/* the directory itself where fd is a tree of its own: keeps its file system from being unmounted; -1 */
		bool is_directory, may_write;
	} files[BROKER_FILES_MAX];
	size_t count;
	int device;			/* /dev/fuse where files may be passed through; -1 */
	int cache;			/* the cache's directory as workers have it (the caller's); -1 */
	unsigned backings;		/* files that the kernel has */
	uint64_t ram_quota;
	int ram_fd;			/* -1: not asked for yet */
	uid_t uid;			/* whose it is to be */
	gid_t gid;
	char *ram_path;
};

/* While the working directory is that of the command line. -ENOMEM. */
errint_t broker_init(struct broker *b, const struct settings *s);
void broker_done(struct broker *b);
/* A directory in memory for the cache, the same one each time. */
errint_t broker_ram(struct broker *b, int *ret_fd);
/* Reads one question from the channel and answers it. -EPIPE: the worker is gone; -EBADMSG: it says what no worker says. */
errint_t broker_answer(struct broker *b, int channel);

/* The worker's end. Any thread. Where no broker was set (tests) the process does it itself. */
void broker_set_channel(int channel);
/* A descriptor for reading (with pread: its position may be shared) or, of a directory, for openat; or -errno. */
int broker_open(const char *path);
/* As io_write_file. */
errint_t broker_write_file(const char *path, mode_t mode, const void *data, size_t size);
errint_t broker_open_ram(int *ret_fd);
/* The kernel may read this file itself: its number there (positive), or -errno. */
int broker_open_backing(int fd);
void broker_close_backing(uint32_t number);

#endif
