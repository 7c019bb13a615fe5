/* SPDX-License-Identifier: MIT */
/*
 * Times before 1970 with a fraction, in pax archives. POSIX writes -4.25 for four and a quarter seconds before 1970; some versions of libarchive (3.6 among
 * them) read that as second -4 plus a quarter, and write what they were given the same way. What the library at hand does is found by trying it.
 */
#ifndef SPORE_FETCHFS_PUBLISH_PAX_TIME_H
#define SPORE_FETCHFS_PUBLISH_PAX_TIME_H

#include "common/base.h"

#include <archive_entry.h>

/* Does the library take the fraction of a negative time for positive? Tried once. */
bool pax_time_is_naive(void);

/*
 * An entry's time, as seconds (rounded down) and nanoseconds. With a naive library the times of the last second before 1970 cannot be told
 * from those of the first one after: they come out mirrored (half a second before becomes half a second after).
 */
void pax_time_get(struct archive_entry *e, int64_t *ret_seconds, uint32_t *ret_nanoseconds);
/* Sets it so that the archive says it as POSIX does. With a naive library the last second before 1970 loses its fraction. */
void pax_time_set(struct archive_entry *e, int64_t seconds, uint32_t nanoseconds);

#endif
