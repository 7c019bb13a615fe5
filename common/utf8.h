/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 and UTF-16 character by character, for names in partition tables and on FAT. Malformed input becomes U+FFFD, never an overrun.
 */
#ifndef SPORE_COMMON_UTF8_H
#define SPORE_COMMON_UTF8_H

#include "common/base.h"

/* One character of a NUL-terminated text; malformed bytes give U+FFFD one by one. Returns the bytes taken (at least 1; not for the NUL). */
size_t utf8_next(const char *s, uint32_t *ret);

/* Writes 1 to 4 bytes and no NUL; returns their number. What is no character is written as U+FFFD. */
size_t utf8_put(uint32_t c, char ret[4]);

/* count little-endian units, or fewer where a NUL unit ends them, to a NUL-terminated text; ret has room for 3 * count + 1 bytes. */
void utf8_from_utf16le(const uint8_t *units, size_t count, char *ret);

/* To little-endian units without a NUL; -ENAMETOOLONG where they are more than max (ret then holds the first of them, none cut in half). */
errint_t utf8_to_utf16le(const char *s, uint8_t *ret, size_t max, size_t *ret_count);

#endif
