/* SPDX-License-Identifier: MIT */
/*
 * A choice of revision that is kept over mounts: what was asked for, and the signed texts that were the answer. Specified in docs/format-pin.md.
 * Takes the file apart; must not know whether its texts are to be trusted.
 */
#ifndef SPORE_FETCHFS_FORMAT_PIN_H
#define SPORE_FETCHFS_FORMAT_PIN_H

#include "fetchfs/format/manifest.h"

#define PIN_SELECT_SIZE 128
#define PIN_MAX_SIZE (2 * MANIFEST_MAX_SIZE + 1024)

struct pin {
	char select[PIN_SELECT_SIZE];	/* "latest", "tag stable", "revision 7", "date 1763725200" */
	const char *keyring, *manifest;	/* into the text; no NUL */
	size_t keyring_size, manifest_size;
};

/* -EBADMSG; -EPROTONOSUPPORT (newer version). */
errint_t pin_parse(const char *text, size_t size, struct pin *ret);
errint_t pin_format(const struct pin *p, char **ret_text, size_t *ret_size);

#endif
