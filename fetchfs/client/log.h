/* SPDX-License-Identifier: MIT */
/*
 * Where a mount's words go while it runs: to standard error in the foreground, else to the system's log, or to the
 * kernel's (of the root file system, since nobody may be there to keep a log), or where the options say. Only the program's parts use it (chain, mount, fs's
 * caller, control), not the layers below.
 */
#ifndef SPORE_FETCHFS_CLIENT_LOG_H
#define SPORE_FETCHFS_CLIENT_LOG_H

#include "common/base.h"

enum log_target { LOG_TO_DEFAULT, LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_KMSG };

/* "stderr" and so on; -EINVAL. */
errint_t log_parse_target(const char *text, enum log_target *ret);
/* "error", "warning", "notice", "info", "debug", or their numbers of syslog(3), 3 to 7; -EINVAL. */
errint_t log_parse_level(const char *text, int *ret);
const char *log_level_name(int level);
/* What is less important is not logged; "info" from the start. Any thread. */
void log_set_level(int level);
int log_level(void);
/* What every record says beside its text where the target has fields (the journal): FETCHFS_MOUNT and the like. Before there are threads. */
void log_set_field(const char *name, const char *value);

/*
 * From now on there: LOG_TO_DEFAULT is the system's log, with is_root the kernel's. False where it is standard error, because it was wanted or since
 * there is no other way: then that must stay open.
 */
bool log_open(enum log_target target, bool is_root);
/* What that will take privileges to open is opened now, before they are given away. */
void log_prepare(enum log_target target, bool is_root);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * One record of the journal's native protocol (systemd's "Native Journal Protocol"): fields NAME=value, one a line; a value with line feeds as NAME, its
 * length and itself. Returns the record's size, 0 where it does not fit.
 */
size_t log_journal_record(int level, const char *text, char *ret, size_t room);

#endif
