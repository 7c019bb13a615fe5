/* SPDX-License-Identifier: MIT */
/*
 * Which packs are fetched before they are asked for. What lies near what was read is likely to be read: the more packs of a neighbourhood were used, the
 * further around them is fetched. So a walk through a directory finds the next packs there, and a program's start, which jumps to and fro between
 * libraries and modules, finds those in between.
 */
#include "fetchfs/client/files_private.h"

#define NEAR 8			/* packs on either side that are a neighbourhood */

enum { PACK_USED = 1, PACK_ASKED = 2 };

static bool is_used(const struct tree *t, uint32_t object)
{
	return atomic_load_explicit(&t->packs[object], memory_order_relaxed) & PACK_USED;
}

static bool is_asked(const struct tree *t, uint32_t object)
{
	return atomic_load_explicit(&t->packs[object], memory_order_relaxed) & PACK_ASKED;
}

static unsigned used_near(const struct tree *t, uint32_t object)
{
	uint32_t from = object > NEAR ? object - NEAR : 0, to = MIN(object + NEAR, t->c.objects - 1);
	unsigned used = 0;

	for (uint32_t i = from; i <= to; i++)
		used += i != object && is_used(t, i);
	return used;
}

static void ask(struct files *f, struct tree *t, uint32_t object)
{
	struct catalog_object o;

	if (atomic_fetch_or_explicit(&t->packs[object], PACK_ASKED, memory_order_relaxed) & PACK_ASKED)
		return;
	if (catalog_object(&t->c, object, &o) < 0 || o.kind != CATALOG_OBJECT_PACK || cache_has(f->cache, &o.digest))
		return;
	store_prefetch(f->store, &(struct store_object){ .digest = o.digest, .stored_size = o.stored_size, .size = o.size, .is_pack = true });
}

void files_note_use(struct files *f, struct tree *t, uint32_t object, bool missed)
{
	unsigned radius;

	if (object >= t->c.objects || (!missed && !is_asked(t, object)) || is_used(t, object) ||
	    atomic_fetch_or_explicit(&t->packs[object], PACK_USED | PACK_ASKED, memory_order_relaxed) & PACK_USED)
		return;
	radius = MIN(2 * used_near(t, object) + 1, NEAR);
	for (uint32_t i = 1; i <= radius; i++) {
		if (object + i < t->c.objects)
			ask(f, t, object + i);
		if (object >= i)
			ask(f, t, object - i);
	}
}
