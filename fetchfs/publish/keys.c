/* SPDX-License-Identifier: MIT */
/* Keys of the publisher; see keys.h. */
#include "fetchfs/publish/keys.h"
#include "common/io.h"

#include <fcntl.h>
#include <sodium.h>
#include <termios.h>

#define TERMINAL "/dev/tty"

char *keys_comment(const char *base)
{
	const char *slash = strrchr(base, '/');

	return io_format("verify with %s.pub", slash ? slash + 1 : base);
}

static errint_t passphrase_from_file(const char *path, char ret[PASSPHRASE_MAX], struct trouble *t)
{
	_cleanup_free_ char *text = NULL;
	size_t size, length;
	errint_t r = io_read_file(path, 64 * 1024, &text, &size);

	if (r < 0)
		return trouble_errno(t, r, "cannot read the passphrase from %s", path);
	length = strcspn(text, "\r\n");
	if (length == 0 || length >= PASSPHRASE_MAX) {
		sodium_memzero(text, size);
		return trouble_set(t, -EINVAL, EXIT_DATA, "%s: its first line is no passphrase (1 to %d bytes)", path, PASSPHRASE_MAX - 1);
	}
	memcpy(ret, text, length);
	ret[length] = '\0';
	sodium_memzero(text, size);
	return 0;
}

/* One line without echo. */
static errint_t ask(int terminal, const char *question, char ret[PASSPHRASE_MAX])
{
	struct termios before, quiet;
	size_t used = 0;
	bool changed;
	char c;

	changed = tcgetattr(terminal, &before) == 0;
	if (changed) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(terminal, TCSAFLUSH, &quiet);
	}
	io_write_full(terminal, question, strlen(question));
	while (read(terminal, &c, 1) == 1 && c != '\n' && c != '\r')
		if (used + 1 < PASSPHRASE_MAX)
			ret[used++] = c;
	ret[used] = '\0';
	io_write_full(terminal, "\n", 1);
	if (changed)
		tcsetattr(terminal, TCSAFLUSH, &before);
	return used ? 0 : -EACCES;
}

errint_t keys_read_passphrase(const char *file, const char *base, bool is_new, char ret[PASSPHRASE_MAX], struct trouble *t)
{
	_cleanup_close_ int terminal = -1;
	_cleanup_free_ char *question = NULL;
	char again[PASSPHRASE_MAX] = "";
	errint_t r;

	if (!file)
		file = getenv("FETCHFS_PASSPHRASE_FILE");
	if (file && *file)
		return passphrase_from_file(file, ret, t);
	terminal = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return trouble_set(t, -EACCES, EXIT_NO_PERMISSION,
				   "the key %s.sec wants a passphrase and there is no terminal to ask on: use --passphrase-file=FILE or "
				   "FETCHFS_PASSPHRASE_FILE", base);
	question = io_format("%sassphrase for %s.sec: ", is_new ? "New p" : "P", base);
	r = question ? ask(terminal, question, ret) : -ENOMEM;
	if (r == 0 && is_new && ask(terminal, "The same again: ", again) == 0 && strcmp(again, ret) != 0)
		r = trouble_set(t, -EACCES, EXIT_DATA, "the two passphrases differ");
	sodium_memzero(again, sizeof(again));
	return r < 0 ? trouble_set(t, r, EXIT_NO_PERMISSION, "no passphrase was given for %s.sec", base) : 0;
}

static errint_t read_encrypted(const char *path, const char *base, const char *passphrase_file, struct signify_secret *ret,
			       struct trouble *t)
{
	char passphrase[PASSPHRASE_MAX];
	errint_t r = keys_read_passphrase(passphrase_file, base, false, passphrase, t);

	if (r == 0) {
		r = signify_read_secret(path, passphrase, ret, NULL);
		if (r == SIGNIFY_E_PASSPHRASE)
			trouble_set(t, r, EXIT_NO_PERMISSION, "the passphrase of %s is wrong", path);
		else if (r < 0)
			trouble_errno(t, r, "cannot read the secret key %s", path);
	}
	sodium_memzero(passphrase, sizeof(passphrase));
	return r;
}

errint_t keys_read_secret(const char *base, const char *passphrase_file, struct signify_secret *ret, struct trouble *t)
{
	_cleanup_free_ char *path = io_format("%s.sec", base);
	bool encrypted = false;
	errint_t r = path ? signify_read_secret(path, NULL, ret, &encrypted) : -ENOMEM;

	if (r == SIGNIFY_E_PASSPHRASE && encrypted)
		return read_encrypted(path, base, passphrase_file, ret, t);
	if (r == SIGNIFY_E_MALFORMED)
		return trouble_set(t, r, EXIT_DATA, "%s is no secret key of fetchfs or signify", path);
	return r < 0 ? trouble_errno(t, r, "cannot read the secret key %s.sec ('fetchfs keygen %s' makes one)", base, base) : 0;
}

errint_t keys_read_public_file(const char *path, struct signify_public *ret, struct trouble *t)
{
	errint_t r = signify_read_public(path, ret);

	if (r == SIGNIFY_E_MALFORMED)
		return trouble_set(t, r, EXIT_DATA, "%s is no public key of fetchfs or signify", path);
	return r < 0 ? trouble_errno(t, r, "cannot read the public key %s", path) : 0;
}

errint_t keys_read_public(const char *base, struct signify_public *ret, struct trouble *t)
{
	_cleanup_free_ char *path = io_format("%s.pub", base);

	return path ? keys_read_public_file(path, ret, t) : -ENOMEM;
}
