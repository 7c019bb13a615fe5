/* SPDX-License-Identifier: MIT */
/*
 * Verbs of the control socket that steer a part of the mount: recording, following, and the scrub. What they do is their parts' own; here is how it is asked for and told. Must
 * not know sockets.
 */
#ifndef SPORE_FETCHFS_CLIENT_VERBS_H
#define SPORE_FETCHFS_CLIENT_VERBS_H

#include "fetchfs/client/ctl.h"
#include "fetchfs/client/scrub.h"

/* Context: struct record. */
extern const struct ctl_verb record_verbs[];
/* Context: struct follow. */
extern const struct ctl_verb follow_verbs[];

/* The scrub of a mount, if one is at work; config is for the next one. Once the control socket is open, only its thread changes it. */
struct scrub_control {
	struct scrub_config config;
	struct scrub *scrub;		/* or NULL */
};
/* Context: struct scrub_control. */
extern const struct ctl_verb scrub_verbs[];

#endif
