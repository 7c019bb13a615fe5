/* SPDX-License-Identifier: MIT */
/*
 * A hash table of pointers, open addressing. Knows nothing of what they point at: the caller gives the hash and the comparison.
 * Only grows.
 */
#ifndef SPORE_FETCHFS_PUBLISH_TABLE_H
#define SPORE_FETCHFS_PUBLISH_TABLE_H

#include "common/base.h"

struct table {
	struct table_slot {
		uint64_t hash;
		void *value;	/* NULL: free */
	} *slots;
	size_t room, count;
};

typedef bool (*table_equal)(const void *value, const void *key);

/* A keyless use of SipHash: good enough against unlucky names, the same in every run. */
uint64_t table_hash(const void *data, size_t size, uint64_t seed);

void *table_find(const struct table *t, uint64_t hash, const void *key, table_equal equal);
/* The caller has looked before: the same key twice stays twice. -ENOMEM. */
errint_t table_add(struct table *t, uint64_t hash, void *value);
void table_done(struct table *t);

#endif
