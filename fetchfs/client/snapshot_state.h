/* SPDX-License-Identifier: MIT */
/*
 * A snapshot as a text from which a successor makes it again: which catalogs stand where, and which inode numbers mean what. Knows catalogs and state.h; must
 * not know processes.
 */
#ifndef SPORE_FETCHFS_CLIENT_SNAPSHOT_STATE_H
#define SPORE_FETCHFS_CLIENT_SNAPSHOT_STATE_H

#include "fetchfs/client/snapshot_update.h"

/*
 * From now on the snapshot's changes are written to this state, beginning with all of it. choice (chain_format's text; copied): what is mounted, for
 * snapshot_state_choice. Before other threads use the snapshot.
 */
errint_t snapshot_state_keep(struct snapshot *s, int state, const void *choice, size_t choice_size);
/* The choice in a state. *ret (free) has size 0 where nothing was kept yet. */
errint_t snapshot_state_choice(int state, char **ret_choice, size_t *ret_size);
/*
 * In the place of snapshot_open: the snapshot as a worker before had it, with the same numbers. Catalogs come from the cache; one that is not there any more is fetched
 * for at most limit seconds (all of them together), and without it the numbers of what is in it are ESTALE. What the kernel holds is not known: it is taken to hold everything. m: the choice's.
 * *ret_missing: catalogs that could not be had. Where s->untold is set then, the kernel has to be told everything.
 */
errint_t snapshot_state_restore(struct snapshot *s, int state, const struct manifest *m, struct store *store, struct cache *cache, struct stats *stats,
				bool can_change, unsigned limit, char ret_error[TRANSPORT_ERROR_SIZE], unsigned *ret_missing);
/* The kernel has been told of the last change. */
void snapshot_state_settle(struct snapshot *s);
/* All that the kernel may have of a snapshot, as changes (free): for when it is not known what it was told of the last one. */
errint_t snapshot_state_everything(struct snapshot *s, struct snapshot_change **ret, size_t *ret_count);

#endif
