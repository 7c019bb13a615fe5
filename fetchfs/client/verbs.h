/* SPDX-License-Identifier: MIT */
/*
 * Verbs of the control socket that steer a part of the mount: recording, and following. What they do is their parts' own; here is how it is asked for and told. Must
 * not know sockets.
 */
#ifndef SPORE_FETCHFS_CLIENT_VERBS_H
#define SPORE_FETCHFS_CLIENT_VERBS_H

#include "fetchfs/client/ctl.h"

/* Context: struct record. */
extern const struct ctl_verb record_verbs[];
/* Context: struct follow. */
extern const struct ctl_verb follow_verbs[];

#endif
