/* SPDX-License-Identifier: MIT */
/*
 * Which revision to mount: fetches keyring and manifest, follows the chain of trust, picks the revision that is asked for, and remembers in the cache what it
 * accepted, so that an older revision is refused later, and a mount can begin while the servers are away. Knows messages for people, since it
 * is here that things go wrong. Must not know FUSE nor what a snapshot looks like inside.
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
	/* At most one of the three; none: the newest revision. */
	const char *tag;
	uint64_t revision;		/* 0: not given */
	int64_t date;			/* seconds since 1970; the newest revision that is not later. 0: not given */
	const char *pin_file;		/* NULL: none. The choice is read from it where it exists, else chain_keep writes it. */
};

struct chain_trouble {
	int exit_code;
	char text[CHAIN_TEXT_SIZE];	/* what, where, why, what to do */
};

/* What was chosen, and the signed texts that say so. */
struct chain_choice {
	struct manifest manifest;	/* revision and root are those chosen, also where they are a tag's */
	struct keyring keyring;
	char *keyring_text, *manifest_text;
	size_t keyring_size, manifest_size;
	bool offline;			/* from the cache, since no server answered */
	bool kept;			/* chosen earlier: no server was asked */
	bool lasting;			/* will be the same whenever it is asked for */
	char note[512];			/* to be said to people; empty: nothing */
};

/* On success *ret is to be freed by chain_choice_done. */
errint_t chain_open(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *trouble);
/* The choice is good: whoever mounts it again with the same pin file (or asks for the same revision or date) gets it without a server. */
errint_t chain_keep(const struct chain_config *config, const struct chain_choice *choice, struct chain_trouble *trouble);
/*
 * For a mount that follows: asks each server once. 0: *ret is what is to be mounted now, perhaps the same as before. known: what the mount shows.
 * ask_keyring: also where the one that is known would do. -EHOSTUNREACH: nobody answers.
 */
errint_t chain_check(const struct chain_config *config, const struct chain_choice *known, bool ask_keyring, struct chain_choice *ret,
		     struct chain_trouble *trouble);
/* A choice as a text (free), in the format of docs/format-pin.md. */
errint_t chain_format(const struct chain_config *config, const struct chain_choice *choice, char **ret_text, size_t *ret_size);
/* What is mounted already, from such a text: signed by a key that the text's own keyring holds, whatever has become of it since. */
errint_t chain_restore(const struct chain_config *config, const char *text, size_t size, struct chain_choice *ret, struct chain_trouble *trouble);
void chain_choice_done(struct chain_choice *c);

#endif
