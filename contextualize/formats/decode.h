/* SPDX-License-Identifier: MIT */
/*
 * The encodings that user data come wrapped in: base64, quoted-printable, gzip. Pure functions from memory to memory, bounded.
 */
#ifndef SPORE_CONTEXTUALIZE_DECODE_H
#define SPORE_CONTEXTUALIZE_DECODE_H

#include "common/base.h"

#define DECODE_MAX ((size_t)16 << 20)	/* no result is larger: -EFBIG */

/* Every result: a new buffer (free) with a NUL behind it. White space is skipped; anything else that is not base64 is -EBADMSG. */
errint_t decode_base64(const char *data, size_t size, char **ret, size_t *ret_size);
/* Tolerant, as mail readers are: what is no escape stands for itself. */
errint_t decode_quoted_printable(const char *data, size_t size, char **ret, size_t *ret_size);
/* All members; -EBADMSG: not gzip, corrupt or cut off; -EFBIG: more than DECODE_MAX when unpacked. */
errint_t decode_gzip(const char *data, size_t size, char **ret, size_t *ret_size);

bool decode_is_gzip(const char *data, size_t size);
/* Only base64 characters and white space, at least 16 of them, a whole number of groups. */
bool decode_looks_base64(const char *data, size_t size);

#endif
