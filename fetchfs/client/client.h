/* SPDX-License-Identifier: MIT */
/* The client's verbs, for the table in fetchfs.c, and the names under which mount(8) calls the program. */
#ifndef SPORE_FETCHFS_CLIENT_CLIENT_H
#define SPORE_FETCHFS_CLIENT_CLIENT_H

#include "common/options.h"

extern const struct command client_mount_command, client_umount_command, client_ctl_command, client_top_command, client_preload_command;

/*
 * Called as mount.fetchfs or mount.fuse.fetchfs by mount(8), or as "fetchfs URL DIRECTORY -o ..." by mount.fuse3 (which is what an fstab line of the type
 * fuse.fetchfs comes to).
 */
bool client_is_mount_helper(int argc, char **argv);
int client_mount_helper(int argc, char **argv);

#endif
