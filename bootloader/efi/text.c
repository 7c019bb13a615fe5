/* SPDX-License-Identifier: MIT */
/* See text.h. No libc: this file is compiled for the firmware too. */
#include "bootloader/efi/text.h"

#define REPLACEMENT 0xfffdu

size_t text_length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* One character of well-formed UTF-8, or REPLACEMENT for one malformed byte. Returns the bytes taken, at least 1. */
static size_t decode(const uint8_t *b, size_t left, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = b[0] < 0x80 ? 1 : b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : b[0] >= 0xe0 && b[0] < 0xf0 ? 3 : b[0] >= 0xf0 && b[0] < 0xf5 ? 4 : 0;
	uint32_t value;

	*ret = REPLACEMENT;
	if (length == 0 || length > left)
		return 1;
	value = length == 1 ? b[0] : b[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (b[i] & 0x3fu);
	}
	if (value < smallest[length] || value > 0xffff || (value >= 0xd800 && value < 0xe000))
		return length;
	*ret = value;
	return length;
}

size_t text_to_ucs2(const char *text, size_t size, ucs2_t *ret, size_t capacity, bool *ret_fits)
{
	const uint8_t *b = (const uint8_t *)text;
	size_t in = 0, out = 0;

	while (in < size && out + 1 < capacity) {
		uint32_t value;

		in += decode(b + in, size - in, &value);
		ret[out++] = (ucs2_t)value;
	}
	ret[out] = 0;
	if (ret_fits)
		*ret_fits = in == size;
	return out;
}

bool text_path(const char *path, size_t size, ucs2_t *ret, size_t capacity)
{
	bool fits;
	size_t used, out = 1;

	if (size == 0 || capacity < 2)
		return false;
	ret[0] = '\\';
	used = text_to_ucs2(path, size, ret + 1, capacity - 1, &fits);
	if (!fits)
		return false;
	/* In place: the result is never longer; slashes that follow one another count as one. */
	for (size_t in = 1; in <= used; in++) {
		ucs2_t unit = ret[in] == '/' ? '\\' : ret[in];

		if (unit < 0x20 || unit == 0x7f)
			return false;
		if (unit == '\\' && ret[out - 1] == '\\')
			continue;
		ret[out++] = unit;
	}
	ret[out] = 0;
	return out > 1;
}

struct sink {
	char *at;
	size_t left;	/* without the NUL */
};

static void put(struct sink *s, char c)
{
	if (s->left == 0)
		return;
	*s->at++ = c;
	s->left--;
}

static void put_text(struct sink *s, const char *text, size_t size, unsigned int width)
{
	for (size_t i = 0; i < size && text[i]; i++) {
		put(s, text[i]);
		if (width > 0)
			width--;
	}
	while (width-- > 0)
		put(s, ' ');
}

/* value / 10 without the compiler's 64-bit division, which a 32-bit loader would need a library for. */
static unsigned int divide(uint64_t *value, unsigned int base)
{
	uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value;
	uint32_t rest = high % base, quotient_low = 0;

	for (int bit = 31; bit >= 0; bit--) {
		rest = rest << 1 | (low >> bit & 1);
		quotient_low <<= 1;
		if (rest >= base) {
			rest -= base;
			quotient_low |= 1;
		}
	}
	*value = (uint64_t)(high / base) << 32 | quotient_low;
	return rest;
}

static void put_number(struct sink *s, uint64_t value, unsigned int base, unsigned int width, char pad)
{
	char digits[24];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[divide(&value, base)];
	} while (value != 0);
	for (; width > n; width--)
		put(s, pad);
	while (n > 0)
		put(s, digits[--n]);
}

/* One conversion behind its '%'. Returns where the format goes on. */
static const char *convert(struct sink *s, const char *f, va_list *arguments)
{
	unsigned int width = 0, longs = 0;
	size_t precision = SIZE_MAX;
	char pad = ' ';
	uint64_t value;

	if (*f == '0')
		pad = '0';
	while (*f >= '0' && *f <= '9' && width < 100)
		width = width * 10 + (unsigned int)(*f++ - '0');
	if (f[0] == '.' && f[1] == '*') {
		int given = va_arg(*arguments, int);

		precision = given < 0 ? SIZE_MAX : (size_t)given;
		f += 2;
	}
	while (*f == 'l') {
		longs++;
		f++;
	}
	switch (*f) {
	case 's':
		put_text(s, va_arg(*arguments, const char *), precision, width);
		break;
	case 'c':
		put(s, (char)va_arg(*arguments, int));
		break;
	case 'u':
	case 'x':
		value = longs > 1 ? va_arg(*arguments, unsigned long long) :
			longs == 1 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned int);
		put_number(s, value, *f == 'u' ? 10 : 16, width, pad);
		break;
	case '\0':
		return f;
	default:
		put(s, *f);
	}
	return f + 1;
}

size_t text_vformat(char *ret, size_t capacity, const char *format, va_list arguments)
{
	struct sink s = { .at = ret, .left = capacity - 1 };
	va_list own;

	va_copy(own, arguments);
	while (*format) {
		if (*format == '%')
			format = convert(&s, format + 1, &own);
		else
			put(&s, *format++);
	}
	va_end(own);
	*s.at = '\0';
	return (size_t)(s.at - ret);
}

size_t text_format(char *ret, size_t capacity, const char *format, ...)
{
	va_list arguments;
	size_t n;

	va_start(arguments, format);
	n = text_vformat(ret, capacity, format, arguments);
	va_end(arguments);
	return n;
}

const char *text_size(uint64_t bytes, char ret[TEXT_SIZE_MAX])
{
	if (bytes < 1024) {
		text_format(ret, TEXT_SIZE_MAX, "%u bytes", (unsigned int)bytes);
	} else if (bytes < 1024 * 1024) {
		text_format(ret, TEXT_SIZE_MAX, "%u KiB", (unsigned int)(bytes >> 10));
	} else {
		uint64_t tenths = ((bytes >> 10) * 10) >> 10;
		unsigned int tenth = divide(&tenths, 10);

		text_format(ret, TEXT_SIZE_MAX, "%llu.%u MiB", (unsigned long long)tenths, tenth);
	}
	return ret;
}
