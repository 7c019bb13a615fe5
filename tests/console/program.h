/* SPDX-License-Identifier: MIT */
/*
 * A program in a process group of its own, on pipes: started, fed, waited for, ended with all that it started. Hands what it says to a screen.
 */
#ifndef SPORE_TESTS_PROGRAM_H
#define SPORE_TESTS_PROGRAM_H

#include "tests/console/screen.h"

#include <sys/types.h>

#define PROGRAM_SEND_MAX (64 * KIB)

struct program {
	struct screen *screen;
	pid_t pid;
	int to, from, signals;
	bool exited;
	int status;		/* of waitpid */
	int interrupted;	/* SIGTERM or SIGINT came for us */
	char out[PROGRAM_SEND_MAX];
	size_t out_used;
};

/* Blocks SIGCHLD, SIGTERM and SIGINT in this process for good: they are read in program_pump. */
errint_t program_start(struct program *p, struct screen *screen, char **argv);

/* -EPIPE when it has ended, -ENOBUFS when it does not read what it was sent before. */
errint_t program_send(struct program *p, const char *data, size_t size);

/* Waits until something happens, at most until deadline_ns (of screen_now_ns). False when that has come. */
bool program_pump(struct program *p, int64_t deadline_ns);

/* The exit status as a shell has it: 128 + N after signal N. */
int program_status(const struct program *p);

/* SIGTERM to its group, then SIGKILL. */
void program_end(struct program *p);

/* A shell command of the host while the program goes on. Its wait status, -ETIMEDOUT, or another -errno. */
int program_run_beside(struct program *p, const char *command, int64_t deadline_ns);

#endif
