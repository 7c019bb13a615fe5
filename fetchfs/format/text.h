/* SPDX-License-Identifier: MIT */
/*
 * The "key: value" lines that manifest and keyring are made of: taking them apart. For those two parsers alone;
 * must not know the keys' meaning.
 */
#ifndef SPORE_FETCHFS_FORMAT_TEXT_H
#define SPORE_FETCHFS_FORMAT_TEXT_H

#include "fetchfs/format/manifest.h"

struct text_line {
	const char *key, *value;	/* into the text, no NUL */
	size_t key_length, value_length;
};

struct text_cursor {
	const char *at, *end;
	unsigned line;		/* number of the line last read, from 1 */
};

/* The next line; -ENODATA at the end, -EBADMSG where it has no ": ", holds control characters, or does not end in LF. */
errint_t text_next(struct text_cursor *c, struct text_line *ret);
bool text_key_is(const struct text_line *l, const char *key);

/* Cuts the next space-separated word off the value; -EBADMSG where there is none. */
errint_t text_word(struct text_line *l, const char **ret, size_t *ret_length);

/* Whole decimal numbers without leading zeros; of words and of whole values. */
errint_t text_number(const char *text, size_t length, uint64_t *ret);
errint_t text_time(const char *text, size_t length, int64_t *ret);
errint_t text_value_number(const struct text_line *l, uint64_t *ret);
errint_t text_value_time(const struct text_line *l, int64_t *ret);
errint_t text_name(const char *text, size_t length, char ret[MANIFEST_NAME_MAX + 1]);

/* Which keys have been seen, so that none is missing or there twice: bit n of *seen. */
errint_t text_once(unsigned *seen, unsigned bit);

#endif
