/* SPDX-License-Identifier: MIT */
/* Problems as sentences; see problem.h. */
#include "mkimage/problem.h"

#include <stdarg.h>

errint_t problem_set(struct problem *p, errint_t error, int exit_code, const char *format, ...)
{
	va_list args;

	if (p->exit_code)
		return error;
	p->exit_code = exit_code;
	va_start(args, format);
	vsnprintf(p->text, sizeof(p->text), format, args);
	va_end(args);
	return error;
}

const char *problem_reason(errint_t error)
{
	switch (error) {
	case -ENOSPC: return "no space left on the disk: free some, or write elsewhere with -o";
	case -EDQUOT: return "the disk quota is used up: free some, or write elsewhere with -o";
	case -ENOMEM: return "out of memory";
	default: return strerror(-error);
	}
}
