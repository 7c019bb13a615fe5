/* SPDX-License-Identifier: MIT */
/*
 * One line of a recorded profile: a path, escaped, and which bytes of the file were read. Specified in docs/format-profile.md. Knows lines; must not know
 * trees, repositories or who reads them.
 */
#ifndef SPORE_FETCHFS_FORMAT_PROFILE_H
#define SPORE_FETCHFS_FORMAT_PROFILE_H

#include "common/base.h"

#define PROFILE_MAX_SIZE ((size_t)(64 * MIB))
#define PROFILE_MAX_LINES 1048576
#define PROFILE_PATH_MAX 8191

struct profile_line {
	char *path;		/* unescaped, in place; NULL: the line says nothing */
	const char *extents;	/* to be read with profile_next_extent; NULL: the whole file */
};

/* Takes a line (without LF) apart, and changes it. -EINVAL: no absolute path, a bad escape, an extent that is none. -ENAMETOOLONG. */
errint_t profile_parse_line(char *line, struct profile_line *ret);
/* False behind the last one. Only for extents that profile_parse_line has passed. */
bool profile_next_extent(const char **extents, uint64_t *ret_offset, uint64_t *ret_length);

/* Writes a path as it stands in a line. */
void profile_print_path(FILE *f, const char *path, size_t length);

#endif
