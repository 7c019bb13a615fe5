/* SPDX-License-Identifier: MIT */
/* What the parts of the chain share: chain.c (decisions), chain_fetch.c (servers), chain_trust.c (signatures, times, what the cache remembers),
 * chain_select.c (tag, revision, date), chain_pin.c (choices kept). */
#ifndef SPORE_FETCHFS_CLIENT_CHAIN_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_CHAIN_PRIVATE_H

#include "fetchfs/client/chain.h"
#include "fetchfs/format/pin.h"

/* chain_trust.c */

/* Fills *t and returns r. */
errint_t chain_set_trouble(struct chain_trouble *t, errint_t r, int exit_code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Why a signed text was refused, and what to do. where: "URL", name: "manifest". */
errint_t chain_refuse(struct chain_trouble *t, errint_t r, const char *where, const char *name, int64_t expires);
void chain_format_time(int64_t when, char ret[32]);
/* Texts of *c into keyring and manifest; neither may have expired. A clock that is behind is noted. */
errint_t chain_verify(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t);
/* The same where the choice of an old revision is deliberate: times are not judged. */
errint_t chain_verify_untimed(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t);
/* What was accepted last under this repository's name; times are not judged. */
errint_t chain_read_cached(const struct chain_config *config, const char *name, struct chain_choice *ret);
/* Not before what was signed and accepted earlier: this machine's clock may have lost its time. */
int64_t chain_now(const struct chain_config *config, const char *name);
errint_t chain_check_rollback(const struct chain_config *config, const struct chain_choice *c, const char *url, struct chain_trouble *t);
/* A full disk must not keep from mounting: then there is no protection against older revisions and no start without a server. */
void chain_remember(const struct chain_config *config, const struct chain_choice *c, const char *url);
errint_t chain_find_offline(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t);

/* chain_fetch.c */

/* One attempt at one mirror (-1: any). -ENOENT: the server says that there is none. */
errint_t chain_fetch_text(struct transport *transport, int mirror, const char *name, char **ret, size_t *ret_size,
			  char ret_error[TRANSPORT_ERROR_SIZE]);
/*
 * Each mirror once. The first good answer wins; else the most telling trouble: what a server said before that none did. -EHOSTUNREACH: nobody answers. known: what is
 * mounted, or NULL; ask_keyring: also where the known one would do.
 */
errint_t chain_ask(const struct chain_config *config, const struct chain_choice *known, bool ask_keyring, struct chain_choice *ret,
		   struct chain_trouble *t);

/* chain_select.c */

/* Turns what is newest into what is asked for. */
errint_t chain_select(const struct chain_config *config, struct chain_choice *c, struct chain_trouble *t);
/* "latest", "tag stable", "revision 7", "date 1763725200". */
void chain_selector(const struct chain_config *config, char ret[PIN_SELECT_SIZE]);

/* chain_pin.c */

/* -ENOENT: nothing is kept for this; other errors are in *t. */
errint_t chain_read_kept(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t);

#endif
