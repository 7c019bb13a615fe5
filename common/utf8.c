/* SPDX-License-Identifier: MIT */
/* UTF-8 and UTF-16; see utf8.h. */
#include "common/utf8.h"

#define REPLACEMENT 0xfffd

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c < 0xe000;
}

size_t utf8_next(const char *text, uint32_t *ret)
{
	const uint8_t *s = (const uint8_t *)text;
	static const uint32_t smallest[] = { 0, 0x80, 0x800, 0x10000 };
	size_t more = s[0] < 0x80 ? 0 : s[0] < 0xc2 ? 4 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : 4;

	*ret = REPLACEMENT;
	if (more == 4)
		return 1;
	uint32_t c = more ? s[0] & (0x3fu >> more) : s[0];
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[more] || c > 0x10ffff || is_surrogate(c))
		return 1;
	*ret = c;
	return more + 1;
}

size_t utf8_put(uint32_t c, char ret[4])
{
	if (c > 0x10ffff || is_surrogate(c))
		c = REPLACEMENT;
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t first[] = { 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = more; i > 0; i--) {
		ret[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	ret[0] = (char)(first[more] | c);
	return more + 1;
}

void utf8_from_utf16le(const uint8_t *units, size_t count, char *ret)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t c = le16_get(units + 2 * i);
		if (c == 0)
			break;
		uint32_t low = i + 1 < count ? le16_get(units + 2 * i + 2) : 0;
		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i++;
		}
		char bytes[4];
		size_t n = utf8_put(c, bytes);
		memcpy(ret, bytes, n);
		ret += n;
	}
	*ret = '\0';
}

errint_t utf8_to_utf16le(const char *s, uint8_t *ret, size_t max, size_t *ret_count)
{
	size_t count = 0;

	while (*s) {
		uint32_t c;
		s += utf8_next(s, &c);
		size_t wanted = c >= 0x10000 ? 2 : 1;
		if (count + wanted > max) {
			*ret_count = count;
			return -ENAMETOOLONG;
		}
		if (wanted == 2) {
			c -= 0x10000;
			le16_put(ret + 2 * count++, (uint16_t)(0xd800 + (c >> 10)));
			c = 0xdc00 + (c & 0x3ff);
		}
		le16_put(ret + 2 * count++, (uint16_t)c);
	}
	*ret_count = count;
	return 0;
}
