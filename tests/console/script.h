/* SPDX-License-Identifier: MIT */
/*
 * The console driver's scripts: one instruction a line, read and checked as a whole before anything is started. Knows their form; must not know
 * how they are carried out. The words are told in tests/tools/console.c.
 */
#ifndef SPORE_TESTS_SCRIPT_H
#define SPORE_TESTS_SCRIPT_H

#include "common/base.h"

#include <regex.h>

enum word { EXPECT, MATCH, CAPTURE, ABSENT, MARK, SEND, RUN, WAIT_EXIT, STAMP, NOTE, FATAL, ALLOW, WORDS };

struct instruction {
	enum word word;
	unsigned int line;
	double seconds;		/* 0: the word has no limit of its own */
	char *variable, *text;	/* into the script's buffer; NULL: none */
	size_t text_size;	/* of send: after the escapes */
	regex_t regex;
	bool has_regex;
};

struct script {
	char *buffer;
	struct instruction *instructions;
	size_t count;
};

/* text becomes the script's (free), also on an error: then *ret_line and *ret_wrong say where and why. -EINVAL, -ENOMEM. */
errint_t script_parse(struct script *s, char *text, unsigned int *ret_line, const char **ret_wrong);
void script_done(struct script *s);

const char *script_word(enum word w);

#endif
