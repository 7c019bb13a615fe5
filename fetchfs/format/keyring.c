/* SPDX-License-Identifier: MIT */
/* The keyring's text, and the chain of trust from a root key to a manifest; see manifest.h. */
#include "fetchfs/format/manifest.h"
#include "fetchfs/format/text.h"

enum keyring_key { KEY_NAME, KEY_SERIAL, KEY_TIME, KEY_EXPIRES, KEY_KEY, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = { "name", "serial", "time", "expires", "key" };

#define ALL_REQUIRED ((1u << KEY_KEY) - 1)

static errint_t parse_key(struct keyring *k, const struct text_line *l)
{
	if (k->key_count == KEYRING_MAX_KEYS)
		return -EBADMSG;
	if (signify_public_from_text(l->value, l->value_length, &k->keys[k->key_count]) < 0)
		return -EBADMSG;
	k->key_count++;
	return 0;
}

static errint_t parse_line(struct keyring *k, const struct text_line *l, unsigned *seen)
{
	unsigned key = 0;

	while (key < KEY_COUNT && !text_key_is(l, key_names[key]))
		key++;
	if (key < KEY_KEY && text_once(seen, key) < 0)
		return -EBADMSG;
	switch (key) {
	case KEY_NAME:
		return text_name(l->value, l->value_length, k->name);
	case KEY_SERIAL:
		return text_value_number(l, &k->serial);
	case KEY_TIME:
		return text_value_time(l, &k->time);
	case KEY_EXPIRES:
		return text_value_time(l, &k->expires);
	case KEY_KEY:
		return parse_key(k, l);
	default:
		return 0;	/* unknown keys are for later readers */
	}
}

static errint_t parse_all(struct text_cursor *c, struct keyring *k)
{
	struct text_line l;
	uint64_t version;
	unsigned seen = 0;
	errint_t r;

	if (text_next(c, &l) < 0 || !text_key_is(&l, "spore-keyring") || text_value_number(&l, &version) < 0 || version == 0)
		return -EBADMSG;
	if (version != 1)
		return -EPROTONOSUPPORT;
	while ((r = text_next(c, &l)) == 0) {
		r = parse_line(k, &l, &seen);
		if (r < 0)
			return r;
	}
	if (r != -ENODATA)
		return r;
	return seen == ALL_REQUIRED && k->key_count > 0 ? 0 : -EBADMSG;
}

errint_t keyring_parse(const char *text, size_t size, struct keyring *ret, unsigned *ret_line)
{
	struct text_cursor c = { .at = text, .end = text + size };
	errint_t r;

	*ret = (struct keyring){ .name = "" };
	r = size <= MANIFEST_MAX_SIZE ? parse_all(&c, ret) : -EBADMSG;
	if (ret_line)
		*ret_line = c.line;
	return r;
}

errint_t keyring_format(const struct keyring *k, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "spore-keyring: 1\nname: %s\nserial: %llu\ntime: %lld\nexpires: %lld\n", k->name, (unsigned long long)k->serial,
		(long long)k->time, (long long)k->expires);
	for (size_t i = 0; i < k->key_count; i++) {
		char key[SIGNIFY_PUBLIC_TEXT_SIZE];
		signify_public_to_text(&k->keys[i], key);
		fprintf(f, "key: %s\n", key);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret_text = steal_ptr(text);
	return 0;
}

errint_t trust_open_keyring(const struct signify_public *roots, size_t root_count, const char *data, size_t size, int64_t now,
			    struct keyring *ret)
{
	const char *text;
	size_t text_size;
	errint_t r = signify_verify_embedded(roots, root_count, data, size, &text, &text_size, NULL);

	if (r < 0)
		return r;
	r = keyring_parse(text, text_size, ret, NULL);
	if (r < 0)
		return r;
	return now == 0 || now <= ret->expires ? 0 : TRUST_E_EXPIRED;
}

errint_t trust_open_manifest(const struct keyring *k, const char *data, size_t size, int64_t now, struct manifest *ret)
{
	const char *text;
	size_t text_size;
	errint_t r = signify_verify_embedded(k->keys, k->key_count, data, size, &text, &text_size, NULL);

	if (r < 0)
		return r;
	r = manifest_parse(text, text_size, ret, NULL);
	if (r < 0)
		return r;
	if (strcmp(ret->name, k->name) != 0)
		r = TRUST_E_NAME;
	else if (now != 0 && now > ret->expires)
		r = TRUST_E_EXPIRED;
	if (r < 0)
		manifest_done(ret);
	return r;
}
