/* SPDX-License-Identifier: MIT */
/*
 * Choices that outlast a mount: in the file that the mount names, and, where the same question will always have the same answer (a revision, a past date), in
 * the cache. See chain_private.h and docs/format-pin.md.
 */
#include "fetchfs/client/chain_private.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/broker.h"

#include <time.h>

#define PIN_FOLDER ".pins"	/* no repository's name begins with a dot */

/* The same question to the same repository: by its first URL. */
static void kept_key(const struct chain_config *config, char ret[17])
{
	char select[PIN_SELECT_SIZE];
	struct digest_state state;
	const char *url = transport_url(config->transport, 0);
	struct digest d;

	chain_selector(config, select);
	digest_begin(&state);
	digest_add(&state, url, strlen(url) + 1);
	digest_add(&state, select, strlen(select));
	digest_end(&state, &d);
	for (unsigned i = 0; i < 8; i++)
		snprintf(ret + 2 * i, 3, "%02x", d.bytes[i]);
}

static errint_t copy_texts(const struct pin *p, struct chain_choice *ret)
{
	ret->keyring_text = malloc(p->keyring_size + 1);
	ret->manifest_text = malloc(p->manifest_size + 1);
	if (!ret->keyring_text || !ret->manifest_text)
		return -ENOMEM;
	memcpy(ret->keyring_text, p->keyring, p->keyring_size);
	memcpy(ret->manifest_text, p->manifest, p->manifest_size);
	ret->keyring_text[p->keyring_size] = ret->manifest_text[p->manifest_size] = '\0';
	ret->keyring_size = p->keyring_size;
	ret->manifest_size = p->manifest_size;
	return 0;
}

/* A key may have been revoked since: the newest keyring that was accepted here counts. */
static errint_t check_revoked(const struct chain_config *config, const struct chain_choice *c, const char *where, struct chain_trouble *t)
{
	struct chain_choice last;
	struct manifest again;
	errint_t r = 0;

	if (chain_read_cached(config, c->manifest.name, &last) < 0)
		return 0;
	if (last.keyring.serial > c->keyring.serial)
		r = trust_open_manifest(&last.keyring, c->manifest_text, c->manifest_size, 0, &again);
	if (r < 0)
		chain_set_trouble(t, r, EXIT_DATA, "refused %s: the key that signed revision %llu was revoked by keyring serial %llu; remove it to take "
				  "the newest revision", where, (unsigned long long)c->manifest.revision, (unsigned long long)last.keyring.serial);
	else if (last.keyring.serial > c->keyring.serial)
		manifest_done(&again);
	chain_choice_done(&last);
	return r;
}

static errint_t check_kept(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t)
{
	errint_t r = chain_verify_untimed(config, c, where, t);
	int64_t expires;
	char day[32];

	if (r == 0)
		r = check_revoked(config, c, where, t);
	if (r < 0)
		return r;
	/* Kept on purpose, so it stays usable: but nobody vouches any more that it is up to date. */
	expires = MIN(c->manifest.expires, c->keyring.expires);
	if (!config->revision && !config->date && (int64_t)time(NULL) > expires) {
		chain_format_time(expires, day);
		snprintf(c->note, sizeof(c->note), "revision %llu is pinned and mounted though it expired on %s; take a newer one",
			 (unsigned long long)c->manifest.revision, day);
	}
	c->kept = true;
	return 0;
}

/* -ENOENT: it was made for another question. */
static errint_t open_kept(const struct chain_config *config, const char *text, size_t size, const char *where, struct chain_choice *ret,
			  struct chain_trouble *t)
{
	char select[PIN_SELECT_SIZE];
	struct pin p;
	errint_t r = pin_parse(text, size, &p);

	if (r < 0)
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s: %s; remove it to take the newest revision", where,
					 r == -EPROTONOSUPPORT ? "its format is newer than this program" : "it is damaged, or no choice of a revision");
	chain_selector(config, select);
	if (strcmp(select, p.select) != 0)
		return -ENOENT;
	r = copy_texts(&p, ret);
	if (r == 0)
		r = check_kept(config, ret, where, t);
	/* A tag's revision is not the manifest's own; the others are. */
	if (r == 0 && config->tag)
		r = chain_select(config, ret, t);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}

static errint_t read_pin_file(const char *path, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = broker_open(path);
	char *text = fd >= 0 ? malloc(PIN_MAX_SIZE + 1) : NULL;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (!text)
		return -ENOMEM;
	n = io_pread_full(fd, text, PIN_MAX_SIZE + 1, 0);
	if (n < 0 || n > (ssize_t)PIN_MAX_SIZE) {
		free(text);
		return n < 0 ? (errint_t)n : -EFBIG;
	}
	*ret = text;
	*ret_size = (size_t)n;
	return 0;
}

errint_t chain_read_kept(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t)
{
	_cleanup_free_ char *text = NULL;
	char key[17];
	size_t size;
	errint_t r;

	if (config->pin_file) {
		r = read_pin_file(config->pin_file, &text, &size);
		if (r < 0 && r != -ENOENT)
			return chain_set_trouble(t, r, EXIT_NO_INPUT, "cannot read the pinned choice %s: %s", config->pin_file, strerror(-r));
		return r < 0 ? r : open_kept(config, text, size, config->pin_file, ret, t);
	}
	if (!config->revision && !config->date)
		return -ENOENT;
	kept_key(config, key);
	if (cache_read_text(config->cache, PIN_FOLDER, key, PIN_MAX_SIZE, &text, &size) < 0)
		return -ENOENT;
	/* What is wrong in the cache is fetched again. */
	r = open_kept(config, text, size, config->cache_path, ret, t);
	if (r < 0)
		memset(t, 0, sizeof(*t));
	return r < 0 ? -ENOENT : 0;
}

errint_t chain_format(const struct chain_config *config, const struct chain_choice *c, char **ret_text, size_t *ret_size)
{
	struct pin p = { .keyring = c->keyring_text, .keyring_size = c->keyring_size, .manifest = c->manifest_text, .manifest_size = c->manifest_size };

	chain_selector(config, p.select);
	return pin_format(&p, ret_text, ret_size);
}

errint_t chain_restore(const struct chain_config *config, const char *text, size_t size, struct chain_choice *ret, struct chain_trouble *t)
{
	struct pin p;
	errint_t r = pin_parse(text, size, &p);

	memset(t, 0, sizeof(*t));
	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = copy_texts(&p, ret);
	if (r == 0)
		r = chain_verify_untimed(config, ret, "the worker before", t);
	if (r == 0 && config->tag)
		r = chain_select(config, ret, t);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}

errint_t chain_keep(const struct chain_config *config, const struct chain_choice *c, struct chain_trouble *t)
{
	_cleanup_free_ char *text = NULL;
	char key[17];
	size_t size;
	errint_t r = chain_format(config, c, &text, &size);

	if (r == 0 && config->pin_file) {
		r = broker_write_file(config->pin_file, 0600, text, size);
		if (r < 0)
			return chain_set_trouble(t, r, EXIT_CANNOT_CREATE, "cannot write the pinned choice %s: %s", config->pin_file, strerror(-r));
	}
	if (r == 0 && c->lasting) {
		kept_key(config, key);
		(void)cache_write_text(config->cache, PIN_FOLDER, key, text, size);
	}
	return r;
}
