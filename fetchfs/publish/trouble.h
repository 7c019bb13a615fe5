/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, in words, carried from where it happened to the program that prints it: publishing walks strange trees, and
 * "Input/output error" without the file's name helps nobody. The first trouble wins. Never prints anything itself.
 */
#ifndef SPORE_FETCHFS_PUBLISH_TROUBLE_H
#define SPORE_FETCHFS_PUBLISH_TROUBLE_H

#include "common/base.h"
#include "common/message.h"

struct trouble {
	int exit_code;		/* 0: nothing is wrong */
	char text[1024];
};

/* Notes what was being done, on what, and why it failed; returns error. exit_code 0: chosen by the error. */
errint_t trouble_set(struct trouble *t, errint_t error, int exit_code, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "TEXT: strerror(error)". */
errint_t trouble_errno(struct trouble *t, errint_t error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints the trouble, or the bare error where none was noted; returns the exit code. For programs. */
int trouble_report(const struct trouble *t, errint_t error);

#endif
