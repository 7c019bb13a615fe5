/* SPDX-License-Identifier: MIT */
/*
 * Password hashes of the kind $6$ (Drepper, "Unix crypt using SHA-256 and SHA-512", 2016), on libsodium's SHA-512: the guest's C library has no crypt(3).
 */
#ifndef SPORE_CONTEXTUALIZE_SHA512_CRYPT_H
#define SPORE_CONTEXTUALIZE_SHA512_CRYPT_H

#include "common/base.h"

#define SHA512_CRYPT_SIZE 107		/* "$6$", salt of 16, "$", 86 digits, NUL */
#define SHA512_CRYPT_MAX_PASSWORD 4096

/* salt: up to 16 of a-zA-Z0-9./ ; the default 5000 rounds. -EINVAL: salt or password too long. */
errint_t sha512_crypt(const char *password, const char *salt, char ret[SHA512_CRYPT_SIZE]);

#endif
