/* SPDX-License-Identifier: MIT */
/* signify's files and signatures; see signify.h. */
#include "common/signify.h"
#include "common/bcrypt_pbkdf.h"
#include "common/io.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#define COMMENT "untrusted comment: "
#define COMMENT_MAX 1024
#define KEY_FILE_MAX 4096
#define KDF_ROUNDS 42	/* what signify uses */

#define PUBLIC_SIZE 42		/* algorithm 2, number 8, key 32 */
#define SIGNATURE_SIZE 74	/* algorithm 2, number 8, signature 64 */
#define SECRET_SIZE 104		/* algorithm 2, kdf 2, rounds 4 (big-endian), salt 16, checksum 8, number 8, key 64 */
enum { AT_KDF = 2, AT_ROUNDS = 4, AT_SALT = 8, AT_CHECKSUM = 24, AT_NUMBER = 32, AT_KEY = 40 };
#define SALT_SIZE 16
#define CHECKSUM_SIZE 8

static const char algorithm[2] = { 'E', 'd' };

errint_t signify_generate(struct signify_public *ret_public, struct signify_secret *ret_secret)
{
	if (sodium_init() < 0)
		return -EIO;
	crypto_sign_keypair(ret_public->key, ret_secret->key);
	randombytes_buf(ret_public->keynum, SIGNIFY_KEYNUM_SIZE);
	memcpy(ret_secret->keynum, ret_public->keynum, SIGNIFY_KEYNUM_SIZE);
	return 0;
}

void signify_secret_wipe(struct signify_secret *key)
{
	sodium_memzero(key, sizeof(*key));
}

/* The base64 body of line, which ends at the first LF: exactly size bytes, beginning with the algorithm. */
static errint_t decode_body(const char *line, size_t length, uint8_t *ret, size_t size)
{
	size_t got = 0;
	const char *end = NULL;

	if (sodium_base642bin(ret, size, line, length, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) != 0)
		return SIGNIFY_E_MALFORMED;
	if (end != line + length || got != size || memcmp(ret, algorithm, 2) != 0)
		return SIGNIFY_E_MALFORMED;
	return 0;
}

/* Splits off comment line and body line; *ret_rest is what follows. */
static errint_t split_lines(const char *data, size_t size, const char **ret_body, size_t *ret_length, const char **ret_rest)
{
	const char *line_end = memchr(data, '\n', MIN(size, COMMENT_MAX + sizeof(COMMENT)));

	if (size < strlen(COMMENT) || memcmp(data, COMMENT, strlen(COMMENT)) != 0 || !line_end)
		return SIGNIFY_E_MALFORMED;
	const char *body = line_end + 1;
	const char *body_end = memchr(body, '\n', size - (size_t)(body - data));
	if (!body_end)
		return SIGNIFY_E_MALFORMED;
	*ret_body = body;
	*ret_length = (size_t)(body_end - body);
	*ret_rest = body_end + 1;
	return 0;
}

static char *encode_file(const char *comment, const uint8_t *body, size_t size)
{
	char text[256];

	sodium_bin2base64(text, sizeof(text), body, size, sodium_base64_VARIANT_ORIGINAL);
	char *file = io_format(COMMENT "%s\n%s\n", comment, text);
	sodium_memzero(text, sizeof(text));
	return file;
}

static errint_t create_file(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	errint_t r;

	if (fd < 0)
		return -errno;
	r = io_write_full(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return r;
}

static void encode_public(const struct signify_public *key, uint8_t ret[PUBLIC_SIZE])
{
	memcpy(ret, algorithm, 2);
	memcpy(ret + 2, key->keynum, SIGNIFY_KEYNUM_SIZE);
	memcpy(ret + 10, key->key, sizeof(key->key));
}

errint_t signify_write_public(const char *path, const char *comment, const struct signify_public *key)
{
	uint8_t body[PUBLIC_SIZE];

	encode_public(key, body);
	_cleanup_free_ char *text = encode_file(comment, body, sizeof(body));
	return text ? create_file(path, 0644, text) : -ENOMEM;
}

/* Applies the passphrase's key stream; without rounds the key is stored in the clear. */
static errint_t mask_key(const char *passphrase, uint32_t rounds, const uint8_t *salt, uint8_t key[64])
{
	uint8_t mask[64];
	errint_t r;

	if (rounds == 0)
		return 0;
	r = bcrypt_pbkdf(passphrase, strlen(passphrase), salt, SALT_SIZE, mask, sizeof(mask), rounds);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(mask); i++)
		key[i] ^= mask[i];
	sodium_memzero(mask, sizeof(mask));
	return 0;
}

errint_t signify_write_secret(const char *path, const char *comment, const struct signify_secret *key, const char *passphrase)
{
	uint8_t body[SECRET_SIZE] = { 0 }, sum[64];
	uint32_t rounds = passphrase && *passphrase ? KDF_ROUNDS : 0;
	errint_t r;

	memcpy(body, algorithm, 2);
	memcpy(body + AT_KDF, "BK", 2);
	body[AT_ROUNDS + 3] = (uint8_t)rounds;
	randombytes_buf(body + AT_SALT, SALT_SIZE);
	crypto_hash_sha512(sum, key->key, sizeof(key->key));
	memcpy(body + AT_CHECKSUM, sum, CHECKSUM_SIZE);
	memcpy(body + AT_NUMBER, key->keynum, SIGNIFY_KEYNUM_SIZE);
	memcpy(body + AT_KEY, key->key, sizeof(key->key));
	r = mask_key(passphrase, rounds, body + AT_SALT, body + AT_KEY);
	if (r == 0) {
		char *text = encode_file(comment, body, sizeof(body));
		r = text ? create_file(path, 0600, text) : -ENOMEM;
		if (text)
			sodium_memzero(text, strlen(text));
		free(text);
	}
	sodium_memzero(body, sizeof(body));
	return r;
}

