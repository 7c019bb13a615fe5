/* SPDX-License-Identifier: MIT */
/*
 * The profiles of a publish: recordings of what machines read (docs/format-profile.md), given on the command line or kept from the last revision. Tells for a
 * piece of a file which profile names it, and where in the order. Knows paths; must not know packs.
 */
#ifndef SPORE_FETCHFS_PUBLISH_PROFILE_H
#define SPORE_FETCHFS_PUBLISH_PROFILE_H

#include "fetchfs/format/manifest.h"
#include "fetchfs/format/profile.h"
#include "fetchfs/publish/tree.h"
#include "fetchfs/publish/trouble.h"

#define PROFILE_DEFAULT_NAME "boot"

/* A line with at most one extent. */
struct profile_entry {
	const char *path;	/* absolute; a directory's ends in '/' */
	uint64_t offset, length;	/* length 0: all of the file */
	uint32_t next;		/* entry of the same path, further down; UINT32_MAX: none */
	uint32_t last;		/* of the path's first entry: its last one */
};

struct profile {
	char name[MANIFEST_NAME_MAX + 1];
	char *text;		/* what the paths point into */
	struct profile_entry *entries;
	uint32_t count;
	struct table paths;
};

/* In the order in which they come into packs: a piece belongs to the first that names it. */
struct profiles {
	struct profile *list[MANIFEST_MAX_PROFILES];
	size_t count;
};

/* "[NAME=]FILE". A text without a path in it is no profile. */
errint_t profiles_read(struct profiles *p, const char *argument, struct trouble *t);
/* From the recording that a repository holds (taken over); source: for messages. */
errint_t profiles_add(struct profiles *p, const char *name, char *text, const char *source, struct trouble *t);
const struct profile *profiles_find(const struct profiles *p, const char *name);
void profiles_done(struct profiles *p);

/* Which profile and which of its entries names this piece of a file. False: none (also for p NULL). */
struct profile_rank {
	uint32_t profile, entry;
};
bool profiles_rank(const struct profiles *p, const struct tree_node *node, uint64_t offset, uint64_t length, struct profile_rank *ret);

/* The text that the repository keeps (free): the same entries, and nothing else. */
errint_t profile_format(const struct profile *p, char **ret_text, size_t *ret_size);

#endif
