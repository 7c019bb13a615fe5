/* SPDX-License-Identifier: MIT */
/*
 * Why something cannot be done, as one sentence for people: filled by the code that knows (which file, which line), printed by the program.
 */
#ifndef SPORE_MKIMAGE_PROBLEM_H
#define SPORE_MKIMAGE_PROBLEM_H

#include "common/base.h"
#include "common/message.h"

struct problem {
	int exit_code;		/* enum exit_code; 0: no problem */
	char text[1024];
};

/* The first problem stays; always returns error, so that 'return problem_set(…)' ends a function. */
errint_t problem_set(struct problem *p, errint_t error, int exit_code, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "the disk is full": strerror with what to do added where there is something to do. */
const char *problem_reason(errint_t error);

#endif
