/* SPDX-License-Identifier: MIT */
/* Replies as JSON and as text; see ctl_reply.h. */
#include "fetchfs/client/ctl_reply.h"
#include "common/message.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <time.h>

#define VALUE_SIZE 64

errint_t ctl_reply_init(struct ctl_reply *r)
{
	*r = (struct ctl_reply){ .root = json_object() };
	return r->root ? 0 : -ENOMEM;
}

void ctl_reply_done(struct ctl_reply *r)
{
	json_decref(r->root);
	free(r->text);
	*r = (struct ctl_reply){ .root = NULL };
}

/* How many bytes at s are one character that can be shown as it is; 0: the byte must be escaped. */
static size_t plain_bytes(const char *s)
{
	unsigned char c = (unsigned char)*s;
	uint32_t character;
	size_t n;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f && c != '\\';
	n = utf8_next(s, &character);
	/* U+FFFD stands for what is malformed, and C1 control characters are no better than C0. */
	return character == 0xfffd || character < 0xa0 ? 0 : n;
}

static char *escape(const char *value)
{
	char *out = malloc(4 * strlen(value) + 1), *to = out;

	while (out && *value) {
		size_t n = plain_bytes(value);
		if (n == 0)
			to += sprintf(to, "\\x%02x", (unsigned char)*value++);
		while (n-- > 0)
			*to++ = *value++;
	}
	if (out)
		*to = '\0';
	return out;
}

void ctl_text(json_t *object, const char *key, const char *value)
{
	_cleanup_free_ char *escaped = escape(value);

	if (escaped)
		json_object_set_new(object, key, json_string(escaped));
}

void ctl_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)MIN(value, (uint64_t)INT64_MAX)));
}

void ctl_flag(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

json_t *ctl_list(json_t *object, const char *key)
{
	json_t *list = json_array();

	return json_object_set_new(object, key, list) == 0 ? list : NULL;
}

json_t *ctl_item(json_t *list)
{
	json_t *item = json_object();

	return json_array_append_new(list, item) == 0 ? item : NULL;
}

int ctl_fail(struct ctl_reply *r, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->error, sizeof(r->error), format, args);
	va_end(args);
	r->code = code;
	return code;
}

static bool ends_in(const char *key, const char *ending)
{
	size_t n = strlen(key), m = strlen(ending);

	return n >= m && strcmp(key + n - m, ending) == 0;
}

static void format_seconds(uint64_t seconds, char ret[VALUE_SIZE])
{
	unsigned long long s = seconds;

	if (s < 120)
		snprintf(ret, VALUE_SIZE, "%llu s", s);
	else if (s < 7200)
		snprintf(ret, VALUE_SIZE, "%llu min %02llu s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(ret, VALUE_SIZE, "%llu h %02llu min", s / 3600, s / 60 % 60);
	else
		snprintf(ret, VALUE_SIZE, "%llu d %02llu h", s / 86400, s / 3600 % 24);
}

static void format_time(int64_t value, char ret[VALUE_SIZE])
{
	time_t t = (time_t)value;
	struct tm parts;

	if (!gmtime_r(&t, &parts) || !strftime(ret, VALUE_SIZE, "%Y-%m-%d %H:%M:%S UTC", &parts))
		snprintf(ret, VALUE_SIZE, "%lld", (long long)value);
}

static void format_integer(const char *key, int64_t value, char ret[VALUE_SIZE])
{
	if (value >= 0 && ends_in(key, "_bytes"))
		format_size((uint64_t)value, ret);
	else if (value >= 0 && ends_in(key, "_seconds"))
		format_seconds((uint64_t)value, ret);
	else if (ends_in(key, "_time"))
		format_time(value, ret);
	else
		snprintf(ret, VALUE_SIZE, ends_in(key, "_percent") ? "%lld %%" : "%lld", (long long)value);
}

/* A text's own, or made in room. */
static const char *format_value(const char *key, const json_t *value, char room[VALUE_SIZE])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_INTEGER:
		format_integer(key, json_integer_value(value), room);
		return room;
	case JSON_REAL:
		snprintf(room, VALUE_SIZE, "%.1f", json_real_value(value));
		return room;
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	default:
		return "-";
	}
}

/* The text comes from another process: nothing in it may drive the terminal. */
static void print_padded(const char *text, size_t width, FILE *out)
{
	size_t columns = 0;

	while (*text) {
		size_t n = plain_bytes(text);
		if (*text == '\\')
			n = 1;
		if (n == 0) {
			fputc('?', out);
			text++;
		} else {
			fwrite(text, 1, n, out);
			text += n;
		}
		columns++;
	}
	for (; columns < width; columns++)
		fputc(' ', out);
}

/* Characters, roughly columns. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const json_t *list, const char *key)
{
	size_t width = width_of(key), i;
	json_t *item;

	json_array_foreach(list, i, item) {
		char room[VALUE_SIZE];
		const json_t *value = json_object_get(item, key);
		if (value)
			width = MAX(width, width_of(format_value(key, value, room)));
	}
	return width;
}

/* The first object's keys are the columns, numbers' units are in the values. */
static void print_table(const json_t *list, FILE *out)
{
	json_t *first = json_array_get(list, 0), *item, *unused;
	size_t widths[32], columns = 0, i;
	const char *key;

	json_object_foreach(first, key, unused) {
		(void)unused;
		if (columns < ARRAY_SIZE(widths))
			widths[columns++] = column_width(list, key);
	}
	for (size_t row = 0; row <= json_array_size(list); row++) {
		item = row == 0 ? first : json_array_get(list, row - 1);
		i = 0;
		json_object_foreach(first, key, unused) {
			char room[VALUE_SIZE];
			const json_t *value = json_object_get(item, key);
			if (i == columns)
				break;
			print_padded(row == 0 ? key : value ? format_value(key, value, room) : "-", i + 1 < columns ? widths[i] + 2 : 0, out);
			i++;
		}
		fputc('\n', out);
	}
}

static void print_list(const char *key, const json_t *list, bool is_alone, FILE *out)
{
	json_t *item;
	size_t i;

	if (json_array_size(list) == 0) {
		if (is_alone)
			fprintf(out, "%s: none\n", key);
		return;
	}
	if (!is_alone)
		fprintf(out, "\n%s:\n", key);
	if (json_is_object(json_array_get(list, 0))) {
		print_table(list, out);
		return;
	}
	json_array_foreach(list, i, item) {
		char room[VALUE_SIZE];
		print_padded(format_value(key, item, room), 0, out);
		fputc('\n', out);
	}
}

void ctl_print(const json_t *object, FILE *out)
{
	/* The iterating macros want it writable, and do not write. */
	json_t *o = (json_t *)(uintptr_t)object, *value;
	size_t width = 0;
	const char *key;

	json_object_foreach(o, key, value)
		if (!json_is_array(value) && !json_is_object(value))
			width = MAX(width, width_of(key));
	json_object_foreach(o, key, value) {
		char room[VALUE_SIZE];
		if (json_is_array(value) || json_is_object(value))
			continue;
		print_padded(key, width + 2, out);
		print_padded(format_value(key, value, room), 0, out);
		fputc('\n', out);
	}
	json_object_foreach(o, key, value)
		if (json_is_array(value))
			print_list(key, value, width == 0 && json_object_size(o) == 1, out);
}
