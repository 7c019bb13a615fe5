/* SPDX-License-Identifier: MIT */
/*
 * MIME messages (RFC 2045, 2046) as far as user data use them: header fields, boundaries. No allocation; every position is checked against the size.
 */
#include "contextualize/formats/userdata.h"

#include <ctype.h>
#include <strings.h>

/* The line at *pos without its end; advances. False at the end of the data. */
static bool mime_line(const char *data, size_t size, size_t *pos, const char **ret, size_t *ret_length)
{
	const char *nl;
	size_t end;

	if (*pos >= size)
		return false;
	nl = memchr(data + *pos, '\n', size - *pos);
	end = nl ? (size_t)(nl - data) : size;
	*ret = data + *pos;
	*ret_length = end - *pos;
	if (*ret_length && (*ret)[*ret_length - 1] == '\r')
		(*ret_length)--;
	*pos = end + 1;
	return true;
}

static bool mime_starts(const char *line, size_t length, const char *what)
{
	return length >= strlen(what) && strncasecmp(line, what, strlen(what)) == 0;
}

static void mime_copy_lower(const char *from, size_t length, char *ret, size_t room)
{
	size_t n = MIN(length, room - 1);

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)tolower((unsigned char)from[i]);
	ret[n] = '\0';
}

/* The value of name="…" or name=… in a field's value. */
static void mime_parameter(const char *value, const char *name, char *ret, size_t room)
{
	size_t length = strlen(name);

	for (const char *p = strchr(value, ';'); p; p = strchr(p, ';')) {
		const char *v;
		size_t n;

		p++;
		while (isspace((unsigned char)*p))
			p++;
		if (strncasecmp(p, name, length) != 0 || p[length] != '=')
			continue;
		v = p + length + 1;
		if (*v == '"') {
			v++;
			n = strcspn(v, "\"");
		} else {
			n = strcspn(v, "; \t");
		}
		if (n < room) {
			memcpy(ret, v, n);
			ret[n] = '\0';
		}
		return;
	}
}

static void mime_field(const char *field, struct mime_part *ret)
{
	const char *value = strchr(field, ':');

	if (!value)
		return;
	value++;
	while (isspace((unsigned char)*value))
		value++;
	if (strncasecmp(field, "content-type:", 13) == 0) {
		mime_copy_lower(value, strcspn(value, "; \t"), ret->type, sizeof ret->type);
		mime_parameter(value, "boundary", ret->boundary, sizeof ret->boundary);
		if (!*ret->filename)
			mime_parameter(value, "name", ret->filename, sizeof ret->filename);
	} else if (strncasecmp(field, "content-transfer-encoding:", 26) == 0) {
		mime_copy_lower(value, strcspn(value, "; \t"), ret->encoding, sizeof ret->encoding);
	} else if (strncasecmp(field, "content-disposition:", 20) == 0) {
		mime_parameter(value, "filename", ret->filename, sizeof ret->filename);
	}
}

/* Header fields up to the empty line, folded lines joined. */
static void mime_head(const char *data, size_t size, struct mime_part *ret)
{
	char field[1024] = "";
	size_t pos = 0, length, used = 0;
	const char *line;

	memset(ret, 0, sizeof *ret);
	strcpy(ret->type, "text/plain");
	while (mime_line(data, size, &pos, &line, &length)) {
		bool folded = length && (line[0] == ' ' || line[0] == '\t');
		size_t n;

		ret->line++;
		if (!folded) {
			mime_field(field, ret);
			used = 0;
		}
		n = MIN(length, sizeof field - 1 - used);
		memcpy(field + used, line, n);
		used += n;
		field[used] = '\0';
		if (!length)
			break;
	}
	mime_field(field, ret);
	pos = MIN(pos, size);
	ret->body = data + pos;
	ret->size = size - pos;
}

bool mime_parse_head(const char *data, size_t size, struct mime_part *ret)
{
	size_t end = MIN(size, (size_t)100);

	/* mbox line of some mailers */
	if (!mime_starts(data, end, "content-type:") && !mime_starts(data, end, "mime-version:") && !mime_starts(data, end, "from ") &&
	    !mime_starts(data, end, "content-transfer-encoding:"))
		return false;
	mime_head(data, size, ret);
	return strncmp(ret->type, "multipart/", 10) == 0 || mime_starts(data, end, "content-type:") || mime_starts(data, end, "mime-version:");
}

/* 0: no delimiter; 1: "--boundary"; 2: "--boundary--". */
static int mime_delimiter(const char *line, size_t length, const char *boundary)
{
	size_t b = strlen(boundary);

	while (length && (line[length - 1] == ' ' || line[length - 1] == '\t'))
		length--;
	if (length < b + 2 || line[0] != '-' || line[1] != '-' || memcmp(line + 2, boundary, b) != 0)
		return 0;
	if (length == b + 2)
		return 1;
	return length == b + 4 && line[b + 2] == '-' && line[b + 3] == '-' ? 2 : 0;
}

bool mime_next(const struct mime_part *whole, size_t *pos, unsigned *line, struct mime_part *ret)
{
	const char *text;
	size_t length, start = *pos, end;
	unsigned start_line, lines;

	/* To the first delimiter; from the second call on *pos is just behind one. */
	if (start == 0) {
		int kind = 0;

		while (!kind && mime_line(whole->body, whole->size, pos, &text, &length)) {
			(*line)++;
			kind = mime_delimiter(text, length, whole->boundary);
		}
		if (kind != 1)
			return false;
		start = *pos;
	}
	if (start >= whole->size)
		return false;
	start_line = lines = *line;
	end = start;
	for (;;) {
		size_t before = *pos;
		int kind;

		if (!mime_line(whole->body, whole->size, pos, &text, &length)) {
			end = whole->size;	/* cut off: what is there is taken */
			break;
		}
		lines++;
		kind = mime_delimiter(text, length, whole->boundary);
		if (!kind)
			continue;
		end = before;
		if (kind == 2)
			*pos = whole->size;
		break;
	}
	*pos = MIN(*pos, whole->size);
	*line = lines;
	/* The line end before a delimiter belongs to the delimiter. */
	if (end > start && end < whole->size && whole->body[end - 1] == '\n')
		end--;
	if (end > start && whole->body[end - 1] == '\r')
		end--;
	mime_head(whole->body + start, end - start, ret);
	ret->line += start_line;
	return true;
}
