/* SPDX-License-Identifier: MIT */
/*
 * A directory as a source: walks it, fills the tree, and feeds contents to the ingest on the way. Handles paths of any length and
 * directories of any size; a file or directory that changes while it is read is an error. Must not know how things are stored.
 */
#ifndef SPORE_FETCHFS_PUBLISH_SCAN_H
#define SPORE_FETCHFS_PUBLISH_SCAN_H

#include "fetchfs/publish/ingest.h"
#include "fetchfs/publish/tree.h"

/* repository: descriptor of the repository's directory, which must not lie within the source; or -1. */
errint_t scan_directory(const char *path, int repository, struct tree *tree, struct ingest *ingest, struct trouble *t);

#endif
