/* SPDX-License-Identifier: MIT */
/* fetchfs ctl MOUNTPOINT upgrade: asks the mount's supervisor (takeover.h), and waits until the new program serves. */
#ifndef SPORE_FETCHFS_CLIENT_CTL_UPGRADE_H
#define SPORE_FETCHFS_CLIENT_CTL_UPGRADE_H

#include "fetchfs/client/ctl_client.h"

/* program: a path, or NULL for what is installed where the mount's own program was. As ctl_ask. */
int ctl_upgrade(const char *place, const char *program, struct ctl_answer *ret, char error[CTL_ERROR_SIZE]);

#endif
