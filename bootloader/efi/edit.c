/* SPDX-License-Identifier: MIT */
/* See edit.h. No libc: this file is compiled for the firmware too. */
#include "bootloader/efi/edit.h"

/* Keeps the cursor on the screen, and some text to its left when the line scrolls. */
static void scroll(struct edit *e)
{
	if (e->cursor < e->first)
		e->first = e->cursor > e->columns / 2 ? e->cursor - e->columns / 2 : 0;
	if (e->cursor >= e->first + e->columns)
		e->first = e->cursor - e->columns + e->columns / 4;
	if (e->first > 0 && e->length < e->first)
		e->first = 0;
}

void edit_init(struct edit *e, ucs2_t *text, size_t capacity, size_t columns)
{
	size_t length = 0;

	while (length + 1 < capacity && text[length])
		length++;
	text[length] = 0;
	*e = (struct edit){ .text = text, .capacity = capacity, .length = length, .cursor = length, .columns = columns < 8 ? 8 : columns };
	scroll(e);
}

static void insert(struct edit *e, ucs2_t unit)
{
	if (e->length + 1 >= e->capacity || unit < 0x20 || unit == 0x7f)
		return;
	for (size_t i = e->length + 1; i > e->cursor; i--)
		e->text[i] = e->text[i - 1];
	e->text[e->cursor++] = unit;
	e->length++;
}

static void remove_at(struct edit *e, size_t at)
{
	if (at >= e->length)
		return;
	for (size_t i = at; i < e->length; i++)
		e->text[i] = e->text[i + 1];
	e->length--;
}

enum edit_result edit_key(struct edit *e, struct keypress press)
{
	switch (press.key) {
	case KEY_ENTER:
		return EDIT_ACCEPTED;
	case KEY_ESCAPE:
		return EDIT_CANCELLED;
	case KEY_CHARACTER:
		insert(e, press.character);
		break;
	case KEY_LEFT:
		e->cursor -= e->cursor > 0;
		break;
	case KEY_RIGHT:
		e->cursor += e->cursor < e->length;
		break;
	case KEY_HOME:
	case KEY_UP:
		e->cursor = 0;
		break;
	case KEY_END:
	case KEY_DOWN:
		e->cursor = e->length;
		break;
	case KEY_BACKSPACE:
		if (e->cursor > 0)
			remove_at(e, --e->cursor);
		break;
	case KEY_DELETE:
		/* Firmware takes the backspace of most serial terminals (0x7f) for Delete: at the end, where Delete has nothing to do, it is one. */
		if (e->cursor == e->length && e->cursor > 0)
			e->cursor--;
		remove_at(e, e->cursor);
		break;
	case KEY_ERASE_LINE:
		e->text[0] = 0;
		e->length = e->cursor = 0;
		break;
	case KEY_NONE:
		break;
	}
	scroll(e);
	return EDIT_GOES_ON;
}
