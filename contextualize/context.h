/* SPDX-License-Identifier: MIT */
/*
 * What a data source said, in one normal form, in memory and as the files of /run/spore/context. Knows the files and their names; knows no source
 * and no format of user data. Every path of the guest goes through ctx_path, so that tests run on a tree of their own ($SPORE_ROOT).
 */
#ifndef SPORE_CONTEXTUALIZE_CONTEXT_H
#define SPORE_CONTEXTUALIZE_CONTEXT_H

#include "common/arena.h"
#include "contextualize/formats/settings.h"

#include <sys/types.h>

#define CONTEXT_DIR "/run/spore/context"
#define CONTEXT_MAX_BLOB ((size_t)16 << 20)	/* user data, vendor data, network configuration: each */
#define CONTEXT_MAX_ID 128

enum network_format { NETWORK_NONE, NETWORK_V1, NETWORK_V2, NETWORK_DATA, NETWORK_ENI };

struct blob {
	char *data;	/* NULL: there is none. Ends with a NUL that size does not count */
	size_t size;
};

struct context {
	struct arena arena;
	const char *source;	/* "nocloud"; "none" */
	const char *where;	/* for messages: "volume cidata on /dev/sr0" */
	const char *instance_id;
	const char *hostname;	/* may be NULL */
	const char **key;	/* public ssh keys */
	size_t keys;
	struct blob user_data, vendor_data, network;
	enum network_format network_format;
};

/* $SPORE_ROOT and a path, in a new string (free); NULL when memory is out. */
char *ctx_path(const char *path);
/* A whole file below $SPORE_ROOT, trailing white space cut. */
errint_t ctx_read(const char *path, size_t max, char **ret, size_t *ret_size);
errint_t ctx_write(const char *path, mode_t mode, const void *data, size_t size);

/* A private copy in the arena. */
errint_t context_set_blob(struct context *c, struct blob *b, const void *data, size_t size);
errint_t context_add_key(struct context *c, const char *key, size_t length);
void context_done(struct context *c);

/* Writes and reads the files of a directory (a full path: ctx_path is the caller's affair). settings may be NULL. What was there before is removed. */
errint_t context_save(const struct context *c, const char *dir, const struct settings *settings);
errint_t context_load(struct context *c, const char *dir);

/* An instance-id as a file name: letters, digits, . _ : - stay, everything else becomes +XX; what is behind 128 bytes is cut. */
void context_id_file(const char *id, char ret[3 * CONTEXT_MAX_ID + 1]);

const char *network_format_name(enum network_format f);
/* Looks into a network configuration: version 1, version 2, network_data.json or Debian's interfaces(5). */
enum network_format network_format_guess(const char *data, size_t size);

#endif
