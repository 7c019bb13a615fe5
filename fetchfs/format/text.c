/* SPDX-License-Identifier: MIT */
/* Lines of "key: value"; see text.h. */
#include "fetchfs/format/text.h"

#define TIME_MAX ((int64_t)1 << 53)	/* far enough; exact in a double, for those who read JSON */

errint_t text_next(struct text_cursor *c, struct text_line *ret)
{
	const char *end, *colon;

	if (c->at == c->end)
		return -ENODATA;
	c->line++;
	end = memchr(c->at, '\n', (size_t)(c->end - c->at));
	if (!end)
		return -EBADMSG;
	for (const char *p = c->at; p < end; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return -EBADMSG;
	colon = memchr(c->at, ':', (size_t)(end - c->at));
	if (!colon || colon == c->at || end - colon < 3 || colon[1] != ' ')
		return -EBADMSG;
	*ret = (struct text_line){ .key = c->at, .key_length = (size_t)(colon - c->at), .value = colon + 2,
		.value_length = (size_t)(end - colon - 2) };
	c->at = end + 1;
	return 0;
}

bool text_key_is(const struct text_line *l, const char *key)
{
	return l->key_length == strlen(key) && memcmp(l->key, key, l->key_length) == 0;
}

errint_t text_word(struct text_line *l, const char **ret, size_t *ret_length)
{
	const char *space = memchr(l->value, ' ', l->value_length);
	size_t length = space ? (size_t)(space - l->value) : l->value_length;
	size_t taken = length + (space ? 1 : 0);

	if (length == 0)
		return -EBADMSG;
	*ret = l->value;
	*ret_length = length;
	l->value += taken;
	l->value_length -= taken;
	return 0;
}

errint_t text_number(const char *text, size_t length, uint64_t *ret)
{
	uint64_t value = 0;

	if (length == 0 || (length > 1 && text[0] == '0'))
		return -EBADMSG;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -EBADMSG;
	}
	*ret = value;
	return 0;
}

errint_t text_time(const char *text, size_t length, int64_t *ret)
{
	uint64_t value;
	errint_t r = text_number(text, length, &value);

	if (r < 0)
		return r;
	if (value > (uint64_t)TIME_MAX)
		return -EBADMSG;
	*ret = (int64_t)value;
	return 0;
}

errint_t text_value_number(const struct text_line *l, uint64_t *ret)
{
	return text_number(l->value, l->value_length, ret);
}

errint_t text_value_time(const struct text_line *l, int64_t *ret)
{
	return text_time(l->value, l->value_length, ret);
}

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool manifest_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > MANIFEST_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!name_character(name[i]))
			return false;
	return true;
}

errint_t text_name(const char *text, size_t length, char ret[MANIFEST_NAME_MAX + 1])
{
	if (length > MANIFEST_NAME_MAX)
		return -EBADMSG;
	memcpy(ret, text, length);
	ret[length] = '\0';
	return manifest_name_valid(ret) ? 0 : -EBADMSG;
}

errint_t text_once(unsigned *seen, unsigned bit)
{
	if (*seen & 1u << bit)
		return -EBADMSG;
	*seen |= 1u << bit;
	return 0;
}
