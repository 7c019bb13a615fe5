/* SPDX-License-Identifier: MIT */
/* fetchfs init: a new, empty repository with its keyring. Nothing is served from it before the first publish. */
#include "fetchfs/format/manifest.h"
#include "fetchfs/publish/keys.h"
#include "fetchfs/publish/publish.h"
#include "fetchfs/publish/repository.h"

#define DAY ((int64_t)24 * 60 * 60)
#define DEFAULT_DAYS 3652	/* ten years */

struct init {
	const char *name, *key, *root_key, *passphrase_file;
	uint64_t days;
};

static struct init settings = { .days = DEFAULT_DAYS };

static int on_option(void *context, int id, const char *value)
{
	struct init *i = context;

	switch (id) {
	case 'n':
		i->name = value;
		break;
	case 'k':
		i->key = value;
		break;
	case 'r':
		i->root_key = value;
		break;
	case 'f':
		i->passphrase_file = value;
		break;
	case 'e':
		if (parse_number(value, 1, 36525, &i->days) < 0) {
			message_error("--expires: expected a number of days from 1 to 36525, not '%s'", value);
			return EXIT_USAGE;
		}
		break;
	}
	return 0;
}

static errint_t make_keyring(const struct init *i, const struct signify_secret *root, char **ret_data, size_t *ret_size, struct trouble *t)
{
	_cleanup_free_ char *text = NULL, *comment = keys_comment(i->root_key);
	struct keyring k = { .serial = 1, .key_count = 1 };
	size_t size;
	errint_t r;

	snprintf(k.name, sizeof(k.name), "%s", i->name);
	if (source_date(&k.time) < 0)
		return trouble_set(t, -EINVAL, EXIT_USAGE, "SOURCE_DATE_EPOCH is no number of seconds");
	k.expires = k.time + (int64_t)i->days * DAY;
	r = keys_read_public(i->key, &k.keys[0], t);
	if (r == 0)
		r = keyring_format(&k, &text, &size);
	if (r == 0)
		r = comment ? signify_sign_embedded(root, comment, text, size, ret_data, ret_size) : -ENOMEM;
	return r;
}

static errint_t write_repository(const char *path, const char *keyring, size_t size, struct trouble *t)
{
	struct repository r = { .path = path, .fd = -1, .lock = -1 };
	errint_t e = repository_create(path, t);

	if (e < 0)
		return e;
	e = repository_open_new(path, &r, t);
	if (e == 0)
		e = repository_put_text(&r, KEYRING_FILE, keyring, size);
	repository_close(&r);
	return e < 0 ? trouble_errno(t, e, "cannot write the keyring into %s", path) : 0;
}

static int run(void *context, int operands, char **operand)
{
	struct init *i = context;
	struct trouble t = { 0 };
	struct signify_secret root;
	_cleanup_free_ char *keyring = NULL;
	size_t size;
	errint_t r;

	(void)operands;
	if (!i->name || !i->key) {
		message_error("the repository's name (-n) and key (-k) are needed; see 'fetchfs init --help'");
		return EXIT_USAGE;
	}
	if (!manifest_name_valid(i->name)) {
		message_error("'%s' cannot name a repository: up to %d letters, digits, '.', '_' and '-', the first a letter or digit",
			      i->name, MANIFEST_NAME_MAX);
		return EXIT_USAGE;
	}
	if (!i->root_key)
		i->root_key = i->key;
	r = keys_read_secret(i->root_key, i->passphrase_file, &root, &t);
	if (r == 0) {
		r = make_keyring(i, &root, &keyring, &size, &t);
		signify_secret_wipe(&root);
	}
	if (r == 0)
		r = write_repository(operand[0], keyring, size, &t);
	if (r < 0)
		return trouble_report(&t, r);
	message_note("made repository '%s' in %s; clients trust it by %s.pub", i->name, operand[0], i->root_key);
	return 0;
}

static const struct option_spec options[] = {
	{ 'n', "name", "NAME", "the repository's name, which clients check", 'n' },
	{ 'k', "key", "KEYBASE", "the key that signs revisions", 'k' },
	{ 0, "root-key", "KEYBASE", "the key that signs the keyring and that clients carry (default: the same key)", 'r' },
	{ 0, "expires", "DAYS", "how long the keyring is valid (default: 3652, ten years)", 'e' },
	{ 0, "passphrase-file", "FILE", "passphrase of an encrypted root key: the first line of FILE", 'f' },
	{ 0 }
};

const struct command init_command = {
	.name = "init", .operands = "REPO", .summary = "make a new, empty repository", .options = options, .on_option = on_option,
	.min_operands = 1, .max_operands = 1, .run = run, .context = &settings,
};
