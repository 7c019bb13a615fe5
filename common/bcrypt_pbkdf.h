/* SPDX-License-Identifier: MIT */
/*
 * bcrypt_pbkdf, the key derivation that signify and OpenSSH use for encrypted secret keys (Provos and Mazières, "A Future-Adaptable
 * Password Scheme", 1999; the pbkdf variant by Ted Unangst). No library in Debian offers it. Knows nothing of key files.
 */
#ifndef SPORE_COMMON_BCRYPT_PBKDF_H
#define SPORE_COMMON_BCRYPT_PBKDF_H

#include "common/base.h"

/* Fills key[0..key_size), at most 1024 bytes; salt_size 1 to 64; rounds at least 1. -EINVAL, -ENOMEM. */
errint_t bcrypt_pbkdf(const char *passphrase, size_t length, const uint8_t *salt, size_t salt_size, uint8_t *key, size_t key_size,
		      unsigned rounds);

#endif
