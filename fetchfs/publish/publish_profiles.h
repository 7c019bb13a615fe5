/* SPDX-License-Identifier: MIT */
/*
 * What a publish does about profiles: takes those that are given, keeps those of the last revision, and names each one's list and recording in the new manifest.
 * Knows the repository's objects and manifests; must not know how contents are packed.
 */
#ifndef SPORE_FETCHFS_PUBLISH_PUBLISH_PROFILES_H
#define SPORE_FETCHFS_PUBLISH_PUBLISH_PROFILES_H

#include "fetchfs/publish/ingest.h"
#include "fetchfs/publish/profile_plan.h"

#include <jansson.h>

struct publish_profiles {
	const char *given[MANIFEST_MAX_PROFILES], *dropped[MANIFEST_MAX_PROFILES];	/* [NAME=]FILE; NAME */
	size_t given_count, dropped_count;
	struct profiles profiles;
	struct profile_plan_summary summaries[MANIFEST_MAX_PROFILES];	/* of the profiles, where lists were made */
	bool made;
};

/* Options: 0, or an exit code after a message. */
int publish_profiles_give(struct publish_profiles *p, const char *value);
int publish_profiles_drop(struct publish_profiles *p, const char *value);

/* Reads those that are given, then those of the last revision (NULL: there is none) that are neither given nor dropped. */
errint_t publish_profiles_load(struct publish_profiles *p, struct view *last, struct trouble *t);

/*
 * Makes and stores the lists and recordings of a new tree and names them in the manifest. reader: of the repository, whose catalogs are on the disk. In a dry
 * run (ingest NULL) only the recordings are named, with the lists that the last revision has for them.
 */
errint_t publish_profiles_store(struct publish_profiles *p, struct reader *reader, struct ingest *ingest, const struct manifest *last,
				struct manifest *m, struct trouble *t);

/* Both manifests name the same profiles. */
bool publish_profiles_equal(const struct manifest *a, const struct manifest *b);

/* Tells what became of each profile. */
void publish_profiles_report(const struct publish_profiles *p);
json_t *publish_profiles_json(const struct publish_profiles *p);

void publish_profiles_done(struct publish_profiles *p);

#endif
