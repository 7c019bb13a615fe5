/* SPDX-License-Identifier: MIT */
/* See menu.h. Lines are redrawn one by one: on a serial port a whole screen takes long. */
#include "bootloader/efi/console.h"
#include "bootloader/efi/menu.h"

#define FIRST_ROW 2
#define IDLE_SECONDS 120

struct menu {
	const char *text;
	const struct boot_conf *conf;
	bool may_edit;
	UINTN columns, rows;
	uint32_t selected;
};

static void draw_entry(const struct menu *m, uint32_t index)
{
	const struct boot_conf_entry *e = &m->conf->entries[index];
	const struct boot_conf_text *title = e->title.size > 0 ? &e->title : &e->name;
	int width = m->columns > 12 ? (int)(m->columns - 8) : 4;

	console_move(1, FIRST_ROW + index);
	console_highlight(index == m->selected);
	if (index < 9)
		console_print("%c %u. %.*s ", index == m->selected ? '>' : ' ', index + 1,
			(int)title->size < width ? (int)title->size : width, m->text + title->offset);
	else
		console_print("%c    %.*s ", index == m->selected ? '>' : ' ', (int)title->size < width ? (int)title->size : width,
			m->text + title->offset);
	console_highlight(false);
}

static void draw_all(const struct menu *m)
{
	console_clear();
	console_cursor(false);
	console_move(1, 0);
	console_print("Spore boot menu (" ARCH_TITLE ")");
	for (uint32_t i = 0; i < m->conf->count; i++)
		draw_entry(m, i);
	console_move(1, FIRST_ROW + m->conf->count + 1);
	console_print("Up, Down, Enter or a digit: start.  %sEsc: back to the firmware.", m->may_edit ? "e: edit the command line.  " : "");
}

static void draw_countdown(const struct menu *m, uint32_t seconds, bool counting)
{
	console_move(1, FIRST_ROW + m->conf->count + 2);
	if (counting)
		console_print("Starting by itself in %u s; any key stops this. ", seconds);
	else
		console_print("%54s", "");
}

static void draw_edit(const struct edit *e, UINTN row)
{
	UINTN shown = e->length - e->first < e->columns ? e->length - e->first : e->columns;

	console_move(1, row);
	console_print_units(e->text + e->first, shown);
	for (UINTN i = shown; i < e->columns; i++)
		console_print(" ");
	console_move(1 + e->cursor - e->first, row);
}

/* The command line of the selected entry on a screen of its own. True where it is to be started. */
static bool edit_options(const struct menu *m, ucs2_t *options, size_t capacity)
{
	const struct boot_conf_text *from = &m->conf->entries[m->selected].options;
	struct keypress press;
	struct edit e;
	enum edit_result result = EDIT_GOES_ON;

	text_to_ucs2(m->text + from->offset, from->size, options, capacity, NULL);
	edit_init(&e, options, capacity, m->columns - 3);
	console_clear();
	console_move(1, 0);
	console_print("Command line (Enter: start, Esc: back to the menu, Ctrl-U: erase)");
	console_cursor(true);
	while (result == EDIT_GOES_ON) {
		draw_edit(&e, 2);
		press = console_key(IDLE_SECONDS * 1000);
		if (press.key == KEY_NONE)
			result = EDIT_CANCELLED;
		else
			result = edit_key(&e, press);
	}
	console_cursor(false);
	return result == EDIT_ACCEPTED;
}

static void select_entry(struct menu *m, uint32_t index)
{
	uint32_t before = m->selected;

	m->selected = index;
	draw_entry(m, before);
	draw_entry(m, index);
}

static void leave_screen(void)
{
	console_highlight(false);
	console_clear();
	console_cursor(true);
}

/* One key. True where the menu is done, with *ret set. */
static bool on_key(struct menu *m, struct keypress press, ucs2_t *options, size_t capacity, bool *ret_edited, enum menu_result *ret)
{
	uint32_t count = m->conf->count;

	*ret = MENU_START;
	switch (press.key) {
	case KEY_UP:
		select_entry(m, m->selected > 0 ? m->selected - 1 : count - 1);
		return false;
	case KEY_DOWN:
		select_entry(m, m->selected + 1 < count ? m->selected + 1 : 0);
		return false;
	case KEY_HOME:
		select_entry(m, 0);
		return false;
	case KEY_END:
		select_entry(m, count - 1);
		return false;
	case KEY_ENTER:
		return true;
	case KEY_ESCAPE:
		*ret = MENU_LEAVE;
		return true;
	case KEY_CHARACTER:
		if (press.character >= '1' && press.character <= '9' && (uint32_t)(press.character - '1') < count) {
			select_entry(m, (uint32_t)(press.character - '1'));
			return true;
		}
		if (press.character == 'e' && m->may_edit) {
			*ret_edited = edit_options(m, options, capacity);
			if (!*ret_edited)
				draw_all(m);
			return *ret_edited;
		}
		return false;
	default:
		return false;
	}
}

enum menu_result menu_show(const char *text, const struct boot_conf *conf, uint32_t timeout, bool may_edit,
	uint32_t *ret_entry, ucs2_t *options, size_t options_capacity, bool *ret_edited)
{
	struct menu m = { .text = text, .conf = conf, .may_edit = may_edit, .selected = conf->default_entry };
	enum menu_result result = MENU_START;
	bool counting = timeout > 0;
	uint32_t left = counting ? timeout : IDLE_SECONDS;

	*ret_edited = false;
	firmware_watchdog(0);
	console_size(&m.columns, &m.rows);
	draw_all(&m);
	while (left > 0) {
		struct keypress press;

		draw_countdown(&m, left, counting);
		press = console_key(1000);
		if (press.key == KEY_NONE) {
			left--;
			continue;
		}
		counting = false;
		left = IDLE_SECONDS;
		if (on_key(&m, press, options, options_capacity, ret_edited, &result))
			break;
	}
	/* Nobody came back to a menu that was opened: the default, not what happened to be selected. */
	*ret_entry = left == 0 ? conf->default_entry : m.selected;
	leave_screen();
	return result;
}
