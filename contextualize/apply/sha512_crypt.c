/* SPDX-License-Identifier: MIT */
/*
 * SHA-512 crypt (sha512_crypt.h); the numbers of steps are those of the specification's section "Algorithm for crypt using SHA-256/SHA-512".
 */
#include "contextualize/apply/sha512_crypt.h"

#include <sodium.h>

#define SHA512_SIZE 64
#define SHA512_ROUNDS 5000
#define SHA512_MAX_SALT 16

struct sha512_input {
	const char *key, *salt;
	size_t key_length, salt_length;
};

static void add(crypto_hash_sha512_state *s, const void *data, size_t size)
{
	crypto_hash_sha512_update(s, data, size);
}

/* The digest's bytes over and over, size of them. */
static void add_repeated(crypto_hash_sha512_state *s, const uint8_t digest[SHA512_SIZE], size_t size)
{
	for (; size > SHA512_SIZE; size -= SHA512_SIZE)
		add(s, digest, SHA512_SIZE);
	add(s, digest, size);
}

/* Steps 1 to 12. */
static void first_digest(const struct sha512_input *in, uint8_t ret[SHA512_SIZE])
{
	crypto_hash_sha512_state s;
	uint8_t b[SHA512_SIZE];

	crypto_hash_sha512_init(&s);
	add(&s, in->key, in->key_length);
	add(&s, in->salt, in->salt_length);
	add(&s, in->key, in->key_length);
	crypto_hash_sha512_final(&s, b);

	crypto_hash_sha512_init(&s);
	add(&s, in->key, in->key_length);
	add(&s, in->salt, in->salt_length);
	add_repeated(&s, b, in->key_length);
	for (size_t n = in->key_length; n; n >>= 1) {
		if (n & 1)
			add(&s, b, SHA512_SIZE);
		else
			add(&s, in->key, in->key_length);
	}
	crypto_hash_sha512_final(&s, ret);
}

/* Steps 13 to 20: a digest of text, count times. */
static void sequence_digest(const char *text, size_t length, size_t count, uint8_t ret[SHA512_SIZE])
{
	crypto_hash_sha512_state s;

	crypto_hash_sha512_init(&s);
	while (count--)
		add(&s, text, length);
	crypto_hash_sha512_final(&s, ret);
}

/* Step 21. */
static void rounds(const struct sha512_input *in, uint8_t a[SHA512_SIZE])
{
	uint8_t p[SHA512_SIZE], q[SHA512_SIZE];

	sequence_digest(in->key, in->key_length, in->key_length, p);
	sequence_digest(in->salt, in->salt_length, 16 + (size_t)a[0], q);
	for (unsigned i = 0; i < SHA512_ROUNDS; i++) {
		crypto_hash_sha512_state s;

		crypto_hash_sha512_init(&s);
		if (i & 1)
			add_repeated(&s, p, in->key_length);
		else
			add(&s, a, SHA512_SIZE);
		if (i % 3)
			add(&s, q, in->salt_length);
		if (i % 7)
			add_repeated(&s, p, in->key_length);
		if (i & 1)
			add(&s, a, SHA512_SIZE);
		else
			add_repeated(&s, p, in->key_length);
		crypto_hash_sha512_final(&s, a);
	}
	sodium_memzero(p, sizeof p);
}

/* Step 22: three bytes at a time, in an order of its own: i, i + 21, i + 42, turned by one place each time. */
static char *digits(const uint8_t a[SHA512_SIZE], char *out)
{
	static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	for (unsigned i = 0; i < 21; i++) {
		unsigned x = i, y = i + 21, z = i + 42;
		unsigned first = i % 3 == 0 ? x : i % 3 == 1 ? y : z, second = i % 3 == 0 ? y : i % 3 == 1 ? z : x;
		unsigned third = i % 3 == 0 ? z : i % 3 == 1 ? x : y;
		uint32_t bits = (uint32_t)a[first] << 16 | (uint32_t)a[second] << 8 | a[third];

		for (unsigned k = 0; k < 4; k++, bits >>= 6)
			*out++ = letters[bits & 63];
	}
	*out++ = letters[a[63] & 63];
	*out++ = letters[a[63] >> 6];
	*out = '\0';
	return out;
}

errint_t sha512_crypt(const char *password, const char *salt, char ret[SHA512_CRYPT_SIZE])
{
	struct sha512_input in = { password, salt, strlen(password), strlen(salt) };
	uint8_t a[SHA512_SIZE];
	int n;

	if (in.salt_length > SHA512_MAX_SALT || in.key_length > SHA512_CRYPT_MAX_PASSWORD)
		return -EINVAL;
	first_digest(&in, a);
	rounds(&in, a);
	n = sprintf(ret, "$6$%s$", salt);
	digits(a, ret + n);
	sodium_memzero(a, sizeof a);
	return 0;
}
