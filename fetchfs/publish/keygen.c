/* SPDX-License-Identifier: MIT */
/* fetchfs keygen: a new pair of keys in signify's format. */
#include "common/io.h"
#include "common/signify.h"
#include "fetchfs/publish/keys.h"
#include "fetchfs/publish/publish.h"

#include <sodium.h>

struct keygen {
	const char *comment;
	const char *passphrase_file;
	bool encrypt;
};

static struct keygen settings;

static int on_option(void *context, int id, const char *value)
{
	struct keygen *k = context;

	switch (id) {
	case 'c':
		k->comment = value;
		break;
	case 'p':
		k->encrypt = true;
		break;
	case 'f':
		k->encrypt = true;
		k->passphrase_file = value;
		break;
	}
	return 0;
}

static errint_t write_pair(const struct keygen *k, const char *base, const char *passphrase, struct trouble *t)
{
	_cleanup_free_ char *public_path = io_format("%s.pub", base);
	_cleanup_free_ char *secret_path = io_format("%s.sec", base);
	_cleanup_free_ char *public_comment = io_format("%s public key", k->comment ? k->comment : "fetchfs");
	_cleanup_free_ char *secret_comment = io_format("%s secret key", k->comment ? k->comment : "fetchfs");
	const char *existing = NULL;
	struct signify_public public;
	struct signify_secret secret;
	errint_t r;

	if (!public_path || !secret_path || !public_comment || !secret_comment)
		return -ENOMEM;
	/* Both or none: a lone half would only confuse. */
	if (access(public_path, F_OK) == 0)
		existing = public_path;
	else if (access(secret_path, F_OK) == 0)
		existing = secret_path;
	if (existing)
		return trouble_set(t, -EEXIST, EXIT_CANNOT_CREATE, "%s exists already; a key is never overwritten", existing);
	r = signify_generate(&public, &secret);
	if (r < 0)
		return trouble_errno(t, r, "cannot make a key");
	r = signify_write_secret(secret_path, secret_comment, &secret, passphrase);
	signify_secret_wipe(&secret);
	if (r < 0)
		return trouble_set(t, r, EXIT_CANNOT_CREATE, "cannot write %s: %s", secret_path, strerror(-r));
	r = signify_write_public(public_path, public_comment, &public);
	if (r < 0) {
		unlink(secret_path);
		return trouble_set(t, r, EXIT_CANNOT_CREATE, "cannot write %s: %s", public_path, strerror(-r));
	}
	return 0;
}

static int run(void *context, int operands, char **operand)
{
	struct keygen *k = context;
	struct trouble t = { 0 };
	char passphrase[PASSPHRASE_MAX] = "";
	errint_t r = 0;

	(void)operands;
	if (k->comment && strpbrk(k->comment, "\r\n")) {
		message_error("the comment must be one line");
		return EXIT_USAGE;
	}
	if (k->encrypt)
		r = keys_read_passphrase(k->passphrase_file, operand[0], true, passphrase, &t);
	if (r == 0)
		r = write_pair(k, operand[0], k->encrypt ? passphrase : NULL, &t);
	sodium_memzero(passphrase, sizeof(passphrase));
	if (r < 0)
		return trouble_report(&t, r);
	message_note("wrote %s.sec (keep it secret) and %s.pub", operand[0], operand[0]);
	return 0;
}

static const struct option_spec options[] = {
	{ 'c', "comment", "TEXT", "name the key in its comment line", 'c' },
	{ 'p', "passphrase", NULL, "encrypt the secret key with a passphrase that is asked for", 'p' },
	{ 0, "passphrase-file", "FILE", "encrypt the secret key with the first line of FILE", 'f' },
	{ 0 }
};

const struct command keygen_command = {
	.name = "keygen", .operands = "KEYBASE", .summary = "make a pair of keys, KEYBASE.pub and KEYBASE.sec", .options = options,
	.on_option = on_option, .min_operands = 1, .max_operands = 1, .run = run, .context = &settings,
};
