/* SPDX-License-Identifier: MIT */
/* See console.h. Every call bears a firmware without an input or output device. */
#include "bootloader/efi/console.h"

#define LINE_MAX_UNITS 1024

void console_print(const char *format, ...)
{
	char text[LINE_MAX_UNITS];
	ucs2_t wide[2 * LINE_MAX_UNITS];
	UINTN out = 0;
	size_t size;
	va_list arguments;

	va_start(arguments, format);
	size = text_vformat(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (size_t from = 0; from < size;) {
		size_t to = from;

		while (to < size && text[to] != '\n')
			to++;
		out += text_to_ucs2(text + from, to - from, wide + out, to - from + 1, NULL);
		if (to < size) {
			wide[out++] = '\r';
			wide[out++] = '\n';
		}
		from = to + 1;
	}
	wide[out] = 0;
	if (firmware.system->ConOut)
		firmware.system->ConOut->OutputString(firmware.system->ConOut, (CHAR16 *)wide);
}

void console_print_units(const ucs2_t *text, UINTN count)
{
	ucs2_t part[128];

	while (count > 0 && *text) {
		UINTN n = 0;

		while (n < count && n < 127 && text[n]) {
			part[n] = text[n];
			n++;
		}
		part[n] = 0;
		if (firmware.system->ConOut)
			firmware.system->ConOut->OutputString(firmware.system->ConOut, (CHAR16 *)part);
		text += n;
		count -= n;
	}
}

void console_clear(void)
{
	if (firmware.system->ConOut)
		firmware.system->ConOut->ClearScreen(firmware.system->ConOut);
}

void console_move(UINTN column, UINTN row)
{
	if (firmware.system->ConOut)
		firmware.system->ConOut->SetCursorPosition(firmware.system->ConOut, column, row);
}

void console_highlight(bool on)
{
	if (firmware.system->ConOut)
		firmware.system->ConOut->SetAttribute(firmware.system->ConOut,
			on ? EFI_TEXT_ATTR(EFI_BLACK, EFI_LIGHTGRAY) : EFI_TEXT_ATTR(EFI_LIGHTGRAY, EFI_BLACK));
}

void console_cursor(bool visible)
{
	if (firmware.system->ConOut)
		firmware.system->ConOut->EnableCursor(firmware.system->ConOut, visible);
}

void console_size(UINTN *ret_columns, UINTN *ret_rows)
{
	SIMPLE_TEXT_OUTPUT_INTERFACE *out = firmware.system->ConOut;

	*ret_columns = 80;
	*ret_rows = 25;
	if (out && out->Mode && EFI_ERROR(out->QueryMode(out, (UINTN)out->Mode->Mode, ret_columns, ret_rows))) {
		*ret_columns = 80;
		*ret_rows = 25;
	}
}

static struct keypress translate(EFI_INPUT_KEY raw)
{
	static const struct {
		UINT16 scan;
		enum key key;
	} scans[] = {
		{ SCAN_UP, KEY_UP }, { SCAN_DOWN, KEY_DOWN }, { SCAN_LEFT, KEY_LEFT }, { SCAN_RIGHT, KEY_RIGHT }, { SCAN_HOME, KEY_HOME },
		{ SCAN_END, KEY_END }, { SCAN_DELETE, KEY_DELETE }, { SCAN_ESC, KEY_ESCAPE },
	};
	struct keypress press = { .key = KEY_NONE, .character = raw.UnicodeChar };

	for (UINTN i = 0; i < sizeof(scans) / sizeof(scans[0]); i++)
		if (scans[i].scan == raw.ScanCode)
			press.key = scans[i].key;
	if (raw.ScanCode != SCAN_NULL)
		return press;
	switch (raw.UnicodeChar) {
	case '\r':
	case '\n':
		press.key = KEY_ENTER;
		break;
	case '\b':
	case 0x7f:	/* what most terminals send for the backspace key */
		press.key = KEY_BACKSPACE;
		break;
	case 0x15:	/* Ctrl-U */
		press.key = KEY_ERASE_LINE;
		break;
	case 0x01:	/* Ctrl-A, Ctrl-E: for terminals whose Home and End do not arrive */
		press.key = KEY_HOME;
		break;
	case 0x05:
		press.key = KEY_END;
		break;
	case 0x1b:
		press.key = KEY_ESCAPE;
		break;
	default:
		press.key = raw.UnicodeChar >= 0x20 ? KEY_CHARACTER : KEY_NONE;
	}
	return press;
}

/* A key that is there already; false where none is. */
static bool take_key(struct keypress *ret)
{
	SIMPLE_INPUT_INTERFACE *in = firmware.system->ConIn;
	EFI_INPUT_KEY raw;

	if (!in || EFI_ERROR(in->ReadKeyStroke(in, &raw)))
		return false;
	*ret = translate(raw);
	return true;
}

struct keypress console_key(UINTN milliseconds)
{
	struct keypress press = { .key = KEY_NONE, .character = 0 };
	EFI_EVENT events[2] = { NULL, NULL };
	UINTN fired, first = firmware.system->ConIn ? 0 : 1;

	if (take_key(&press) || milliseconds == 0)
		return press;
	if (EFI_ERROR(firmware.boot->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[1]))) {
		firmware.boot->Stall(milliseconds * 1000);
		take_key(&press);
		return press;
	}
	firmware.boot->SetTimer(events[1], TimerRelative, (UINT64)milliseconds * 10000);
	if (first == 0)
		events[0] = firmware.system->ConIn->WaitForKey;
	/* The key's event may fire without a key (a shift alone): go on until the timer's does. */
	while (!EFI_ERROR(firmware.boot->WaitForEvent(2 - first, events + first, &fired)))
		if (fired + first == 1 || take_key(&press))
			break;
	firmware.boot->CloseEvent(events[1]);
	return press;
}
