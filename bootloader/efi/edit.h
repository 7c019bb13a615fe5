/* SPDX-License-Identifier: MIT */
/*
 * The state of a one-line editor: a text, a cursor, and which part of it a narrow screen shows. Knows keys by name; must not know where they
 * come from or how the line is drawn.
 */
#ifndef SPORE_BOOTLOADER_EDIT_H
#define SPORE_BOOTLOADER_EDIT_H

#include "bootloader/efi/text.h"

/* What a key means to the menu and to the editor, whatever keyboard or terminal it came from. */
enum key {
	KEY_NONE,		/* nothing pressed, or a key without a meaning */
	KEY_CHARACTER,		/* a printable one: see struct keypress */
	KEY_UP, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END,
	KEY_ENTER, KEY_ESCAPE, KEY_BACKSPACE, KEY_DELETE, KEY_ERASE_LINE,
};

struct keypress {
	enum key key;
	ucs2_t character;
};

struct edit {
	ucs2_t *text;		/* the caller's; always ends with a 0 unit */
	size_t capacity;	/* units, with the 0 */
	size_t length;
	size_t cursor;		/* 0 … length */
	size_t first;		/* the leftmost unit shown */
	size_t columns;		/* how many are shown; at least 8 */
};

enum edit_result { EDIT_GOES_ON, EDIT_ACCEPTED, EDIT_CANCELLED };

/* text holds the line to begin with, ended by a 0 within capacity. The cursor is put at its end. */
void edit_init(struct edit *e, ucs2_t *text, size_t capacity, size_t columns);
enum edit_result edit_key(struct edit *e, struct keypress press);

#endif
