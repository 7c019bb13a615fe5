/* SPDX-License-Identifier: MIT */
/* Dates and times as people write them (ISO 8601). Knows the calendar; must not know what a time is for. */
#ifndef SPORE_FETCHFS_CLIENT_WHEN_H
#define SPORE_FETCHFS_CLIENT_WHEN_H

#include "common/base.h"

/*
 * YYYY-MM-DD (the last second of that day), or YYYY-MM-DD, 'T' or a blank, HH:MM[:SS]; then nothing or Z (UTC), or +HH:MM or -HH:MM. Seconds since
 * 1970; years 1970 to 9999. -EINVAL.
 */
errint_t when_parse(const char *text, int64_t *ret);

#endif
