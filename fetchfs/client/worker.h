/* SPDX-License-Identifier: MIT */
/*
 * The worker of a mount: the process that talks to servers, reads the cache and answers the kernel. Started by a supervisor (supervisor.h), of which it gets everything
 * that takes privileges; when it ends in disorder another one goes on where it was. Knows all layers; must not know how the mount was made.
 */
#ifndef SPORE_FETCHFS_CLIENT_WORKER_H
#define SPORE_FETCHFS_CLIENT_WORKER_H

#include "fetchfs/client/mount.h"

/* Called so by a supervisor: argv[1] is TAKEOVER_ARGUMENT. */
bool worker_is_wanted(int argc, char **argv);
int worker_main(int argc, char **argv);

/* 0, or an exit code after a message. Where the worker before has changed the snapshot since it was restored: again. From now on it is kept for a successor. */
int worker_refresh_snapshot(struct mount *w);
/* worker_start.c: control, recording and FUSE, before the kernel talks; what begins then; and what may talk to the kernel, or asks for that, when it is connected. */
int worker_open_fs(struct mount *w);
int worker_start(struct mount *w);
int worker_follow(struct mount *w);

#endif
