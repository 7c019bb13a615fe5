/* SPDX-License-Identifier: MIT */
/*
 * What a program said on its console: escape sequences taken out, the newest few megabytes kept for searching, every line logged with the time at
 * which it began. Knows bytes and time; must not know where they come from.
 */
#ifndef SPORE_TESTS_SCREEN_H
#define SPORE_TESTS_SCREEN_H

#include "common/base.h"

enum screen_escape { PLAIN, ESCAPE, CSI, STRING, STRING_ESCAPE, ONE_MORE };

struct screen {
	char *text;		/* text[0..used), and a NUL */
	size_t used;
	size_t cursor;		/* what stands before it was matched */
	size_t mark;
	size_t line;		/* where the last line begins */
	bool line_open;		/* it has no newline yet */
	bool mark_lost;		/* more came since the mark than is kept */
	unsigned int forgotten;	/* how often old text was dropped: positions have moved then */
	enum screen_escape escape;
	int64_t start_ns, line_ns;
	FILE *log, *raw;	/* lines with times; all bytes */
	bool echo;		/* the log on standard output too */
};

int64_t screen_now_ns(void);

/* log and raw stay the caller's. -ENOMEM. */
errint_t screen_init(struct screen *s, FILE *log, FILE *raw);
void screen_done(struct screen *s);

void screen_add(struct screen *s, const void *data, size_t size);
/* Logs a last line without its newline. */
void screen_finish(struct screen *s);

/* Any text at or behind from; NULL where it is not. */
const char *screen_find(const struct screen *s, size_t from, size_t to, const char *text);

/* The last lines, on f. */
void screen_print_tail(const struct screen *s, unsigned int lines, FILE *f);

#endif
