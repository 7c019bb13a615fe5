/* SPDX-License-Identifier: MIT */
/* The publisher's verbs, for the program's table (fetchfs.c). */
#ifndef SPORE_FETCHFS_PUBLISH_PUBLISH_H
#define SPORE_FETCHFS_PUBLISH_PUBLISH_H

#include "common/options.h"

extern const struct command keygen_command, init_command, publish_command;
extern const struct command ls_command, cat_command, export_command, fsck_command, stat_command;

#endif
