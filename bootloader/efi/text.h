/* SPDX-License-Identifier: MIT */
/*
 * Text between UTF-8, in which boot.conf and the loader's messages are written, and UCS-2, which the firmware and the kernel's EFI stub read;
 * and a small printf. Works on memory only and knows nothing of the firmware, so that it is tested on the build machine.
 */
#ifndef SPORE_BOOTLOADER_TEXT_H
#define SPORE_BOOTLOADER_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t ucs2_t;

size_t text_length(const char *text);

/*
 * UTF-8 to UCS-2, always ended by a 0 unit. What is malformed or above U+FFFF becomes U+FFFD. Returns the units written without the 0;
 * sets *ret_fits (may be NULL) to false where the text was cut. capacity is in units and at least 1.
 */
size_t text_to_ucs2(const char *text, size_t size, ucs2_t *ret, size_t capacity, bool *ret_fits);

/* The same for a path of boot.conf: '/' becomes '\', and one stands in front. False where it is empty, too long or has a control character. */
bool text_path(const char *path, size_t size, ucs2_t *ret, size_t capacity);

/*
 * A small vsnprintf: %s, %.*s, %c, %u, %lu, %llu, %x, %lx, %llx and %%, with an optional width (padded with spaces; zeros after 0).
 * Always ends with a NUL and never writes beyond capacity (at least 1). Returns the length of what was written.
 */
size_t text_vformat(char *ret, size_t capacity, const char *format, va_list arguments);
size_t text_format(char *ret, size_t capacity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "512 bytes", "23 KiB", "6.3 MiB" into ret; returns ret. */
#define TEXT_SIZE_MAX 24
const char *text_size(uint64_t bytes, char ret[TEXT_SIZE_MAX]);

#endif
