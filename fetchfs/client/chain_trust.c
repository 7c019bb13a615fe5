/* SPDX-License-Identifier: MIT */
/* Signatures, times, and what the cache remembers of both; see chain_private.h. */
#include "fetchfs/client/chain_private.h"
#include "common/message.h"

#include <stdarg.h>
#include <time.h>

#define URL_FOLDER ".urls"	/* no repository's name begins with a dot */
#define CLOCK_SLACK ((int64_t)24 * 60 * 60)

errint_t chain_set_trouble(struct chain_trouble *t, errint_t r, int exit_code, const char *format, ...)
{
	va_list args;

	t->exit_code = exit_code;
	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	return r;
}

void chain_format_time(int64_t when, char ret[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, 32, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(ret, 32, "unknown");
}

errint_t chain_refuse(struct chain_trouble *t, errint_t r, const char *where, const char *name, int64_t expires)
{
	char day[32], clock[32];

	switch (r) {
	case SIGNIFY_E_MALFORMED:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: it is not signed, or not what it should be (a login page of the network, a damaged "
					 "file?); check the URL, or publish again", where, name);
	case SIGNIFY_E_OTHER_KEY:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: it is signed with another key than the one given; check the key and the URL",
					 where, name);
	case SIGNIFY_E_BAD_SIGNATURE:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: its signature is wrong: it was altered after signing; publish again, "
					 "and find out who changed it", where, name);
	case TRUST_E_EXPIRED:
		chain_format_time(expires, day);
		chain_format_time((int64_t)time(NULL), clock);
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: it expired on %s; publish again (fetchfs publish), or set this machine's "
					 "clock right, which says %s", where, name, day, clock);
	case TRUST_E_NAME:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: keyring and manifest are of different repositories; check the server", where, name);
	case -EPROTONOSUPPORT:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: its format is newer than this program; update fetchfs", where, name);
	default:
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: %s", where, name, strerror(-r));
	}
}

void chain_choice_done(struct chain_choice *c)
{
	free(c->keyring_text);
	free(c->manifest_text);
	manifest_done(&c->manifest);
	memset(c, 0, sizeof(*c));
}

/* Signatures and names; the times are the caller's affair. */
static errint_t verify_signatures(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t)
{
	errint_t r = trust_open_keyring(config->keys, config->key_count, c->keyring_text, c->keyring_size, 0, &c->keyring);

	if (r < 0)
		return chain_refuse(t, r, where, KEYRING_FILE, 0);
	manifest_done(&c->manifest);
	r = trust_open_manifest(&c->keyring, c->manifest_text, c->manifest_size, 0, &c->manifest);
	if (r == SIGNIFY_E_OTHER_KEY)
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/" MANIFEST_FILE ": it is signed with a key that the keyring (serial %llu) does not hold: "
					 "the key was revoked or replaced; publish again with one that it holds", where,
					 (unsigned long long)c->keyring.serial);
	return r < 0 ? chain_refuse(t, r, where, MANIFEST_FILE, 0) : 0;
}

errint_t chain_read_cached(const struct chain_config *config, const char *name, struct chain_choice *ret)
{
	struct chain_trouble ignored;
	errint_t r;

	memset(ret, 0, sizeof(*ret));
	r = cache_read_text(config->cache, name, KEYRING_FILE, MANIFEST_MAX_SIZE, &ret->keyring_text, &ret->keyring_size);
	if (r == 0)
		r = cache_read_text(config->cache, name, MANIFEST_FILE, MANIFEST_MAX_SIZE, &ret->manifest_text, &ret->manifest_size);
	if (r == 0)
		r = verify_signatures(config, ret, "cache", &ignored);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}

int64_t chain_now(const struct chain_config *config, const char *name)
{
	int64_t now = (int64_t)time(NULL);
	struct chain_choice last;

	if (chain_read_cached(config, name, &last) < 0)
		return now;
	now = MAX(now, MAX(last.manifest.time, last.keyring.time));
	chain_choice_done(&last);
	return now;
}

