/* SPDX-License-Identifier: MIT */
/*
 * Image definitions: 'key = value' lines (images/default.conf documents each key), checked one by one. Knows keys and what their values may be; does
 * not open the files that they name.
 */
#ifndef SPORE_MKIMAGE_DEFINITION_H
#define SPORE_MKIMAGE_DEFINITION_H

#include "mkimage/problem.h"

enum definition_key {
	DEF_NAME, DEF_REPOSITORY, DEF_KEY, DEF_TAG, DEF_PROXY, DEF_CAFILE, DEF_CERT, DEF_CERTKEY, DEF_CREDENTIALS,
	DEF_HEADERS, DEF_CMDLINE, DEF_CONSOLE, DEF_TIMEOUT, DEF_SHELL, DEF_DATASOURCE, DEF_SCRATCH,
	DEF_SCRATCH_SIZE, DEF_CACHE_QUOTA, DEF_PROFILE, DEF_KERNEL, DEF_LOADER, DEF_RECIPE, DEF_GUEST, DEF_INITRD_COMPRESSION, DEF_FAT, DEF_ESP_FREE,
	DEF_COUNT,
};

struct definition {
	char *values[DEF_COUNT];	/* NULL: not given and without a default */
	char *origins[DEF_COUNT];	/* "images/default.conf:12", "--set"; NULL: the default */
};

#define DEFINITION_MAX_SIZE (64 * 1024)

/* Relative paths in it are taken from its own directory. */
errint_t definition_read(struct definition *d, const char *path, struct problem *p);
/* "KEY=VALUE" from the command line: stands over the file. Relative paths are taken from the working directory. */
errint_t definition_set(struct definition *d, const char *assignment, struct problem *p);
/* Fills the defaults in; repository and key must be there. */
errint_t definition_finish(struct definition *d, struct problem *p);
void definition_done(struct definition *d);

const char *definition_key_name(enum definition_key key);
/* The setting goes into the guest's /etc/spore/image.conf. */
bool definition_is_guest_setting(enum definition_key key);
/* "images/default.conf:12: key" for messages about the value. */
void definition_where(const struct definition *d, enum definition_key key, char *ret, size_t size);

/* One word of a list separated by blanks: *at moves on; false at the end. ret is cut at size. */
bool definition_next_word(const char **at, char *ret, size_t size);
/* A path with @BUILD@, @ARCH@ and @LOADER@ filled in (free); NULL when memory is out. */
char *definition_expand(const char *text, const char *build_dir, const char *arch, const char *loader);

/* For tests: the edit distance that decides about a near match. */
unsigned int definition_distance(const char *a, const char *b);

#endif
