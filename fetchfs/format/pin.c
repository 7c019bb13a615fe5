/* SPDX-License-Identifier: MIT */
/* Reading and writing of kept choices; see pin.h. */
#include "fetchfs/format/pin.h"
#include "fetchfs/format/text.h"

enum pin_key { KEY_SELECT, KEY_KEYRING, KEY_MANIFEST, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = { "select", "keyring", "manifest" };

static errint_t parse_size_value(const struct text_line *l, size_t *ret)
{
	uint64_t value;

	if (text_value_number(l, &value) < 0 || value == 0 || value > MANIFEST_MAX_SIZE)
		return -EBADMSG;
	*ret = (size_t)value;
	return 0;
}

static errint_t parse_line(struct pin *p, const struct text_line *l, unsigned *seen)
{
	unsigned key = 0;

	while (key < KEY_COUNT && !text_key_is(l, key_names[key]))
		key++;
	if (key < KEY_COUNT && text_once(seen, key) < 0)
		return -EBADMSG;
	switch (key) {
	case KEY_SELECT:
		if (l->value_length >= sizeof(p->select))
			return -EBADMSG;
		memcpy(p->select, l->value, l->value_length);
		p->select[l->value_length] = '\0';
		return 0;
	case KEY_KEYRING:
		return parse_size_value(l, &p->keyring_size);
	case KEY_MANIFEST:
		return parse_size_value(l, &p->manifest_size);
	default:
		return 0;	/* unknown keys are for later readers */
	}
}

errint_t pin_parse(const char *text, size_t size, struct pin *ret)
{
	/* The header ends with an empty line, which is no line of "key: value". */
	const char *end = size <= PIN_MAX_SIZE ? memmem(text, size, "\n\n", 2) : NULL;
	struct text_cursor c = { .at = text, .end = end ? end + 1 : text };
	struct text_line l;
	unsigned seen = 0;
	uint64_t version;
	errint_t r;

	*ret = (struct pin){ .select = "" };
	if (!end || text_next(&c, &l) < 0 || !text_key_is(&l, "spore-pin") || text_value_number(&l, &version) < 0 || version == 0)
		return -EBADMSG;
	if (version != 1)
		return -EPROTONOSUPPORT;
	while ((r = text_next(&c, &l)) == 0) {
		r = parse_line(ret, &l, &seen);
		if (r < 0)
			return r;
	}
	if (r != -ENODATA || seen != (1u << KEY_COUNT) - 1)
		return -EBADMSG;
	ret->keyring = end + 2;
	ret->manifest = ret->keyring + ret->keyring_size;
	/* Both are at most 1 MiB: no overflow. */
	return ret->keyring_size + ret->manifest_size == (size_t)(text + size - ret->keyring) ? 0 : -EBADMSG;
}

errint_t pin_format(const struct pin *p, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "spore-pin: 1\nselect: %s\nkeyring: %zu\nmanifest: %zu\n\n", p->select, p->keyring_size, p->manifest_size);
	fwrite(p->keyring, 1, p->keyring_size, f);
	fwrite(p->manifest, 1, p->manifest_size, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret_text = steal_ptr(text);
	return 0;
}
