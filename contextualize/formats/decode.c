/* SPDX-License-Identifier: MIT */
/*
 * base64 (RFC 4648), quoted-printable (RFC 2045, 6.7), gzip (RFC 1952 through zlib): decode.h.
 */
#include "contextualize/formats/decode.h"

#include <ctype.h>
#include <zlib.h>

static int decode_base64_digit(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool decode_is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

errint_t decode_base64(const char *data, size_t size, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *out = NULL;
	uint32_t bits = 0;
	size_t used = 0;
	unsigned digits = 0, padding = 0;

	if (size / 4 * 3 > DECODE_MAX)
		return -EFBIG;
	out = malloc(size / 4 * 3 + 4);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];
		int d = decode_base64_digit(c);

		if (decode_is_space(c))
			continue;
		if (c == '=' && (digits % 4 == 2 || digits % 4 == 3) && digits % 4 + padding < 4) {
			padding++;
			continue;
		}
		if (d < 0 || padding)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)d;
		if (digits++ % 4)
			out[used++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (digits % 4 == 1 || (padding && digits % 4 + padding != 4))
		return -EBADMSG;
	out[used] = '\0';
	*ret_size = used;
	*ret = steal_ptr(out);
	return 0;
}

bool decode_looks_base64(const char *data, size_t size)
{
	size_t digits = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (decode_is_space(c))
			continue;
		if (decode_base64_digit(c) < 0 && c != '=')
			return false;
		digits++;
	}
	return digits >= 16 && digits % 4 == 0;
}

static int decode_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

errint_t decode_quoted_printable(const char *data, size_t size, char **ret, size_t *ret_size)
{
	char *out;
	size_t used = 0;

	if (size > DECODE_MAX)
		return -EFBIG;
	out = malloc(size + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		size_t end = i + 1;

		if (data[i] != '=') {
			out[used++] = data[i];
			continue;
		}
		while (end < size && (data[end] == ' ' || data[end] == '\t' || data[end] == '\r'))
			end++;
		if (end >= size || data[end] == '\n') {
			i = end;	/* soft line break */
		} else if (i + 2 < size && decode_hex(data[i + 1]) >= 0 && decode_hex(data[i + 2]) >= 0) {
			out[used++] = (char)(decode_hex(data[i + 1]) << 4 | decode_hex(data[i + 2]));
			i += 2;
		} else {
			out[used++] = '=';
		}
	}
	out[used] = '\0';
	*ret = out;
	*ret_size = used;
	return 0;
}

bool decode_is_gzip(const char *data, size_t size)
{
	return size >= 18 && (unsigned char)data[0] == 0x1f && (unsigned char)data[1] == 0x8b && data[2] == 8;
}

/* Inflates everything into *out, which grows up to DECODE_MAX. */
static errint_t decode_inflate(z_stream *z, char **out, size_t *used)
{
	size_t room = 0;

	for (;;) {
		int code;

		if (*used + 1 >= room) {
			char *grown;

			if (room > DECODE_MAX)
				return -EFBIG;
			room = room ? 2 * room : 65536;
			grown = realloc(*out, room + 1);
			if (!grown)
				return -ENOMEM;
			*out = grown;
		}
		z->next_out = (unsigned char *)*out + *used;
		z->avail_out = (unsigned)(room - *used);
		code = inflate(z, Z_NO_FLUSH);
		*used = room - z->avail_out;
		if (*used > DECODE_MAX)
			return -EFBIG;
		if (code == Z_STREAM_END) {
			/* Another member, or padding that gzip(1) ignores too. */
			if (!decode_is_gzip((const char *)z->next_in, z->avail_in))
				return 0;
			if (inflateReset(z) != Z_OK)
				return -EBADMSG;
			continue;
		}
		if (code == Z_MEM_ERROR)
			return -ENOMEM;
		if (code != Z_OK && !(code == Z_BUF_ERROR && z->avail_out == 0))
			return -EBADMSG;
	}
}

errint_t decode_gzip(const char *data, size_t size, char **ret, size_t *ret_size)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)data, .avail_in = (unsigned)size };
	char *out = NULL;
	size_t used = 0;
	errint_t r;

	if (size > DECODE_MAX)
		return -EFBIG;
	if (!decode_is_gzip(data, size))
		return -EBADMSG;
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	r = decode_inflate(&z, &out, &used);
	inflateEnd(&z);
	if (r < 0) {
		free(out);
		return r;
	}
	out[used] = '\0';
	*ret = out;
	*ret_size = used;
	return 0;
}
