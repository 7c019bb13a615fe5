/* SPDX-License-Identifier: MIT */
/* Keys and signatures: what they must accept and refuse. Held against signify itself in tests/integration/signify.sh. */
#include "common/bcrypt_pbkdf.h"
#include "common/io.h"
#include "common/signify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char folder[] = "/tmp/spore-signify-XXXXXX";

static void pbkdf_known_answer(void **state)
{
	/* Test vector of OpenBSD's regress/lib/libutil/bcrypt_pbkdf: rounds 4, "password", "salt". */
	static const uint8_t expected[32] = { 0x5b, 0xbf, 0x0c, 0xc2, 0x93, 0x58, 0x7f, 0x1c, 0x36, 0x35, 0x55, 0x5c, 0x27, 0x79, 0x65, 0x98,
					      0xd4, 0x7e, 0x57, 0x90, 0x71, 0xbf, 0x42, 0x7e, 0x9d, 0x8f, 0xbe, 0x84, 0x2a, 0xba, 0x34, 0xd9 };
	uint8_t key[32];
	(void)state;

	assert_int_equal(bcrypt_pbkdf("password", 8, (const uint8_t *)"salt", 4, key, sizeof(key), 4), 0);
	assert_memory_equal(key, expected, sizeof(key));
}

static void embedded_round_trip(void **state)
{
	struct signify_public pub, other;
	struct signify_secret sec, other_sec;
	_cleanup_free_ char *data = NULL;
	const char *message;
	size_t size, length;
	(void)state;

	assert_int_equal(signify_generate(&pub, &sec), 0);
	assert_int_equal(signify_generate(&other, &other_sec), 0);
	assert_int_equal(signify_sign_embedded(&sec, "verify with x.pub", "hello\n", 6, &data, &size), 0);
	assert_int_equal(signify_verify_embedded(&pub, 1, data, size, &message, &length, NULL), 0);
	assert_int_equal(length, 6);
	assert_memory_equal(message, "hello\n", 6);
	assert_int_equal(signify_verify_embedded(&other, 1, data, size, &message, &length, NULL), SIGNIFY_E_OTHER_KEY);
	data[size - 2] ^= 1;
	assert_int_equal(signify_verify_embedded(&pub, 1, data, size, &message, &length, NULL), SIGNIFY_E_BAD_SIGNATURE);
	for (size_t cut = 0; cut < size - 6; cut++)
		assert_int_not_equal(signify_verify_embedded(&pub, 1, data, cut, &message, &length, NULL), 0);
}

static void secret_with_passphrase(void **state)
{
	struct signify_public pub;
	struct signify_secret sec, back;
	_cleanup_free_ char *path = io_format("%s/k.sec", folder);
	bool encrypted;
	(void)state;

	assert_int_equal(signify_generate(&pub, &sec), 0);
	assert_int_equal(signify_write_secret(path, "k", &sec, "correct horse"), 0);
	assert_int_equal(signify_write_secret(path, "k", &sec, NULL), -EEXIST);
	assert_int_equal(signify_read_secret(path, NULL, &back, &encrypted), SIGNIFY_E_PASSPHRASE);
	assert_true(encrypted);
	assert_int_equal(signify_read_secret(path, "wrong", &back, NULL), SIGNIFY_E_PASSPHRASE);
	assert_int_equal(signify_read_secret(path, "correct horse", &back, NULL), 0);
	assert_memory_equal(back.key, sec.key, sizeof(sec.key));
	unlink(path);
}

static void public_text(void **state)
{
	struct signify_public pub, back;
	struct signify_secret sec;
	char text[SIGNIFY_PUBLIC_TEXT_SIZE];
	(void)state;

	assert_int_equal(signify_generate(&pub, &sec), 0);
	signify_public_to_text(&pub, text);
	assert_int_equal(signify_public_from_text(text, strlen(text), &back), 0);
	assert_memory_equal(&back, &pub, sizeof(pub));
	assert_int_equal(signify_public_from_text(text, strlen(text) - 1, &back), SIGNIFY_E_MALFORMED);
	text[0] = 'X';
	assert_int_equal(signify_public_from_text(text, strlen(text), &back), SIGNIFY_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pbkdf_known_answer),
		cmocka_unit_test(embedded_round_trip),
		cmocka_unit_test(secret_with_passphrase),
		cmocka_unit_test(public_text),
	};

	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests_name("signify", tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
