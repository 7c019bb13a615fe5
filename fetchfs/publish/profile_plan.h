/* SPDX-License-Identifier: MIT */
/*
 * From a profile to the list of what a client should fetch ahead in one revision (docs/format-profile.md): looks its paths up in that revision's tree. Knows
 * catalogs and profiles; must not know how contents came into packs.
 */
#ifndef SPORE_FETCHFS_PUBLISH_PROFILE_PLAN_H
#define SPORE_FETCHFS_PUBLISH_PROFILE_PLAN_H

#include "fetchfs/publish/profile.h"
#include "fetchfs/publish/view.h"

/* A pack of which less than one part in so many is wanted is not listed. */
#define PROFILE_PLAN_LEAST_SHARE 32

struct profile_plan_summary {
	uint32_t lines, missing;	/* of the profile; of them: what the tree does not have */
	uint32_t objects, left_out;	/* listed; wanted, but for too little */
	uint64_t stored_bytes;		/* of those listed */
};

/* The view shows the revision. The list's bytes (free). */
errint_t profile_plan_make(struct view *v, const struct profile *p, void **ret, size_t *ret_size, struct profile_plan_summary *ret_summary);

#endif
