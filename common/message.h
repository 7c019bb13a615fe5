/* SPDX-License-Identifier: MIT */
/*
 * What programs say to people: errors, warnings, notes, and progress on long work. Only programs use it; libraries return -errno.
 * Messages go to standard error as "PROGRAM: text". Never used before message_init.
 */
#ifndef SPORE_COMMON_MESSAGE_H
#define SPORE_COMMON_MESSAGE_H

#include "common/base.h"

/* Exit codes, after sysexits(3). */
enum exit_code {
	EXIT_USAGE = 64,	/* the command line is wrong */
	EXIT_DATA = 65,		/* the input is wrong: corrupt, unsigned, of no known format */
	EXIT_NO_INPUT = 66,	/* an input file does not exist or cannot be read */
	EXIT_UNAVAILABLE = 69,	/* a server or service cannot be reached */
	EXIT_SOFTWARE = 70,	/* out of memory, or what should not happen */
	EXIT_CANNOT_CREATE = 73,/* an output cannot be written */
	EXIT_NO_PERMISSION = 77,
	EXIT_CONFIG = 78,	/* a configuration file is wrong */
};

void message_init(const char *program);
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* No notes and no progress (--quiet). */
void message_set_quiet(bool quiet);

/*
 * One line that rewrites itself, only where standard error is a terminal; at most 10 times a second. done/total in any unit; bytes:
 * print them as sizes. progress_end clears the line. Safe to call from one thread at a time.
 */
struct progress {
	const char *what;	/* "compressing" */
	bool bytes;
	bool active;
	int64_t next_ns;
	int64_t start_ns;
};
void progress_begin(struct progress *p, const char *what, bool bytes);
void progress_update(struct progress *p, uint64_t done, uint64_t total, const char *detail);
void progress_end(struct progress *p);

/* "1.5 MiB" into ret (at least 16 bytes); returns ret. */
char *format_size(uint64_t bytes, char ret[16]);
/* "10", "64K", "20G", "1.5M" (powers of 1024) to bytes; -EINVAL, -ERANGE. */
errint_t parse_size(const char *text, uint64_t *ret);
/* A decimal number within bounds, the whole string; -EINVAL, -ERANGE. */
errint_t parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* SOURCE_DATE_EPOCH, or the present time: ret in seconds since 1970. -EINVAL where the variable is no number. */
errint_t source_date(int64_t *ret);

#endif
