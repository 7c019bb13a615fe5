/* SPDX-License-Identifier: MIT */
/*
 * bcrypt_pbkdf and the Blowfish it stands on; see bcrypt_pbkdf.h. Blowfish starts from the fraction of pi (Schneier 1993), which is
 * computed here rather than listed: 1042 words take some milliseconds, and no table can hold a typing error.
 */
#include "common/bcrypt_pbkdf.h"

#include <sodium.h>

#define ROUND_KEYS 18
#define STATE_WORDS (ROUND_KEYS + 4 * 256)
#define PI_WORDS (STATE_WORDS + 3)	/* one word before the point, two to absorb rounding */
#define HASH_SIZE 32

/* The round keys, then the four substitution boxes: one run of words, as both the start value and the expansion fill it. */
struct blowfish {
	uint32_t words[STATE_WORDS];
};

static uint32_t box(const struct blowfish *b, int n, uint32_t index)
{
	return b->words[ROUND_KEYS + 256 * n + (int)(index & 255)];
}

/* Fixed-point numbers of PI_WORDS words, the most significant first. */
static void fixed_divide(uint32_t *a, uint32_t divisor)
{
	uint64_t rest = 0;

	for (int i = 0; i < PI_WORDS; i++) {
		uint64_t value = rest << 32 | a[i];
		a[i] = (uint32_t)(value / divisor);
		rest = value % divisor;
	}
}