errint_t chain_verify(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t)
{
	errint_t r = verify_signatures(config, c, where, t);
	int64_t now, clock = (int64_t)time(NULL);
	char day[32], reading[32];

	if (r < 0)
		return r;
	now = chain_now(config, c->keyring.name);
	if (now > c->keyring.expires)
		return chain_refuse(t, TRUST_E_EXPIRED, where, KEYRING_FILE, c->keyring.expires);
	if (now > c->manifest.expires)
		return chain_refuse(t, TRUST_E_EXPIRED, where, MANIFEST_FILE, c->manifest.expires);
	now = MAX(now, c->manifest.time);
	if (now - clock > CLOCK_SLACK) {
		chain_format_time(now, day);
		chain_format_time(clock, reading);
		snprintf(c->note, sizeof(c->note), "this machine's clock says %s, which is before %s, when %s revision %llu or one before it was signed; "
			 "signatures are judged by that time: set the clock", reading, day, c->manifest.name,
			 (unsigned long long)c->manifest.revision);
	}
	return 0;
}

errint_t chain_verify_untimed(const struct chain_config *config, struct chain_choice *c, const char *where, struct chain_trouble *t)
{
	return verify_signatures(config, c, where, t);
}

static void url_key(const char *url, char ret[17])
{
	struct digest d;

	digest_of(url, strlen(url), &d);
	for (unsigned i = 0; i < 8; i++)
		snprintf(ret + 2 * i, 3, "%02x", d.bytes[i]);
}

void chain_remember(const struct chain_config *config, const struct chain_choice *c, const char *url)
{
	const char *name = c->manifest.name;
	char key[17];

	url_key(url, key);
	(void)cache_write_text(config->cache, name, KEYRING_FILE, c->keyring_text, c->keyring_size);
	(void)cache_write_text(config->cache, name, MANIFEST_FILE, c->manifest_text, c->manifest_size);
	(void)cache_write_text(config->cache, URL_FOLDER, key, name, strlen(name));
}

errint_t chain_check_rollback(const struct chain_config *config, const struct chain_choice *c, const char *url, struct chain_trouble *t)
{
	struct chain_choice last;
	errint_t r = 0;

	if (chain_read_cached(config, c->manifest.name, &last) < 0)
		return 0;
	if (c->keyring.serial < last.keyring.serial)
		r = chain_set_trouble(t, -ESTALE, EXIT_DATA, "refused %s/" KEYRING_FILE ": serial %llu is older than serial %llu, which was accepted here before: "
				      "it may name keys that have been revoked; the server is out of date or set back. If that is intended, remove "
				      "%s/repositories/%s", url, (unsigned long long)c->keyring.serial, (unsigned long long)last.keyring.serial,
				      config->cache_path, c->manifest.name);
	else if (c->manifest.revision < last.manifest.revision)
		r = chain_set_trouble(t, -ESTALE, EXIT_DATA, "refused %s/" MANIFEST_FILE ": revision %llu is older than revision %llu, which was mounted from "
				      "here before; the server is out of date or set back. If that is intended, remove %s/repositories/%s", url,
				      (unsigned long long)c->manifest.revision, (unsigned long long)last.manifest.revision, config->cache_path,
				      c->manifest.name);
	chain_choice_done(&last);
	return r;
}

errint_t chain_find_offline(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t)
{
	errint_t r = -ENOENT;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; r < 0 && i < transport_mirrors(config->transport); i++) {
		_cleanup_free_ char *name = NULL;
		size_t size;
		char key[17];
		url_key(transport_url(config->transport, i), key);
		if (cache_read_text(config->cache, URL_FOLDER, key, MANIFEST_NAME_MAX, &name, &size) < 0 || !manifest_name_valid(name))
			continue;
		r = chain_read_cached(config, name, ret);
	}
	if (r == 0)
		r = chain_verify(config, ret, config->cache_path, t);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}
