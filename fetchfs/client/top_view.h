/* SPDX-License-Identifier: MIT */
/* How fetchfs top shows a mount: from two replies of its verb 'status' to lines of text. Knows what the figures mean; must not know terminals or sockets. */
#ifndef SPORE_FETCHFS_CLIENT_TOP_VIEW_H
#define SPORE_FETCHFS_CLIENT_TOP_VIEW_H

#include "common/base.h"

#include <jansson.h>

struct top_view {
	const char *mountpoint;
	const json_t *before, *now;	/* NULL before: there are no rates yet; NULL now: error says why */
	int64_t elapsed;		/* ns between them */
	const char *error;
};

/* Some lines, none longer than width characters. */
void top_view_block(const struct top_view *v, unsigned width, FILE *out);
/* One line of columns, and the line that names them. */
void top_view_heading(FILE *out);
void top_view_line(const struct top_view *v, const char *time, FILE *out);

#endif
