/* SPDX-License-Identifier: MIT */
/*
 * The content digest: BLAKE2b with 32 bytes of output (RFC 7693), computed by libsodium.
 * Its text form names the algorithm: "b2-" and 64 lower-case hexadecimal digits.
 */
#ifndef SPORE_COMMON_DIGEST_H
#define SPORE_COMMON_DIGEST_H

#include "common/base.h"
#include <sodium.h>

#define DIGEST_SIZE 32
#define DIGEST_ALGORITHM "b2"
#define DIGEST_TEXT_SIZE (3 + 2 * DIGEST_SIZE + 1)	/* with the NUL */

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

struct digest_state {
	crypto_generichash_blake2b_state state;
};

void digest_of(const void *data, size_t size, struct digest *ret);
void digest_begin(struct digest_state *s);
void digest_add(struct digest_state *s, const void *data, size_t size);
void digest_end(struct digest_state *s, struct digest *ret);

bool digest_equal(const struct digest *a, const struct digest *b);
/* memcmp order, for sorting and maps. */
int digest_compare(const struct digest *a, const struct digest *b);

void digest_to_text(const struct digest *d, char ret_text[DIGEST_TEXT_SIZE]);
/* Exactly the text form in text[0..length); anything else is -EINVAL. */
errint_t digest_from_text(const char *text, size_t length, struct digest *ret);

#endif
