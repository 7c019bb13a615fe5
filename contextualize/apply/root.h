/* SPDX-License-Identifier: MIT */
/*
 * Files of the new root file system, by path, without ever leaving it: symbolic links are followed as if the tree were already "/", one component at a time,
 * and never by the kernel. /run is another file system by the time the OS starts, so paths below it lead to the running system's own /run.
 */
#ifndef SPORE_CONTEXTUALIZE_ROOT_H
#define SPORE_CONTEXTUALIZE_ROOT_H

#include "common/base.h"

#include <sys/stat.h>

#define ROOT_MAX_LINKS 40
#define ROOT_MAX_DEPTH 64
#define ROOT_KEEP ((mode_t)-1)		/* mode, uid or gid: as the file has it, else 0644, 0, 0 */
#define ROOT_KEEP_ID ((uint32_t)-1)

struct root {
	int fd;		/* the new root's directory */
	int run;	/* /run of the running system; -1: none, paths below /run are in the tree */
	bool unprivileged;	/* owners cannot be set (tests): chown is left out */
};

errint_t root_open(struct root *r, const char *path, const char *run);
void root_done(struct root *r);

/* A whole file, links followed. */
errint_t root_read(struct root *r, const char *path, size_t max, char **ret, size_t *ret_size);
/* Follows links where follow. */
errint_t root_stat(struct root *r, const char *path, bool follow, struct stat *ret);
bool root_exists(struct root *r, const char *path);

/* Replaces a file in one step; the directory must exist. A link at path is replaced, not followed. */
errint_t root_write(struct root *r, const char *path, const void *data, size_t size, mode_t mode, uint32_t uid, uint32_t gid);
/* As root_write, but links are followed where there are some, and data come behind what is there. */
errint_t root_append(struct root *r, const char *path, const void *data, size_t size, mode_t mode, uint32_t uid, uint32_t gid);
/* mkdir -p; new directories get the mode and the owner. */
errint_t root_mkdir_p(struct root *r, const char *path, mode_t mode, uint32_t uid, uint32_t gid);
errint_t root_set_owner(struct root *r, const char *path, mode_t mode, uint32_t uid, uint32_t gid);
errint_t root_symlink(struct root *r, const char *target, const char *path);
/* A file that is not there is no error. */
errint_t root_unlink(struct root *r, const char *path);
/* A directory for reading its names (readdir on fdopendir); -errno. */
int root_open_dir(struct root *r, const char *path);

#endif
