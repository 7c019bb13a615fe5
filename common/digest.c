/* SPDX-License-Identifier: MIT */
/* BLAKE2b-256 and its text form; see digest.h. */
#include "common/digest.h"

void digest_of(const void *data, size_t size, struct digest *ret)
{
	crypto_generichash_blake2b(ret->bytes, DIGEST_SIZE, data, size, NULL, 0);
}

void digest_begin(struct digest_state *s)
{
	crypto_generichash_blake2b_init(&s->state, NULL, 0, DIGEST_SIZE);
}

void digest_add(struct digest_state *s, const void *data, size_t size)
{
	crypto_generichash_blake2b_update(&s->state, data, size);
}

void digest_end(struct digest_state *s, struct digest *ret)
{
	crypto_generichash_blake2b_final(&s->state, ret->bytes, DIGEST_SIZE);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE);
}

void digest_to_text(const struct digest *d, char ret_text[DIGEST_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *p = ret_text;

	*p++ = 'b';
	*p++ = '2';
	*p++ = '-';
	for (int i = 0; i < DIGEST_SIZE; i++) {
		*p++ = hex[d->bytes[i] >> 4];
		*p++ = hex[d->bytes[i] & 15];
	}
	*p = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

errint_t digest_from_text(const char *text, size_t length, struct digest *ret)
{
	if (length != DIGEST_TEXT_SIZE - 1 || memcmp(text, DIGEST_ALGORITHM "-", 3) != 0)
		return -EINVAL;
	for (int i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(text[3 + 2 * i]), low = hex_value(text[4 + 2 * i]);
		if (high < 0 || low < 0)
			return -EINVAL;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
