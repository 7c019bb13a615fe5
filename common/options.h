/* SPDX-License-Identifier: MIT */
/*
 * Command lines: one table holds each option beside its help text; getopt_long does the parsing, --help and --version are always there.
 * A program with verbs ("fetchfs publish") has one struct command for each.
 */
#ifndef SPORE_COMMON_OPTIONS_H
#define SPORE_COMMON_OPTIONS_H

#include "common/base.h"

struct option_spec {
	char letter;		/* 'o', or 0 for a long option only */
	const char *name;	/* "output", without dashes */
	const char *argument;	/* "FILE" in the help, or NULL where the option takes none */
	const char *help;	/* one sentence without a full stop */
	int id;			/* given to the handler; the letter where 0 */
};

struct command {
	const char *name;	/* the verb, or NULL for the program itself */
	const char *operands;	/* "REPO SOURCE" */
	const char *summary;	/* one line for --help */
	const struct option_spec *options;	/* ends with an all-zero entry; may be NULL */
	/* Called for each option. Returns 0, or an exit code after having printed a message. */
	int (*on_option)(void *context, int id, const char *value);
	int min_operands, max_operands;		/* max -1: any number */
	/* Runs the command; its value is the exit code. */
	int (*run)(void *context, int operands, char **operand);
	void *context;
};

/* Parses and runs one command without verbs. program: its name. */
int options_run(const char *program, const struct command *c, int argc, char **argv);

/* Parses the verb in argv[1] and runs its command. intro: one paragraph for --help. commands ends with a NULL name. */
int options_run_verbs(const char *program, const char *intro, const struct command *commands, int argc, char **argv);

/*
 * The hidden option --list-options prints every verb and "VERB --NAME" (with "-" for a program without verbs): the manual pages are held
 * against it by a test.
 */

#endif