static void fixed_add(uint32_t *a, const uint32_t *b)
{
	uint64_t carry = 0;

	for (int i = PI_WORDS - 1; i >= 0; i--) {
		carry += (uint64_t)a[i] + b[i];
		a[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static void fixed_subtract(uint32_t *a, const uint32_t *b)
{
	int64_t borrow = 0;

	for (int i = PI_WORDS - 1; i >= 0; i--) {
		int64_t value = (int64_t)a[i] - b[i] + borrow;
		a[i] = (uint32_t)value;
		borrow = value < 0 ? -1 : 0;
	}
}

static bool fixed_is_zero(const uint32_t *a)
{
	for (int i = 0; i < PI_WORDS; i++)
		if (a[i])
			return false;
	return true;
}

/* sum += (or -=) factor * arctan(1/x), by its power series. */
static void add_arctan(uint32_t *sum, uint32_t factor, uint32_t x, bool negative)
{
	uint32_t power[PI_WORDS] = { factor }, term[PI_WORDS];

	fixed_divide(power, x);
	for (uint32_t n = 1; !fixed_is_zero(power); n += 2) {
		memcpy(term, power, sizeof(term));
		fixed_divide(term, n);
		if (negative == (n % 4 == 3))
			fixed_add(sum, term);
		else
			fixed_subtract(sum, term);
		fixed_divide(power, x * x);
	}
}

/* Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239). */
static void blowfish_pi(struct blowfish *ret)
{
	uint32_t pi[PI_WORDS] = { 0 };

	add_arctan(pi, 16, 5, false);
	add_arctan(pi, 4, 239, true);
	memcpy(ret->words, pi + 1, sizeof(ret->words));
}

static void blowfish_encrypt(const struct blowfish *b, uint32_t *left, uint32_t *right)
{
	uint32_t l = *left, r = *right;

	for (int i = 0; i < 16; i++) {
		l ^= b->words[i];
		r ^= ((box(b, 0, l >> 24) + box(b, 1, l >> 16)) ^ box(b, 2, l >> 8)) + box(b, 3, l);
		uint32_t swap = l;
		l = r;
		r = swap;
	}
	*left = r ^ b->words[17];
	*right = l ^ b->words[16];
}

/* The next big-endian word of data, which repeats. */
static uint32_t next_word(const uint8_t *data, size_t size, size_t *position)
{
	uint32_t word = 0;

	for (int i = 0; i < 4; i++) {
		word = word << 8 | data[*position];
		*position = (*position + 1) % size;
	}
	return word;
}

/* salt NULL: the encrypted blocks are not mixed with one. */
static void blowfish_expand(struct blowfish *b, const uint8_t *salt, const uint8_t *key, size_t size)
{
	uint32_t l = 0, r = 0;
	size_t at = 0;

	for (int i = 0; i < ROUND_KEYS; i++)
		b->words[i] ^= next_word(key, size, &at);
	at = 0;
	for (int i = 0; i < STATE_WORDS; i += 2) {
		if (salt) {
			l ^= next_word(salt, size, &at);
			r ^= next_word(salt, size, &at);
		}
		blowfish_encrypt(b, &l, &r);
		b->words[i] = l;
		b->words[i + 1] = r;
	}
}

static void bcrypt_hash(const struct blowfish *start, const uint8_t pass[64], const uint8_t salt[64], uint8_t ret[HASH_SIZE])
{
	static const uint8_t magic[HASH_SIZE + 1] = "OxychromaticBlowfishSwatDynamite";
	struct blowfish b = *start;
	uint32_t words[HASH_SIZE / 4];
	size_t at = 0;

	blowfish_expand(&b, salt, pass, 64);
	for (int i = 0; i < 64; i++) {
		blowfish_expand(&b, NULL, salt, 64);
		blowfish_expand(&b, NULL, pass, 64);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = next_word(magic, HASH_SIZE, &at);
	for (int i = 0; i < 64; i++)
		for (size_t w = 0; w < ARRAY_SIZE(words); w += 2)
			blowfish_encrypt(&b, &words[w], &words[w + 1]);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		le32_put(ret + 4 * i, words[i]);
	sodium_memzero(&b, sizeof(b));
}

/* One block of output: rounds hashes, each salted with the one before, joined by exclusive or. */
static void derive_block(const struct blowfish *start, const uint8_t pass[64], const uint8_t *salt, size_t salt_size, unsigned rounds,
			 uint8_t ret[HASH_SIZE])
{
	uint8_t digest[64], hash[HASH_SIZE];

	crypto_hash_sha512(digest, salt, salt_size);
	bcrypt_hash(start, pass, digest, hash);
	memcpy(ret, hash, HASH_SIZE);
	for (unsigned i = 1; i < rounds; i++) {
		crypto_hash_sha512(digest, hash, HASH_SIZE);
		bcrypt_hash(start, pass, digest, hash);
		for (int k = 0; k < HASH_SIZE; k++)
			ret[k] ^= hash[k];
	}
}

errint_t bcrypt_pbkdf(const char *passphrase, size_t length, const uint8_t *salt, size_t salt_size, uint8_t *key, size_t key_size,
		      unsigned rounds)
{
	_cleanup_free_ struct blowfish *start = NULL;
	uint8_t pass[64], counted[68], block[HASH_SIZE];

	if (rounds < 1 || salt_size < 1 || salt_size > 64 || key_size < 1 || key_size > HASH_SIZE * HASH_SIZE)
		return -EINVAL;
	start = malloc(sizeof(*start));
	if (!start)
		return -ENOMEM;
	blowfish_pi(start);
	crypto_hash_sha512(pass, (const uint8_t *)passphrase, length);
	memcpy(counted, salt, salt_size);

	/* The blocks are interleaved: byte i of block n is byte i * blocks + n of the key. */
	size_t blocks = (key_size + HASH_SIZE - 1) / HASH_SIZE;
	for (size_t n = 0; n < blocks; n++) {
		for (int i = 0; i < 4; i++)
			counted[salt_size + (size_t)i] = (uint8_t)((n + 1) >> (24 - 8 * i));
		derive_block(start, pass, counted, salt_size + 4, rounds, block);
		for (size_t i = 0; i < HASH_SIZE && i * blocks + n < key_size; i++)
			key[i * blocks + n] = block[i];
	}
	sodium_memzero(pass, sizeof(pass));
	sodium_memzero(block, sizeof(block));
	return 0;
}
