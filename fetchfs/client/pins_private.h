/* SPDX-License-Identifier: MIT */
/* What the files of pins share: pins.c (the list, the thread, the verbs), pins_file.c (the list in the cache), pins_tree.c (the
 * list in the tree), pins_walk.c (what a path is made of). */
#ifndef SPORE_FETCHFS_CLIENT_PINS_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_PINS_PRIVATE_H

#include "fetchfs/client/pins.h"

#include <pthread.h>

#define PINS_MAX 1024
#define PINS_PATH_MAX 4096
#define PINS_TREE_PATH ".spore/pinfiles"
#define PINS_TREE_MAX ((size_t)(1 * MIB))	/* of that file */
#define PINS_TREE_RETRY_NS (20 * NS_PER_SECOND)
#define PINS_TREE_SHARE 2			/* the part of the quota that it may keep */

enum { PIN_BY_USER = 1, PIN_BY_TREE = 2 };

enum pin_state { PIN_QUEUED, PIN_FETCHING, PIN_COMPLETE, PIN_INCOMPLETE, PIN_LEAVING };

struct pin {
	struct pin *next;
	char *path;		/* "usr/bin/git", "usr/lib/" (all below), "/" (everything) */
	unsigned sources;	/* PIN_BY_... */
	enum pin_state state;
	uint64_t files, bytes;	/* seen so far */
	uint64_t missing;	/* of these files: not in the cache, or not kept */
	const char *error;	/* why (static text); NULL: nothing is missing */
	bool no_such;		/* this revision has no such path: there is nothing to wait for */
};

struct pins {
	struct snapshot *snapshot;
	struct files *files;
	struct cache *cache;
	int folder;		/* of cache_keep; -1: not yet */
	pthread_mutex_t lock;	/* for all below */
	struct pin *list;
	pthread_cond_t changed;	/* there is work, or the end */
	bool running, started, stop;
	bool tree_due;		/* the tree's list is to be read */
	bool tree_known;	/* it has been */
	int64_t tree_again;	/* clock_now: it could not be read, and then is tried again; 0: not that */
	bool moved;		/* the folder is that of the snapshot before */
	pthread_t thread;
	void (*counted)(void *context, uint64_t files, uint64_t bytes);	/* of pins_fetch */
	void *counted_context;
};

/* Paths, each to be freed. */
struct pins_file {
	char *paths[PINS_MAX];
	size_t count;
};

/* Where a walk's findings go; every function may run long. Non-zero ends the walk. */
struct pin_walk {
	struct pins *pins;
	struct pin *pin;
	bool keep;		/* else: keep no longer, without fetching anything */
};

/*
 * Fetches and keeps (or does not keep any longer) what the pin's path is made of; counts in the pin. -ENOENT, -EISDIR, -ENOTDIR, -ELOOP: the path is
 * not what it should be.
 */
errint_t pins_walk(struct pin_walk *w);

/* The file or directory of a path. Errors as pins_walk. */
errint_t pins_find(struct pin_walk *w, const char *path, struct place *ret);

/*
 * The list that the tree brings. None is an empty one. *ret_bad: how many of its lines are no paths, or too many, and were passed over; *ret_line: the first
 * of them, from 1. -EFBIG: it is larger than PINS_TREE_MAX; errors of fetching.
 */
errint_t pins_tree_read(struct pins *p, struct pins_file *ret, unsigned *ret_bad, unsigned *ret_line);
void pins_tree_parse(const char *text, size_t size, struct pins_file *ret, unsigned *ret_bad, unsigned *ret_line);

/* A path as it is kept (free). -EINVAL: empty, or with "." or ".." in it; -ENAMETOOLONG. */
errint_t pins_normalize(const char *path, char **ret);
/* The list in the cache: none is an empty one. -EBADMSG: malformed. */
errint_t pins_file_parse(const char *text, size_t size, struct pins_file *ret);
errint_t pins_file_read(struct cache *c, const char *repository, struct pins_file *ret);
/* Adds or removes a path in the cache's list, whatever other programs do to it. -E2BIG: too many. */
errint_t pins_file_change(struct cache *c, const char *repository, const char *path, bool add);
void pins_file_done(struct pins_file *f);

#endif
