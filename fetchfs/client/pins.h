/* SPDX-License-Identifier: MIT */
/*
 * Pinned paths of a mount: files, or all below a directory, that are fetched in the background and kept. Which paths is kept per repository in the cache
 * (repositories/NAME/pins: "fetchfs-pins 1", then a path a line, written as an argument of the control protocol) and so holds for later mounts; what they are
 * made of is kept by cache_keep. Knows paths, catalogs and files; must not know sockets. A thread of its own works while something is to be fetched, and
 * ends then.
 */
#ifndef SPORE_FETCHFS_CLIENT_PINS_H
#define SPORE_FETCHFS_CLIENT_PINS_H

#include "fetchfs/client/ctl.h"
#include "fetchfs/client/files.h"

struct pins;

errint_t pins_new(struct snapshot *snapshot, struct files *files, struct cache *cache, struct pins **ret);
/* Reads what was pinned before, and begins to fetch what is missing of it. Where the list cannot be read *ret_error says why (static text). */
void pins_start(struct pins *p, const char **ret_error);
/* After store_stop, so that no fetch waits any more; before files_free. */
/* Another snapshot is there: its files are fetched and kept as those before. */
void pins_again(struct pins *p);
void pins_free(struct pins *p);

/* Any thread. Bytes of pinned files that are kept (files under two pins count twice); paths that are not, or not yet, complete. */
void pins_sum(struct pins *p, uint64_t *ret_bytes, uint64_t *ret_incomplete);

/* What became of a path. */
struct pins_result {
	uint64_t files, bytes;		/* that are in the cache and kept */
	uint64_t missing;		/* files that are not */
	const char *error;		/* why (static text), NULL: nothing is missing */
	bool no_such;			/* the path is not what it should be */
};
/*
 * Fetches and keeps what a path is made of in the calling thread, for a program that shows no mount (no pins_start). Listed nowhere: it is kept until the next mount of
 * this repository with the cache. counted (may be NULL) is called after each file. -EINVAL, -ENAMETOOLONG: no path; -ENOMEM; errors of the cache's folder.
 */
errint_t pins_fetch(struct pins *p, const char *path, void (*counted)(void *context, uint64_t files, uint64_t bytes), void *context, struct pins_result *ret);
/* pins_fetch ends soon with what it has. Any thread. */
void pins_cancel(struct pins *p);

/* pin and unpin. Context: struct pins. */
extern const struct ctl_verb pins_verbs[];

#endif
