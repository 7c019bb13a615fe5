/* SPDX-License-Identifier: MIT */
/*
 * Settings that user data may give to the stages (repository, tag, proxy …): the [ucernvm-begin] … [ucernvm-end] blocks, read as KEY=VALUE,
 * mapped to Spore's names and checked character by character. They are never executed or sourced.
 */
#ifndef SPORE_CONTEXTUALIZE_SETTINGS_H
#define SPORE_CONTEXTUALIZE_SETTINGS_H

#include "contextualize/diag.h"

#define SETTINGS_MAX 32
#define SETTINGS_MAX_VALUE 1024

struct setting {
	const char *key;	/* Spore's name; static */
	const char *value;	/* in the arena given to settings_extract */
};

struct settings {
	struct setting item[SETTINGS_MAX];
	size_t count;
};

/*
 * Finds the blocks in text (changed in place: a block is overwritten by blanks, its line ends stay, so that line numbers hold), adds what
 * they set to s. Unknown keys and bad values become warnings and errors. -ENOMEM.
 */
errint_t settings_extract(struct settings *s, struct arena *arena, char *text, size_t size, struct diag_list *diag);
/* NULL: not set. */
const char *settings_get(const struct settings *s, const char *key);

#endif
