/* SPDX-License-Identifier: MIT */
/*
 * A terminal for a program that fills it: the other screen, no cursor, keys one by one; and the way back on every exit, also while the program is stopped
 * (^Z). Plain ANSI sequences. One screen in a process. Knows keys and signals; must not know what is shown.
 */
#ifndef SPORE_FETCHFS_CLIENT_TOP_SCREEN_H
#define SPORE_FETCHFS_CLIENT_TOP_SCREEN_H

#include "common/base.h"

/* Takes over the terminal of standard output, and standard input where that is one too. */
void screen_open(void);
/* The terminal as it was. Also called at exit. */
void screen_close(void);
void screen_size(unsigned *ret_columns, unsigned *ret_rows);
/* Shows the first lines of text that fit. */
void screen_show(const char *text);

enum screen_event { SCREEN_TIME, SCREEN_REDRAW, SCREEN_KEY, SCREEN_END };
/* Waits for a key (*ret_key), a change of size (SCREEN_REDRAW), a signal that ends (SCREEN_END), or until then (of clock_now). Without screen_open too. */
enum screen_event screen_wait(int64_t then, char *ret_key);
/* The signal of SCREEN_END, 0 where there was none. */
int screen_signal(void);
/* Signals that end are reported by screen_wait from now on. */
void screen_catch_signals(void);

#endif
