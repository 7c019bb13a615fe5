/* SPDX-License-Identifier: MIT */
/*
 * Settings as bytes, for the worker of a mount, which is another process and, after an upgrade, another program: records of a name and a value, so that one that is
 * not known is left out and one that is missing keeps its default. Holds secrets: only for a memfd between the two.
 */
#ifndef SPORE_FETCHFS_CLIENT_SETTINGS_PACK_H
#define SPORE_FETCHFS_CLIENT_SETTINGS_PACK_H

#include "fetchfs/client/settings.h"

#define SETTINGS_PACK_MAX (4 * MIB)

/* Into a new memfd, which nobody can change. */
errint_t settings_pack(const struct settings *s, int *ret_fd);
/* Made by settings_init first; on success to be freed by settings_done. -EBADMSG; -ENOMEM. */
errint_t settings_unpack(int fd, struct settings *s);

#endif
