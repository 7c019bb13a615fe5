/* SPDX-License-Identifier: MIT */
/*
 * What is wrong or doubtful in an input, with its place: collected by the parsers, printed by the programs (check prints all of it, apply what
 * concerns the machine). Knows nothing of formats.
 */
#ifndef SPORE_CONTEXTUALIZE_DIAG_H
#define SPORE_CONTEXTUALIZE_DIAG_H

#include "common/arena.h"

enum diag_level { DIAG_WARNING, DIAG_ERROR };

struct diag {
	enum diag_level level;
	const char *part;	/* name of the MIME part or the like; "" for the file itself */
	unsigned line, column;	/* from 1; 0: unknown. Of the file where part is "", else of the part */
	const char *text;
};

#define DIAG_MAX 200	/* what comes after is counted only */

struct diag_list {
	struct arena arena;
	struct diag *item;
	size_t count;
	size_t errors, warnings;
	const char *part;	/* where the parser is now; NULL as "" */
	unsigned line_base;	/* added to every line: lines of the file before this part */
};

/* Never fails: what finds no memory is counted. Control characters in the text become '?'. */
void diag_add(struct diag_list *l, enum diag_level level, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void diag_done(struct diag_list *l);
/* "FILE:LINE:COLUMN: text", with the part's name where there is one; a new string (free), NULL when memory is out. */
char *diag_format(const struct diag *d, const char *file);
/* The first bytes of data, made safe to print; ret needs 3 * count + 4 bytes. Returns ret. */
char *diag_show_bytes(const char *data, size_t size, size_t count, char *ret);

#endif
