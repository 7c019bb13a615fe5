/* SPDX-License-Identifier: MIT */
/* What a repository has already, from the catalogs of its latest revision: so that a publish stores only what is new. */
#ifndef SPORE_FETCHFS_PUBLISH_LEARN_H
#define SPORE_FETCHFS_PUBLISH_LEARN_H

#include "fetchfs/publish/ingest.h"
#include "fetchfs/publish/view.h"

/* Catalogs, by digest. Starts zeroed. */
struct known_catalogs {
	struct table table;
	struct arena arena;
};

/* Walks all catalogs of the view; each is freed again when it has been read. */
errint_t learn_revision(struct view *v, struct ingest *ingest, struct known_catalogs *known);
/* Stored size, or 0: for build_options. */
uint32_t known_catalog_size(void *known_catalogs, const struct digest *d);
void known_catalogs_done(struct known_catalogs *known);

#endif
