/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures in the format of OpenBSD's signify(1): Ed25519, text files of an "untrusted comment" line and a base64 line.
 * Embedded form (signify -S -e): comment line, signature line, then the message.
 * Source of the layout: signify(1) and crypto_sign's structures there: algorithm "Ed", 8-byte key number, key or signature.
 */
#ifndef SPORE_COMMON_SIGNIFY_H
#define SPORE_COMMON_SIGNIFY_H

#include "common/base.h"

#define SIGNIFY_KEYNUM_SIZE 8

struct signify_public {
	uint8_t keynum[SIGNIFY_KEYNUM_SIZE];
	uint8_t key[32];
};

struct signify_secret {
	uint8_t keynum[SIGNIFY_KEYNUM_SIZE];
	uint8_t key[64];	/* wiped by signify_secret_wipe */
};

/* What signify_verify found wrong, beside -errno: told apart so that a program can say what to do. */
#define SIGNIFY_E_MALFORMED	(-EBADMSG)	/* not a signify file */
#define SIGNIFY_E_OTHER_KEY	(-ENOKEY)	/* signed with another key than the given ones */
#define SIGNIFY_E_BAD_SIGNATURE	(-EKEYREJECTED)	/* the right key's number, but it does not verify */
#define SIGNIFY_E_PASSPHRASE	(-EACCES)	/* wrong or missing passphrase */

/* A new random key pair. */
errint_t signify_generate(struct signify_public *ret_public, struct signify_secret *ret_secret);

/* Key files. passphrase NULL: the key is stored in the clear. Secret files are created 0600; an existing file is -EEXIST. */
errint_t signify_write_public(const char *path, const char *comment, const struct signify_public *key);
errint_t signify_write_secret(const char *path, const char *comment, const struct signify_secret *key, const char *passphrase);
errint_t signify_read_public(const char *path, struct signify_public *ret);
errint_t signify_parse_public(const char *text, size_t size, struct signify_public *ret);
/* ret_encrypted (may be NULL) tells, also on SIGNIFY_E_PASSPHRASE, that a passphrase is wanted. */
errint_t signify_read_secret(const char *path, const char *passphrase, struct signify_secret *ret, bool *ret_encrypted);
void signify_secret_wipe(struct signify_secret *key);

/* The embedded form: a new buffer (free) of comment, signature and message. comment is usually "verify with NAME.pub". */
errint_t signify_sign_embedded(const struct signify_secret *key, const char *comment, const void *message, size_t size,
			       char **ret_data, size_t *ret_size);

/*
 * Checks the embedded form against count keys. On success *ret_message points into data (not NUL-terminated by this function)
 * and *ret_key (may be NULL) is the index of the key that signed.
 */
errint_t signify_verify_embedded(const struct signify_public *keys, size_t count, const char *data, size_t size,
				 const char **ret_message, size_t *ret_size, size_t *ret_key);

/* base64 of the public key's file body (algorithm, number, key), as it stands in the .pub file's second line; ret needs 57 bytes. */
#define SIGNIFY_PUBLIC_TEXT_SIZE 57
void signify_public_to_text(const struct signify_public *key, char ret[SIGNIFY_PUBLIC_TEXT_SIZE]);
errint_t signify_public_from_text(const char *text, size_t length, struct signify_public *ret);

#endif
