/* SPDX-License-Identifier: MIT */
/* What the operations share: fs.c (session), fs_tree.c (names and attributes), fs_data.c (contents). */
#ifndef SPORE_FETCHFS_CLIENT_FS_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_FS_PRIVATE_H

#include "fetchfs/client/fs.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>

/* A snapshot never changes: the kernel need not ask again. In seconds, 136 years. */
#define FS_FOREVER 4294967295.0

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
#define FS_HAVE_PASSTHROUGH 1
#else
#define FS_HAVE_PASSTHROUGH 0
#endif

struct fs_handle {
	struct file *file;	/* NULL: free */
	uint32_t next_free;	/* number, from 1; 0: none */
};

struct fs {
	struct snapshot *snapshot;
	struct files *files;
	struct cache *cache;
	struct transport *transport;
	struct stats *stats;
	struct record *record;
	bool passthrough, opens, splice;
	const char *socket;
	bool can_pass;		/* agreed with the kernel */
	bool no_opendir;	/* the kernel caches listings without asking */
	bool no_open;		/* the kernel does not ask for opens: reads name the inode only */
	pid_t pid;
	struct journal *journal;
	int device;
	uint64_t init_unique;
	bool disagrees;		/* with what the kernel was told by the worker before */
	struct fuse_session *session;
	struct open_modes *modes;	/* where there is passthrough */
	uint32_t generation;	/* of the worker */
	pthread_mutex_t handle_lock;
	struct fs_handle *handles;
	uint32_t handle_room, free_handle;
	pthread_t loop;		/* runs fs_run */
	atomic_bool is_running, has_ended;
	pthread_mutex_t tell_lock;	/* held while the kernel is being told something */
	bool is_ending;
};

/* fs_io.c: how the session reads and writes, through the journal. */
errint_t fs_use_journal(struct fs *f);
/* What is spliced to the kernel next by this thread is the reply to that request. */
void fs_splice_replies_to(uint64_t unique);
/* The request that is in this thread's hands. */
uint64_t fs_unique_now(void);
void fs_set_unique_now(uint64_t unique);

/* fs_handles.c. NULL: it is another worker's, or none (an empty file's is 0). */
errint_t fs_handle_new(struct fs *f, struct file *file, uint64_t *ret);
struct file *fs_handle_file(struct fs *f, uint64_t handle);
struct file *fs_handle_drop(struct fs *f, uint64_t handle);

/* Errors as programs see them, positive. */
int fs_errno(errint_t r);
void fs_fill_stat(const struct place *p, struct stat *ret);

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readlink(fuse_req_t req, fuse_ino_t ino);
void fs_open_directory(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_statfs(fuse_req_t req, fuse_ino_t ino);
void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

void fs_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);

#endif
