/* SPDX-License-Identifier: MIT */
/* Short and long names; see fat_name.h. */
#include "common/utf8.h"
#include "mkimage/fat.h"
#include "mkimage/fat_name.h"

const uint8_t fat_unit_offsets[FAT_UNITS_PER_ENTRY] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };

uint8_t fat_short_checksum(const uint8_t name[11])
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Of the upper-case form. */
static bool short_character(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'()-@^_`{}~", c));
}

static bool long_characters(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || strchr("\\/:*?\"<>|", name[i]))
			return false;
	return size > 0 && name[size - 1] != '.' && name[size - 1] != ' ' && name[0] != ' ';
}

/* 8.3 as it stands, but for the case of letters. */
static bool fill_plain(const char *name, size_t size, uint8_t *ret)
{
	const char *dot = memchr(name, '.', size);
	size_t base = dot ? (size_t)(dot - name) : size;
	size_t extension = dot ? size - base - 1 : 0;

	if (base == 0 || base > 8 || extension > 3 || (dot && extension == 0))
		return false;
	memset(ret, ' ', 11);
	for (size_t i = 0; i < size; i++) {
		if (i == base)
			continue;
		if (!short_character(upper(name[i])))
			return false;
		ret[i < base ? i : 8 + i - base - 1] = (uint8_t)upper(name[i]);
	}
	return true;
}

/* "LONGNA~1.EXT": what can stay of the name, and a number. */
static errint_t fill_numbered(const char *name, size_t size, unsigned int number, uint8_t *ret)
{
	char tail[8];
	int digits = snprintf(tail, sizeof(tail), "~%u", number);
	size_t dot = size, used = 0, room;

	if (number > 99999)
		return -ENAMETOOLONG;
	for (size_t i = 1; i < size; i++)
		if (name[i] == '.')
			dot = i;
	room = 8 - (size_t)digits;
	memset(ret, ' ', 11);
	for (size_t i = 0; i < dot && used < room; i++) {
		char c = upper(name[i]);
		if (c == '.' || c == ' ' || ((unsigned char)c & 0xc0) == 0x80)
			continue;
		ret[used++] = (uint8_t)(short_character(c) ? c : '_');
	}
	memcpy(ret + used, tail, (size_t)digits);
	used = 8;
	for (size_t i = dot + 1; i < size && used < 11; i++) {
		char c = upper(name[i]);
		if (c == ' ' || ((unsigned char)c & 0xc0) == 0x80)
			continue;
		ret[used++] = (uint8_t)(short_character(c) ? c : '_');
	}
	return 0;
}

static bool is_upper_case(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (name[i] != upper(name[i]))
			return false;
	return true;
}

errint_t fat_name_make(const char *name, size_t size, unsigned int attempt, struct fat_name *ret)
{
	char text[4 * FAT_LONG_UNITS + 1];
	errint_t r = 0;

	if (!long_characters(name, size))
		return -EINVAL;
	if (size >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, name, size);
	text[size] = '\0';
	bool plain = fill_plain(name, size, ret->short_name);
	if (attempt == 0 && !plain)
		return -EAGAIN;
	if (attempt > 0)
		r = fill_numbered(name, size, attempt, ret->short_name);
	if (r < 0)
		return r;
	ret->count = 0;
	if (attempt == 0 && is_upper_case(name, size))
		return 0;
	return utf8_to_utf16le(text, ret->units, FAT_LONG_UNITS, &ret->count);
}

size_t fat_name_entries(const struct fat_name *n)
{
	return 1 + (n->count + FAT_UNITS_PER_ENTRY - 1) / FAT_UNITS_PER_ENTRY;
}

size_t fat_name_write_long(const struct fat_name *n, uint8_t *ret)
{
	size_t entries = fat_name_entries(n) - 1;
	uint8_t checksum = fat_short_checksum(n->short_name);

	for (size_t i = 0; i < entries; i++) {
		/* The last stretch of the name comes first. */
		size_t sequence = entries - i;
		uint8_t *e = ret + i * FAT_ENTRY;
		memset(e, 0, FAT_ENTRY);
		e[0] = (uint8_t)(sequence | (i == 0 ? 0x40 : 0));
		e[11] = FAT_ATTR_LONG;
		e[13] = checksum;
		for (size_t u = 0; u < FAT_UNITS_PER_ENTRY; u++) {
			size_t at = (sequence - 1) * FAT_UNITS_PER_ENTRY + u;
			uint16_t unit = at < n->count ? le16_get(n->units + 2 * at) : at == n->count ? 0 : 0xffff;
			le16_put(e + fat_unit_offsets[u], unit);
		}
	}
	return entries * FAT_ENTRY;
}

bool fat_name_from_short(const uint8_t short_name[11], uint8_t case_flags, char ret[13])
{
	size_t used = 0;

	for (int i = 0; i < 11; i++) {
		uint8_t c = i == 0 && short_name[0] == 0x05 ? 0xe5 : short_name[i];
		if (c == ' ')
			continue;
		if (c < ' ' || c == 0x7f || strchr("\"*+,./:;<=>?[\\]|", c))
			return false;
		if (i >= 8 && !memchr(ret, '.', used))
			ret[used++] = '.';
		bool lower = case_flags & (i < 8 ? 0x08 : 0x10);
		/* Code pages other than ASCII are not known here. */
		ret[used++] = c >= 0x80 ? '_' : lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : (char)c;
	}
	ret[used] = '\0';
	return used > 0 && short_name[0] != ' ';
}
