/* SPDX-License-Identifier: MIT */
/*
 * The boot configuration on the ESP, spore/boot.conf (docs/format-boot-conf.md): a parser that works on a buffer and allocates nothing.
 * mkimage checks images with it and the EFI loader is compiled from the very same file: it includes no library and must not call one.
 */
#ifndef SPORE_COMMON_BOOT_CONF_H
#define SPORE_COMMON_BOOT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_CONF_MAX_SIZE (16 * 1024)
#define BOOT_CONF_MAX_ENTRIES 16
#define BOOT_CONF_MAX_NAME 64
#define BOOT_CONF_MAX_TITLE 128
#define BOOT_CONF_MAX_PATH 255
#define BOOT_CONF_MAX_OPTIONS 4096
#define BOOT_CONF_MAX_TIMEOUT 3600	/* seconds */

/* A stretch of the text that was parsed; size 0: not given. Not NUL-terminated. */
struct boot_conf_text {
	uint32_t offset, size;
};

struct boot_conf_entry {
	struct boot_conf_text name;	/* letters, digits, '.', '_', '-' */
	struct boot_conf_text title;	/* may be absent: show the name */
	struct boot_conf_text linux_path;	/* begins with '/', from the ESP's root; always there */
	struct boot_conf_text initrd_path;	/* may be absent */
	struct boot_conf_text options;	/* may be absent */
	uint32_t line;			/* where the entry begins, from 1 */
};

struct boot_conf {
	uint32_t timeout;		/* seconds; 0: no menu unless a key is held */
	uint32_t count;			/* of entries, at least 1 after a successful parse */
	uint32_t default_entry;		/* index; 0 where none is named, or one that does not exist */
	bool default_unknown;		/* "default" names no entry */
	uint32_t ignored;		/* lines with keys that this version does not know */
	uint32_t ignored_line;		/* the first of them, from 1 */
	uint32_t error_line;		/* on an error: where, from 1; 0 where it concerns the whole file */
	struct boot_conf_entry entries[BOOT_CONF_MAX_ENTRIES];
};

enum boot_conf_error {
	BOOT_CONF_OK = 0,
	BOOT_CONF_E_SIZE,	/* larger than BOOT_CONF_MAX_SIZE */
	BOOT_CONF_E_CHARACTER,	/* a NUL or another control character */
	BOOT_CONF_E_VALUE,	/* a key without a value */
	BOOT_CONF_E_NUMBER,	/* timeout is no number, or too large */
	BOOT_CONF_E_NAME,	/* empty, too long, or with other characters */
	BOOT_CONF_E_PATH,	/* does not begin with '/', too long, "..", or characters that FAT has not */
	BOOT_CONF_E_LONG,	/* title or options too long */
	BOOT_CONF_E_OUTSIDE,	/* a key of entries before the first entry */
	BOOT_CONF_E_REPEATED,	/* the same key or entry twice */
	BOOT_CONF_E_MANY,	/* more than BOOT_CONF_MAX_ENTRIES */
	BOOT_CONF_E_NO_LINUX,	/* an entry without "linux" */
	BOOT_CONF_E_NO_ENTRY,	/* no entry at all */
};

/* Parses text[0..size). On an error *ret holds what was read so far, and error_line. */
enum boot_conf_error boot_conf_parse(const char *text, size_t size, struct boot_conf *ret);

/* "the entry has no linux line": for messages, in ASCII. */
const char *boot_conf_error_text(enum boot_conf_error e);

#endif
