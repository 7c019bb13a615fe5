/* SPDX-License-Identifier: MIT */
/* See screen.h. */
#include "tests/console/screen.h"

#include <time.h>

#define TEXT_MAX (8 * MIB)
#define TEXT_KEEP (4 * MIB)		/* what remains when that is full */

int64_t screen_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

errint_t screen_init(struct screen *s, FILE *log, FILE *raw)
{
	bool echo = s->echo;

	*s = (struct screen){ .text = calloc(1, TEXT_MAX), .start_ns = screen_now_ns(), .log = log, .raw = raw, .echo = echo };
	return s->text ? 0 : -ENOMEM;
}

void screen_done(struct screen *s)
{
	free(s->text);
	s->text = NULL;
}

static void log_line(struct screen *s)
{
	double at = (double)(s->line_ns - s->start_ns) / 1e9;
	int size = (int)(s->used - s->line);

	fprintf(s->log, "[%8.3f] %.*s\n", at, size, s->text + s->line);
	if (s->echo) {
		printf("[%8.3f] %.*s\n", at, size, s->text + s->line);
		fflush(stdout);
	}
}

static size_t moved(size_t position, size_t gone) { return position > gone ? position - gone : 0; }

static void forget(struct screen *s)
{
	size_t gone = s->used - TEXT_KEEP;

	memmove(s->text, s->text + gone, TEXT_KEEP);
	s->forgotten++;
	s->used = TEXT_KEEP;
	s->mark_lost = s->mark_lost || s->mark < gone;
	s->cursor = moved(s->cursor, gone);
	s->mark = moved(s->mark, gone);
	s->line = moved(s->line, gone);
}

static void add_char(struct screen *s, char ch)
{
	if (s->used + 1 >= TEXT_MAX)
		forget(s);
	if (!s->line_open) {
		s->line_open = true;
		s->line = s->used;
		s->line_ns = screen_now_ns();
	}
	if (ch == '\n') {
		log_line(s);
		s->line_open = false;
	}
	s->text[s->used++] = ch;
	s->text[s->used] = '\0';
}

static enum screen_escape after_escape(unsigned char ch)
{
	if (ch == '[')
		return CSI;
	if (ch && strchr("]PX^_", ch))
		return STRING;
	if (ch >= 0x20 && ch < 0x30)
		return ONE_MORE;
	return PLAIN;
}

/* Escape sequences vanish; one that puts the cursor elsewhere ends the line, so that texts at different places stay apart. */
static void add_byte(struct screen *s, unsigned char ch)
{
	switch (s->escape) {
	case PLAIN:
		if (ch == 0x1b)
			s->escape = ESCAPE;
		else if (ch == '\n' || ch == '\t' || (ch >= 0x20 && ch != 0x7f))
			add_char(s, (char)ch);
		return;
	case ESCAPE:
		s->escape = after_escape(ch);
		return;
	case CSI:
		if (ch == 0x1b)
			s->escape = ESCAPE;
		else if (ch < 0x20 || (ch >= 0x40 && ch < 0x7f))
			s->escape = PLAIN;
		if ((ch == 'H' || ch == 'f') && s->line_open)
			add_char(s, '\n');
		return;
	case STRING:
		if (ch == 0x07 || ch == '\n')
			s->escape = PLAIN;
		else if (ch == 0x1b)
			s->escape = STRING_ESCAPE;
		return;
	case STRING_ESCAPE:
	case ONE_MORE:
		s->escape = PLAIN;
		return;
	}
}

void screen_add(struct screen *s, const void *data, size_t size)
{
	const unsigned char *b = data;

	fwrite(data, 1, size, s->raw);
	for (size_t i = 0; i < size; i++)
		add_byte(s, b[i]);
}

void screen_finish(struct screen *s)
{
	if (s->line_open)
		log_line(s);
	s->line_open = false;
}

const char *screen_find(const struct screen *s, size_t from, size_t to, const char *text)
{
	return from < to ? memmem(s->text + from, to - from, text, strlen(text)) : NULL;
}

void screen_print_tail(const struct screen *s, unsigned int lines, FILE *f)
{
	size_t from = s->used;
	unsigned int seen = 0;

	while (from > 0 && seen <= lines)
		if (s->text[--from] == '\n')
			seen++;
	if (seen > lines)
		from++;
	fprintf(f, "%.*s\n", (int)(s->used - from), s->text + from);
}
