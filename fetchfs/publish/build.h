/* SPDX-License-Identifier: MIT */
/*
 * From the tree to catalogs: splits it by subtree, numbers inodes, finds where hard links across catalogs live, writes the catalogs from the
 * leaves to the root, and stores those that are new. Must not know where the tree came from.
 */
#ifndef SPORE_FETCHFS_PUBLISH_BUILD_H
#define SPORE_FETCHFS_PUBLISH_BUILD_H

#include "fetchfs/format/manifest.h"
#include "fetchfs/publish/ingest.h"
#include "fetchfs/publish/tree.h"

/* A catalog of more entries than this gives subtrees away; a subtree of fewer than the second is not worth a catalog of its own. */
#define BUILD_SPLIT_ENTRIES 16384
#define BUILD_NESTED_ENTRIES 256

struct build_options {
	struct tree *tree;
	struct ingest *ingest;
	struct trouble *trouble;
	/* Stored size of a catalog that the repository is known to have, or 0. */
	uint32_t (*known_catalog)(void *context, const struct digest *d);
	void *context;
	uint32_t split_entries, nested_entries;		/* 0: as above */
};

struct build_result {
	struct manifest_root root;
	uint64_t inodes, files, bytes;	/* all inodes; regular files, and the sum of their sizes */
	uint32_t catalogs, new_catalogs;
};

errint_t build_catalogs(const struct build_options *o, struct build_result *ret);

#endif
