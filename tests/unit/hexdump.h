/* SPDX-License-Identifier: MIT */
/*
 * Worked examples of the format documents: the bytes of "hexdump -C" that follow the line <!-- example: NAME --> in a file below docs/, so that a test
 * can make them again. For unit tests, which run at the top of the tree.
 */
#ifndef SPORE_TESTS_UNIT_HEXDUMP_H
#define SPORE_TESTS_UNIT_HEXDUMP_H

#include "common/io.h"

/* The example's bytes in ret; their number, or 0 where there is none. */
static inline size_t hexdump_example(const char *document, const char *name, uint8_t *ret, size_t room)
{
	_cleanup_free_ char *text = NULL, *marker = io_format("<!-- example: %s -->\n", name);
	size_t size, count = 0;
	char *line;

	if (!marker || io_read_file(document, 1 << 20, &text, &size) < 0 || !(line = strstr(text, marker)))
		return 0;
	line = strstr(line, "```");
	line = line ? strchr(line, '\n') : NULL;
	while (line && strncmp(++line, "```", 3) != 0) {
		/* "00000010  53 50 ...  ...  |SP...|" */
		char *end = line + strcspn(line, "|\n");
		char *p = line + strcspn(line, " ");
		while (p < end && count < room) {
			char *next;
			unsigned long byte = strtoul(p, &next, 16);
			if (next == p || next > end)
				break;
			ret[count++] = (uint8_t)byte;
			p = next;
		}
		line = strchr(line, '\n');
	}
	return count;
}

/* Compares and, where they differ, prints what should stand in the document. */
static inline bool hexdump_matches(const char *document, const char *name, const void *data, size_t size)
{
	_cleanup_free_ uint8_t *example = malloc(size + 1);
	const uint8_t *p = data;

	if (example && hexdump_example(document, name, example, size + 1) == size && memcmp(example, data, size) == 0)
		return true;
	printf("%s, example %s, should be:\n", document, name);
	for (size_t at = 0; at < size; at += 16) {
		printf("%08zx ", at);
		for (size_t i = 0; i < 16; i++) {
			if (at + i < size)
				printf("%s %02x", i == 8 ? " " : "", p[at + i]);
			else
				printf("%s   ", i == 8 ? " " : "");
		}
		printf("  |");
		for (size_t i = at; i < MIN(at + 16, size); i++)
			putchar(p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.');
		printf("|\n");
	}
	return false;
}

#endif
