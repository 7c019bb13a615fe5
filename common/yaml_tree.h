/* SPDX-License-Identifier: MIT */
/*
 * A YAML 1.1 document (libyaml) or a JSON text (jansson) as a tree in memory, with the place of every node, under limits on depth, nodes
 * and size. Aliases are shared, and counted as often as they would expand, so that a small text cannot stand for a huge one; an alias to
 * a node that holds it is refused. Merge keys ("<<") are expanded. Knows nothing of what the document is about.
 */
#ifndef SPORE_COMMON_YAML_TREE_H
#define SPORE_COMMON_YAML_TREE_H

#include "common/arena.h"

#define YTREE_MAX_SIZE ((size_t)16 << 20)	/* bytes of text */
#define YTREE_MAX_DEPTH 64
#define YTREE_MAX_NODES 100000			/* with aliases expanded */

enum ytree_kind {
	YTREE_NULL,	/* nothing, ~ or null, unquoted */
	YTREE_SCALAR,
	YTREE_LIST,
	YTREE_MAP,
};

struct ytree_node {
	enum ytree_kind kind;
	bool quoted;		/* scalar in quotes or a block: a string whatever it looks like */
	bool binary;		/* !!binary: text is base64 */
	unsigned line, column;	/* of its first character, from 1; 0 where unknown (JSON) */
	const char *text;	/* scalar: ends with a NUL that length does not count */
	size_t length;
	size_t count;		/* list: items; map: pairs */
	struct ytree_node **item;	/* list: the items; map: key, value, key, value … */
	size_t weight;		/* nodes in it, itself counted, aliases expanded */
};

struct ytree_error {
	unsigned line, column;	/* from 1; 0 where unknown */
	char text[160];
};

/*
 * Parses the first document of a text; everything is kept in arena, the text itself is not needed afterwards. An empty text gives a node of
 * kind YTREE_NULL. -EBADMSG: not YAML, or against a limit; *ret_error says where and what.
 */
errint_t ytree_parse_yaml(struct arena *arena, const char *data, size_t size, struct ytree_node **ret, struct ytree_error *ret_error);
errint_t ytree_parse_json(struct arena *arena, const char *data, size_t size, struct ytree_node **ret, struct ytree_error *ret_error);

/* The value of a key of a map (the last, where a key stands twice); NULL where there is none, or node is NULL or no map. */
struct ytree_node *ytree_get(const struct ytree_node *map, const char *key);
/* The text of a scalar without NUL bytes in it, else NULL. */
const char *ytree_text(const struct ytree_node *node);
/* YAML 1.1: yes/no, on/off, true/false, unquoted. Quoted ones too where they say the same. False: not a truth value. */
bool ytree_bool(const struct ytree_node *node, bool *ret);
/* A whole decimal number (not octal: see ytree_octal) within bounds. */
bool ytree_number(const struct ytree_node *node, int64_t min, int64_t max, int64_t *ret);

#endif
