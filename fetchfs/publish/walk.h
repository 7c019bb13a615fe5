/* SPDX-License-Identifier: MIT */
/*
 * A walk over a published tree, depth first, in the order of the catalogs: each directory's entries, and below each directory before the next
 * entry. Depth costs no stack, and catalogs are freed when they have been left. Must not know what is done with the entries.
 */
#ifndef SPORE_FETCHFS_PUBLISH_WALK_H
#define SPORE_FETCHFS_PUBLISH_WALK_H

#include "fetchfs/publish/view.h"

struct walk_entry {
	const char *path;		/* below the start, without a leading slash; "" for the start itself. Ends with a NUL */
	size_t path_length;
	const char *name;		/* its last component */
	size_t name_length;
	const struct view_place *place;
};

struct walk_visitor {
	/* Every entry, directories before what is in them. A negative value ends the walk. */
	errint_t (*visit)(void *context, const struct walk_entry *e);
	/* A directory, when everything in it has been visited; may be NULL. */
	errint_t (*leave)(void *context, const struct walk_entry *e);
	/* A catalog that was loaded, once; may be NULL. */
	errint_t (*catalog)(void *context, const struct view_catalog *c);
	bool shallow;			/* the start's own entries only */
};

errint_t walk(struct view *v, const struct view_place *start, const struct walk_visitor *visitor, void *context);

#endif
