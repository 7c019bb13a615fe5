/* SPDX-License-Identifier: MIT */
/*
 * The firmware's console, on whatever screens and serial ports it has: text out, keys in with a time limit. Knows nothing of what is shown.
 */
#ifndef SPORE_BOOTLOADER_CONSOLE_H
#define SPORE_BOOTLOADER_CONSOLE_H

#include "bootloader/efi/edit.h"
#include "bootloader/efi/firmware.h"

/* printf of text.h; '\n' becomes a new line on terminals. At most 1 KiB at a time. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Units as they are, no more than count. */
void console_print_units(const ucs2_t *text, UINTN count);

void console_clear(void);
void console_move(UINTN column, UINTN row);
void console_highlight(bool on);
void console_cursor(bool visible);
/* 80 × 25 where the firmware does not say. */
void console_size(UINTN *ret_columns, UINTN *ret_rows);

/* A key, or KEY_NONE when none came within milliseconds (0: only one that was pressed before). */
struct keypress console_key(UINTN milliseconds);

#endif
