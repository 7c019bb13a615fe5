/* SPDX-License-Identifier: MIT */
/*
 * The order in which data sources are asked. Knows the list of sources; prints nothing.
 */
#ifndef SPORE_CONTEXTUALIZE_FIND_H
#define SPORE_CONTEXTUALIZE_FIND_H

#include "contextualize/sources/source.h"

/*
 * Asks the sources that need no network (local) or the others, in order. 0: *ret is filled. -ENOENT: none. Other errors: a source is there but
 * cannot be read (f->problem says why). f->machine must be set; for the network f->deadline_ns too.
 */
errint_t find_context(struct finder *f, bool local, struct context *ret);

/* Whether a source on the network would be asked at all: what decides if a boot waits for the network. */
bool find_possible(const struct machine *m);

#endif
