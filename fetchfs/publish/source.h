/* SPDX-License-Identifier: MIT */
/* What is published: a directory or an archive, told apart and handed to scan.h or tar.c. */
#ifndef SPORE_FETCHFS_PUBLISH_SOURCE_H
#define SPORE_FETCHFS_PUBLISH_SOURCE_H

#include "fetchfs/publish/ingest.h"
#include "fetchfs/publish/tree.h"

/* path "-": a tar on standard input. repository: its directory's descriptor, or -1. Contents go to the ingest, the rest into the tree. */
errint_t source_read(const char *path, int repository, struct tree *tree, struct ingest *ingest, struct trouble *t);

/* An archive, plain or compressed, from a descriptor. Contents are taken as they stream by. */
errint_t tar_read(int fd, const char *name, struct tree *tree, struct ingest *ingest, struct trouble *t);

#endif
