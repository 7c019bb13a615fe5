/* SPDX-License-Identifier: MIT */
/*
 * Which revision to mount: fetches keyring and manifest, follows the chain of trust, and remembers in the cache what it accepted, so that an older revision
 * is refused later, and a mount can begin while the servers are away. Knows messages for people, since it is here that things go wrong.
 */
#ifndef SPORE_FETCHFS_CLIENT_CHAIN_H
#define SPORE_FETCHFS_CLIENT_CHAIN_H

#include "fetchfs/client/cache.h"
#include "fetchfs/client/transport.h"
#include "fetchfs/format/manifest.h"

#define CHAIN_TEXT_SIZE 1024

struct chain_config {
	struct transport *transport;
	struct cache *cache;
	const char *cache_path;		/* for messages */
	const struct signify_public *keys;
	size_t key_count;
	unsigned limit;			/* seconds to wait for a server */
};

struct chain_trouble {
	int exit_code;
	char text[CHAIN_TEXT_SIZE];	/* what, where, why, what to do */
};

/* On success *ret is to be freed by manifest_done; *ret_offline: from the cache, since no server answered. */
errint_t chain_open(const struct chain_config *config, struct manifest *ret, bool *ret_offline, struct chain_trouble *trouble);

#endif
