/* SPDX-License-Identifier: MIT */
/*
 * Collected errors and warnings (diag.h).
 */
#include "contextualize/diag.h"

#include "common/io.h"

#include <stdarg.h>

void diag_add(struct diag_list *l, enum diag_level level, unsigned line, unsigned column, const char *format, ...)
{
	char text[512];
	struct diag *grown;
	va_list ap;

	if (level == DIAG_ERROR)
		l->errors++;
	else
		l->warnings++;
	if (l->count >= DIAG_MAX)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	grown = arena_grow(&l->arena, l->item, l->count, sizeof *grown);
	if (!grown)
		return;
	l->item = grown;
	grown[l->count] = (struct diag){ level, l->part ? arena_string(&l->arena, l->part) : "", line ? line + l->line_base : 0, column,
					 arena_string(&l->arena, text) };
	if (grown[l->count].text && grown[l->count].part)
		l->count++;
}

void diag_done(struct diag_list *l)
{
	arena_done(&l->arena);
	*l = (struct diag_list){ .count = 0 };
}

char *diag_format(const struct diag *d, const char *file)
{
	char place[32] = "";

	if (d->line)
		snprintf(place, sizeof place, d->column ? ":%u:%u" : ":%u", d->line, d->column);
	if (*d->part)
		return io_format("%s (%s)%s: %s", file, d->part, place, d->text);
	return io_format("%s%s: %s", file, place, d->text);
}

char *diag_show_bytes(const char *data, size_t size, size_t count, char *ret)
{
	char *p = ret;

	for (size_t i = 0; i < MIN(size, count); i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x20 && c < 0x7f)
			*p++ = (char)c;
		else
			p += sprintf(p, "%%%02x", c);
	}
	strcpy(p, size > count ? "..." : "");
	return ret;
}
