/* SPDX-License-Identifier: MIT */
/*
 * The privileged part of a mount, and the process that people know as the mount: makes it, holds the connection to the kernel, and has a worker (worker.h) do all the rest.
 * A worker that ends in disorder is followed by another one, which goes on where it was. One thread. Must not parse anything that comes from
 * servers, from the cache, or from programs that use the mount.
 */
#ifndef SPORE_FETCHFS_CLIENT_SUPERVISOR_H
#define SPORE_FETCHFS_CLIENT_SUPERVISOR_H

#include "fetchfs/client/daemon.h"
#include "fetchfs/client/settings.h"

/* Until the end of the mount. The exit code; people have been told why where it is not 0. program: argv[0]. */
int supervise(struct settings *s, struct daemon *d, const char *program);

#endif
