/* SPDX-License-Identifier: MIT */
/* Keys of the publisher: KEYBASE.sec and KEYBASE.pub, and the passphrase of an encrypted one. For programs. */
#ifndef SPORE_FETCHFS_PUBLISH_KEYS_H
#define SPORE_FETCHFS_PUBLISH_KEYS_H

#include "common/signify.h"
#include "fetchfs/publish/trouble.h"

/*
 * The secret key KEYBASE.sec. Where it is encrypted the passphrase is the first line of passphrase_file, or of the file that FETCHFS_PASSPHRASE_FILE
 * names, or is asked for on the terminal. Wipe it after use.
 */
errint_t keys_read_secret(const char *base, const char *passphrase_file, struct signify_secret *ret, struct trouble *t);
errint_t keys_read_public(const char *base, struct signify_public *ret, struct trouble *t);
/* PATH is the file itself (option -K). */
errint_t keys_read_public_file(const char *path, struct signify_public *ret, struct trouble *t);

/* "verify with NAME.pub", as signify writes it (free). */
char *keys_comment(const char *base);

#define PASSPHRASE_MAX 1024
/* A passphrase from the file, or from the terminal (asked for twice where it is new). */
errint_t keys_read_passphrase(const char *file, const char *base, bool is_new, char ret[PASSPHRASE_MAX], struct trouble *t);

#endif
