/* SPDX-License-Identifier: MIT */
/*
 * User data of any format, taken apart into pieces of one format each: unwraps gzip, base64 and MIME, takes out [ucernvm-begin] blocks, and
 * recognises the rest by its first bytes. Knows what the pieces are, not what they mean (cloud_config.h does for #cloud-config).
 */
#ifndef SPORE_CONTEXTUALIZE_USERDATA_H
#define SPORE_CONTEXTUALIZE_USERDATA_H

#include "contextualize/diag.h"
#include "contextualize/formats/settings.h"

#define USERDATA_MAX_PARTS 64
#define USERDATA_MAX_NESTING 8
#define USERDATA_MAX_SIZE ((size_t)16 << 20)	/* of the input, and of everything unwrapped together */

enum part_kind {
	PART_EMPTY,		/* nothing, or white space */
	PART_CLOUD_CONFIG,
	PART_SCRIPT,		/* #! */
	PART_BOOTHOOK,		/* #cloud-boothook */
	PART_MIME,		/* unwrapped: never in a list */
	PART_GZIP,		/* unwrapped */
	PART_UNSUPPORTED,	/* recognised, see userdata_kind_name */
	PART_UNKNOWN,
};

struct part {
	enum part_kind kind;
	const char *name;	/* "" for the whole; "part 2", or its file name */
	char *data;		/* ends with a NUL that size does not count */
	size_t size;
	unsigned line_base;	/* lines of the file before it; 0 where it was encoded */
};

struct userdata {
	struct arena arena;
	struct part part[USERDATA_MAX_PARTS];
	size_t count;
	struct settings settings;
	size_t total;
	bool mime;		/* there was an envelope */
};

/*
 * What is not understood becomes an error in diag and the rest goes on; only -ENOMEM is returned. Empty data give no parts. The result
 * holds everything it needs; userdata_done releases it. May be called several times on one struct: the parts add up.
 */
errint_t userdata_split(struct userdata *u, const char *data, size_t size, struct diag_list *diag);
void userdata_done(struct userdata *u);

/* By the first bytes. *ret_name (may be NULL) names what was recognised, for messages. */
enum part_kind userdata_sniff(const char *data, size_t size, const char **ret_name);
const char *part_kind_name(enum part_kind kind);

/* mime.c: splits at the boundary. Calls back for every part with its decoded-to-be body; returns false where it is no MIME message. */
struct mime_part {
	char type[64];		/* lower case, "text/plain" where none is given */
	char encoding[32];	/* Content-Transfer-Encoding, lower case */
	char boundary[72];
	char filename[96];
	const char *body;
	size_t size;
	unsigned line;		/* lines of the message before the body */
};
bool mime_parse_head(const char *data, size_t size, struct mime_part *ret);
/* The next part of a multipart body: *pos starts at 0, *line at 0. False at the end. */
bool mime_next(const struct mime_part *whole, size_t *pos, unsigned *line, struct mime_part *ret);

#endif
