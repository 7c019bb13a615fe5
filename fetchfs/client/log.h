/* SPDX-License-Identifier: MIT */
/*
 * Where a mount's words go while it runs: to standard error in the foreground, else to the system's log, or to the
 * kernel's (of the root file system, since nobody may be there to keep a log). Only the program's parts use it (chain, mount, fs's
 * caller), not the layers below.
 */
#ifndef SPORE_FETCHFS_CLIENT_LOG_H
#define SPORE_FETCHFS_CLIENT_LOG_H

#include "common/base.h"

/* From now on not to standard error; false where that cannot be: it must stay open. */
bool log_in_background(bool to_kernel);
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