errint_t signify_parse_public(const char *text, size_t size, struct signify_public *ret)
{
	const char *body, *rest;
	size_t length;
	errint_t r = split_lines(text, size, &body, &length, &rest);

	return r < 0 ? r : signify_public_from_text(body, length, ret);
}

errint_t signify_read_public(const char *path, struct signify_public *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	errint_t r = io_read_file(path, KEY_FILE_MAX, &text, &size);

	if (r == -EFBIG)
		return SIGNIFY_E_MALFORMED;
	return r < 0 ? r : signify_parse_public(text, size, ret);
}

static errint_t decode_secret(uint8_t body[SECRET_SIZE], const char *passphrase, struct signify_secret *ret, bool *ret_encrypted)
{
	const uint8_t *n = body + AT_ROUNDS;
	uint32_t rounds = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
	uint8_t sum[64];
	errint_t r;

	*ret_encrypted = rounds > 0;
	if (memcmp(body + AT_KDF, "BK", 2) != 0 || rounds > 100000)
		return SIGNIFY_E_MALFORMED;
	if (rounds && !passphrase)
		return SIGNIFY_E_PASSPHRASE;
	r = mask_key(passphrase, rounds, body + AT_SALT, body + AT_KEY);
	if (r < 0)
		return r;
	crypto_hash_sha512(sum, body + AT_KEY, 64);
	if (memcmp(sum, body + AT_CHECKSUM, CHECKSUM_SIZE) != 0)
		return rounds ? SIGNIFY_E_PASSPHRASE : SIGNIFY_E_MALFORMED;
	memcpy(ret->keynum, body + AT_NUMBER, SIGNIFY_KEYNUM_SIZE);
	memcpy(ret->key, body + AT_KEY, sizeof(ret->key));
	return 0;
}

errint_t signify_read_secret(const char *path, const char *passphrase, struct signify_secret *ret, bool *ret_encrypted)
{
	char *text = NULL;
	const char *line, *rest;
	uint8_t body[SECRET_SIZE];
	size_t size, length;
	bool encrypted = false;
	errint_t r = io_read_file(path, KEY_FILE_MAX, &text, &size);

	if (r < 0)
		return r == -EFBIG ? SIGNIFY_E_MALFORMED : r;
	r = split_lines(text, size, &line, &length, &rest);
	if (r == 0)
		r = decode_body(line, length, body, sizeof(body));
	if (r == 0)
		r = decode_secret(body, passphrase, ret, &encrypted);
	if (ret_encrypted)
		*ret_encrypted = encrypted;
	sodium_memzero(text, size);
	sodium_memzero(body, sizeof(body));
	free(text);
	return r;
}

errint_t signify_sign_embedded(const struct signify_secret *key, const char *comment, const void *message, size_t size, char **ret_data,
			       size_t *ret_size)
{
	uint8_t body[SIGNATURE_SIZE];

	memcpy(body, algorithm, 2);
	memcpy(body + 2, key->keynum, SIGNIFY_KEYNUM_SIZE);
	crypto_sign_detached(body + 10, NULL, message, size, key->key);
	_cleanup_free_ char *head = encode_file(comment, body, sizeof(body));
	if (!head)
		return -ENOMEM;
	size_t head_size = strlen(head);
	char *data = malloc(head_size + size + 1);
	if (!data)
		return -ENOMEM;
	memcpy(data, head, head_size);
	memcpy(data + head_size, message, size);
	data[head_size + size] = '\0';
	*ret_data = data;
	*ret_size = head_size + size;
	return 0;
}

errint_t signify_verify_embedded(const struct signify_public *keys, size_t count, const char *data, size_t size, const char **ret_message,
				 size_t *ret_size, size_t *ret_key)
{
	const char *line, *message;
	uint8_t body[SIGNATURE_SIZE];
	size_t length;
	errint_t r = split_lines(data, size, &line, &length, &message);

	if (r == 0)
		r = decode_body(line, length, body, sizeof(body));
	if (r < 0)
		return r;
	size_t message_size = size - (size_t)(message - data);
	r = SIGNIFY_E_OTHER_KEY;
	for (size_t i = 0; i < count; i++) {
		if (memcmp(keys[i].keynum, body + 2, SIGNIFY_KEYNUM_SIZE) != 0)
			continue;
		if (crypto_sign_verify_detached(body + 10, (const uint8_t *)message, message_size, keys[i].key) != 0) {
			r = SIGNIFY_E_BAD_SIGNATURE;
			continue;
		}
		*ret_message = message;
		*ret_size = message_size;
		if (ret_key)
			*ret_key = i;
		return 0;
	}
	return r;
}

void signify_public_to_text(const struct signify_public *key, char ret[SIGNIFY_PUBLIC_TEXT_SIZE])
{
	uint8_t body[PUBLIC_SIZE];

	encode_public(key, body);
	sodium_bin2base64(ret, SIGNIFY_PUBLIC_TEXT_SIZE, body, sizeof(body), sodium_base64_VARIANT_ORIGINAL);
}

errint_t signify_public_from_text(const char *text, size_t length, struct signify_public *ret)
{
	uint8_t body[PUBLIC_SIZE];
	errint_t r = decode_body(text, length, body, sizeof(body));

	if (r < 0)
		return r;
	memcpy(ret->keynum, body + 2, SIGNIFY_KEYNUM_SIZE);
	memcpy(ret->key, body + 10, sizeof(ret->key));
	return 0;
}
