/* SPDX-License-Identifier: MIT */
/* Lines of recorded profiles; see profile.h. */
#include "fetchfs/format/profile.h"

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* In place: what is read is never behind what is written. A backslash without octal digits is itself: lists made by find have such. */
static errint_t unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		unsigned value;
		if (*from != '\\' || !is_octal(from[1]) || !is_octal(from[2]) || !is_octal(from[3])) {
			*to++ = *from;
			continue;
		}
		value = (unsigned)(from[1] - '0') * 64 + (unsigned)(from[2] - '0') * 8 + (unsigned)(from[3] - '0');
		if (value == 0 || value > 255)
			return -EINVAL;
		*to++ = (char)value;
		from += 3;
	}
	*to = '\0';
	return to - path > PROFILE_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Digits, at least one; false where there is none or the number is too great. */
static bool take_number(const char **at, uint64_t *ret)
{
	const char *begin = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) || __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
			return false;
	*ret = value;
	return *at > begin;
}

static bool take_extent(const char **at, uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t end;

	if (!take_number(at, ret_offset) || *(*at)++ != '+' || !take_number(at, ret_length) || *ret_length == 0)
		return false;
	return !__builtin_add_overflow(*ret_offset, *ret_length, &end);
}

static bool extents_are_good(const char *at)
{
	uint64_t offset, length;

	do {
		if (!take_extent(&at, &offset, &length))
			return false;
	} while (*at++ == ',');
	return at[-1] == '\0';
}

errint_t profile_parse_line(char *line, struct profile_line *ret)
{
	size_t length = strlen(line);
	char *tab;

	*ret = (struct profile_line){ .path = NULL };
	while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
		line[--length] = '\0';
	if (*line == '\0' || *line == '#')
		return 0;
	if (*line != '/')
		return -EINVAL;
	tab = strchr(line, '\t');
	if (tab) {
		*tab = '\0';
		if (!extents_are_good(tab + 1))
			return -EINVAL;
	}
	ret->path = line;
	ret->extents = tab ? tab + 1 : NULL;
	return unescape(line);
}

bool profile_next_extent(const char **extents, uint64_t *ret_offset, uint64_t *ret_length)
{
	if (!*extents || **extents == '\0' || !take_extent(extents, ret_offset, ret_length))
		return false;
	if (**extents == ',')
		(*extents)++;
	return true;
}

/* Length of the valid UTF-8 sequence of more than one byte that begins here; 0: there is none (RFC 3629, section 4). */
static size_t utf8_sequence(const char *text, size_t left)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 && p[0] <= 0xef ? 3 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what they say, surrogates, and beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void profile_print_path(FILE *f, const char *path, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint8_t c = (uint8_t)path[i];
		size_t n = c < 0x80 ? 1 : utf8_sequence(path + i, length - i);
		if (n == 0 || c < ' ' || c == 0x7f || c == '\\' || (c == ' ' && i + 1 == length)) {
			fprintf(f, "\\%03o", (unsigned)c);
			i++;
			continue;
		}
		fwrite(path + i, 1, n, f);
		i += n;
	}
}
