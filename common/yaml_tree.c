/* SPDX-License-Identifier: MIT */
/*
 * YAML and JSON texts as one kind of tree (yaml_tree.h), on libyaml's event parser and on jansson.
 */
#include "common/yaml_tree.h"

#include <jansson.h>
#include <stdarg.h>
#include <strings.h>
#include <yaml.h>

#define YTREE_MAX_ANCHORS 1000
#define YTREE_MAX_MERGE 1000	/* pairs, so that looking each up stays cheap */

struct ytree_anchor {
	const char *name;
	struct ytree_node *node;
	bool complete;
};

struct ytree_builder {
	struct arena *arena;
	struct ytree_error *error;
	yaml_parser_t parser;
	struct ytree_anchor *anchor;
	size_t anchors;
	size_t nodes;	/* weight so far */
};

__attribute__((format(printf, 4, 5)))
static errint_t ytree_fail(struct ytree_error *e, size_t line, size_t column, const char *format, ...)
{
	va_list ap;

	e->line = (unsigned)MIN(line, (size_t)UINT32_MAX);
	e->column = (unsigned)MIN(column, (size_t)UINT32_MAX);
	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	return -EBADMSG;
}

static errint_t ytree_fail_mark(struct ytree_builder *b, const yaml_mark_t *m, const char *text)
{
	return ytree_fail(b->error, m->line + 1, m->column + 1, "%s", text);
}

static errint_t ytree_parser_error(struct ytree_builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "not YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		return ytree_fail(b->error, p->mark.line + 1, p->mark.column + 1, "%s (byte 0x%02x at offset %zu)", problem,
				  (unsigned)p->problem_value & 0xff, p->problem_offset);
	if (p->context)
		return ytree_fail(b->error, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s %s", p->context, problem);
	return ytree_fail(b->error, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s", problem);
}

static errint_t ytree_new(struct ytree_builder *b, enum ytree_kind kind, const yaml_mark_t *m, struct ytree_node **ret)
{
	struct ytree_node *n = arena_alloc(b->arena, sizeof *n);

	if (!n)
		return -ENOMEM;
	if (++b->nodes > YTREE_MAX_NODES)
		return ytree_fail_mark(b, m, "more than 100000 values");
	n->kind = kind;
	n->weight = 1;
	n->line = (unsigned)m->line + 1;
	n->column = (unsigned)m->column + 1;
	*ret = n;
	return 0;
}

/* Registers an anchor; *ret_index is its place in the table, or SIZE_MAX. */
static errint_t ytree_anchor_add(struct ytree_builder *b, const yaml_char_t *name, struct ytree_node *n, size_t *ret_index)
{
	struct ytree_anchor *grown;

	*ret_index = SIZE_MAX;
	if (!name)
		return 0;
	if (b->anchors >= YTREE_MAX_ANCHORS)
		return ytree_fail(b->error, n->line, n->column, "more than %d anchors", YTREE_MAX_ANCHORS);
	grown = arena_grow(b->arena, b->anchor, b->anchors, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	b->anchor = grown;
	*ret_index = b->anchors++;
	grown[*ret_index] = (struct ytree_anchor){ arena_string(b->arena, (const char *)name), n, false };
	return grown[*ret_index].name ? 0 : -ENOMEM;
}

static errint_t ytree_alias(struct ytree_builder *b, const yaml_event_t *e, struct ytree_node **ret)
{
	const char *name = (const char *)e->data.alias.anchor;

	for (size_t i = b->anchors; i-- > 0;) {
		struct ytree_anchor *a = &b->anchor[i];

		if (strcmp(a->name, name) != 0)
			continue;
		if (!a->complete)
			return ytree_fail_mark(b, &e->start_mark, "an alias stands inside of what it names");
		b->nodes += a->node->weight;
		if (b->nodes > YTREE_MAX_NODES)
			return ytree_fail_mark(b, &e->start_mark, "aliases expand to more than 100000 values");
		*ret = a->node;
		return 0;
	}
	return ytree_fail(b->error, e->start_mark.line + 1, e->start_mark.column + 1, "alias *%.60s names no anchor", name);
}

static bool ytree_text_is_null(const char *text)
{
	return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

static errint_t ytree_scalar(struct ytree_builder *b, const yaml_event_t *e, struct ytree_node **ret)
{
	const char *tag = (const char *)e->data.scalar.tag;
	struct ytree_node *n = NULL;
	size_t index;
	errint_t r = ytree_new(b, YTREE_SCALAR, &e->start_mark, &n);

	if (r < 0)
		return r;
	n->length = e->data.scalar.length;
	n->text = arena_copy(b->arena, e->data.scalar.value, n->length);
	if (!n->text)
		return -ENOMEM;
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->binary = tag && strcmp(tag, "tag:yaml.org,2002:binary") == 0;
	if (tag && strcmp(tag, "tag:yaml.org,2002:str") == 0)
		n->quoted = true;
	if (!n->quoted && !tag && ytree_text_is_null(n->text) && strlen(n->text) == n->length)
		n->kind = YTREE_NULL;
	r = ytree_anchor_add(b, e->data.scalar.anchor, n, &index);
	if (r == 0 && index != SIZE_MAX)
		b->anchor[index].complete = true;
	*ret = n;
	return r;
}

static errint_t ytree_append(struct arena *arena, struct ytree_node *n, size_t *used, struct ytree_node *child)
{
	struct ytree_node **grown = arena_grow(arena, n->item, *used, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	n->item = grown;
	grown[(*used)++] = child;
	n->weight += child->weight;
	return 0;
}

/* Adds the pairs of from whose keys the map has not. */
static errint_t ytree_merge_one(struct ytree_builder *b, struct ytree_node *map, size_t *used, const struct ytree_node *from)
{
	if (from->kind != YTREE_MAP)
		return ytree_fail(b->error, from->line, from->column, "a merge key (<<) takes a map or a list of maps");
	if (from->count > YTREE_MAX_MERGE || *used / 2 > YTREE_MAX_MERGE)
		return ytree_fail(b->error, map->line, map->column, "a map with a merge key (<<) and more than %d keys", YTREE_MAX_MERGE);
	for (size_t i = 0; i < from->count; i++) {
		const char *key = ytree_text(from->item[2 * i]);
		errint_t r;

		map->count = *used / 2;
		if (!key || ytree_get(map, key))
			continue;
		b->nodes += from->item[2 * i]->weight + from->item[2 * i + 1]->weight;
		if (b->nodes > YTREE_MAX_NODES)
			return ytree_fail(b->error, map->line, map->column, "merge keys expand to more than 100000 values");
		r = ytree_append(b->arena, map, used, from->item[2 * i]);
		if (r == 0)
			r = ytree_append(b->arena, map, used, from->item[2 * i + 1]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes "<<" pairs out of a map and puts in what they stand for. */
static errint_t ytree_merge(struct ytree_builder *b, struct ytree_node *map, size_t *used)
{
	struct ytree_node *from = NULL;
	size_t kept = 0;
	errint_t r = 0;

	for (size_t i = 0; i < *used; i += 2) {
		const struct ytree_node *key = map->item[i];

		if (key->kind == YTREE_SCALAR && !key->quoted && strcmp(key->text, "<<") == 0) {
			from = map->item[i + 1];
			continue;
		}
		map->item[kept] = map->item[i];
		map->item[kept + 1] = map->item[i + 1];
		kept += 2;
	}
	if (!from)
		return 0;
	/* The array had room for more than it holds now: arena_grow must not be told a count that it would read as full. */
	struct ytree_node **old = map->item;

	map->item = NULL;
	*used = 0;
	for (size_t i = 0; i < kept && r == 0; i++) {
		r = ytree_append(b->arena, map, used, old[i]);
		map->weight -= old[i]->weight;
	}
	if (r == 0 && from->kind == YTREE_LIST)
		for (size_t i = 0; i < from->count && r == 0; i++)
			r = ytree_merge_one(b, map, used, from->item[i]);
	else if (r == 0)
		r = ytree_merge_one(b, map, used, from);
	return r;
}

static errint_t ytree_node_from(struct ytree_builder *b, const yaml_event_t *e, unsigned depth, struct ytree_node **ret);

static errint_t ytree_collection(struct ytree_builder *b, const yaml_event_t *e, unsigned depth, struct ytree_node **ret)
{
	bool map = e->type == YAML_MAPPING_START_EVENT;
	yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	const yaml_char_t *anchor = map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
	struct ytree_node *n = NULL;
	size_t index = SIZE_MAX, used = 0;
	errint_t r;

	if (depth >= YTREE_MAX_DEPTH)
		return ytree_fail_mark(b, &e->start_mark, "nested deeper than 64 levels");
	r = ytree_new(b, map ? YTREE_MAP : YTREE_LIST, &e->start_mark, &n);
	if (r == 0)
		r = ytree_anchor_add(b, anchor, n, &index);
	while (r == 0) {
		struct ytree_node *child = NULL;
		yaml_event_t next;

		if (!yaml_parser_parse(&b->parser, &next))
			return ytree_parser_error(b);
		if (next.type == end) {
			yaml_event_delete(&next);
			break;
		}
		r = ytree_node_from(b, &next, depth + 1, &child);
		yaml_event_delete(&next);
		if (r == 0)
			r = ytree_append(b->arena, n, &used, child);
	}
	if (r == 0 && map)
		r = ytree_merge(b, n, &used);
	n = r == 0 ? n : NULL;
	if (!n)
		return r;
	n->count = map ? used / 2 : used;
	if (index != SIZE_MAX)
		b->anchor[index].complete = true;
	*ret = n;
	return 0;
}

static errint_t ytree_node_from(struct ytree_builder *b, const yaml_event_t *e, unsigned depth, struct ytree_node **ret)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return ytree_scalar(b, e, ret);
	case YAML_ALIAS_EVENT:
		return ytree_alias(b, e, ret);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return ytree_collection(b, e, depth, ret);
	default:
		return ytree_fail_mark(b, &e->start_mark, "a value was expected");
	}
}

/* Reads events up to the first value, and then to the end, so that errors behind it are seen too. */
static errint_t ytree_document(struct ytree_builder *b, struct ytree_node **ret)
{
	bool done = false, ended = false;
	errint_t r = 0;

	while (!done && r == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(&b->parser, &e))
			return ytree_parser_error(b);
		if (e.type == YAML_STREAM_END_EVENT)
			done = true;
		else if (e.type == YAML_DOCUMENT_END_EVENT)
			ended = true;
		else if (e.type == YAML_DOCUMENT_START_EVENT && ended)
			r = ytree_fail_mark(b, &e.start_mark, "a second document (---): only one is allowed");
		else if (e.type != YAML_STREAM_START_EVENT && e.type != YAML_DOCUMENT_START_EVENT)
			r = ytree_node_from(b, &e, 0, ret);
		yaml_event_delete(&e);
	}
	return r;
}

errint_t ytree_parse_yaml(struct arena *arena, const char *data, size_t size, struct ytree_node **ret, struct ytree_error *ret_error)
{
	struct ytree_builder b = { .arena = arena, .error = ret_error };
	struct ytree_node *root = NULL;
	errint_t r;

	memset(ret_error, 0, sizeof *ret_error);
	if (size > YTREE_MAX_SIZE)
		return ytree_fail(ret_error, 0, 0, "larger than 16 MiB");
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)data, size);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	r = ytree_document(&b, &root);
	yaml_parser_delete(&b.parser);
	if (r == 0 && !root) {
		root = arena_alloc(arena, sizeof *root);
		r = root ? 0 : -ENOMEM;
	}
	if (r == 0)
		*ret = root;
	return r;
}

static errint_t ytree_from_json(struct ytree_builder *b, const json_t *j, unsigned depth, struct ytree_node **ret);

static errint_t ytree_json_scalar(struct ytree_builder *b, const json_t *j, struct ytree_node *n)
{
	switch (json_typeof(j)) {
	case JSON_STRING:
		n->quoted = true;
		n->length = json_string_length(j);
		n->text = arena_copy(b->arena, json_string_value(j), n->length);
		break;
	case JSON_INTEGER:
		n->text = arena_format(b->arena, "%lld", (long long)json_integer_value(j));
		break;
	case JSON_REAL:
		n->text = arena_format(b->arena, "%.17g", json_real_value(j));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		n->text = arena_string(b->arena, json_is_true(j) ? "true" : "false");
		break;
	default:
		n->kind = YTREE_NULL;
		n->text = arena_string(b->arena, "");
		break;
	}
	if (!n->text)
		return -ENOMEM;
	if (!n->quoted)
		n->length = strlen(n->text);
	return 0;
}

static errint_t ytree_json_child(struct ytree_builder *b, const json_t *j, unsigned depth, struct ytree_node *n, size_t *used)
{
	struct ytree_node *child = NULL;
	errint_t r = ytree_from_json(b, j, depth + 1, &child);

	return r < 0 ? r : ytree_append(b->arena, n, used, child);
}

static errint_t ytree_from_json(struct ytree_builder *b, const json_t *j, unsigned depth, struct ytree_node **ret)
{
	static const yaml_mark_t nowhere;
	struct ytree_node *n = NULL;
	size_t used = 0;
	errint_t r;

	if (depth >= YTREE_MAX_DEPTH)
		return ytree_fail(b->error, 0, 0, "nested deeper than 64 levels");
	r = ytree_new(b, json_is_object(j) ? YTREE_MAP : json_is_array(j) ? YTREE_LIST : YTREE_SCALAR, &nowhere, &n);
	if (r < 0)
		return r;
	n->line = n->column = 0;
	if (json_is_object(j)) {
		for (void *it = json_object_iter((json_t *)j); it && r == 0; it = json_object_iter_next((json_t *)j, it)) {
			json_t *key = json_string_nocheck(json_object_iter_key(it));

			r = key ? ytree_json_child(b, key, depth, n, &used) : -ENOMEM;
			json_decref(key);
			if (r == 0)
				r = ytree_json_child(b, json_object_iter_value(it), depth, n, &used);
		}
		n->count = used / 2;
	} else if (json_is_array(j)) {
		for (size_t i = 0; i < json_array_size(j) && r == 0; i++)
			r = ytree_json_child(b, json_array_get(j, i), depth, n, &used);
		n->count = used;
	} else {
		r = ytree_json_scalar(b, j, n);
	}
	*ret = n;
	return r;
}

errint_t ytree_parse_json(struct arena *arena, const char *data, size_t size, struct ytree_node **ret, struct ytree_error *ret_error)
{
	struct ytree_builder b = { .arena = arena, .error = ret_error };
	json_error_t e;
	json_t *j;
	errint_t r;

	memset(ret_error, 0, sizeof *ret_error);
	if (size > YTREE_MAX_SIZE)
		return ytree_fail(ret_error, 0, 0, "larger than 16 MiB");
	j = json_loadb(data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	if (!j)
		return ytree_fail(ret_error, e.line > 0 ? (size_t)e.line : 0, e.column > 0 ? (size_t)e.column : 0, "%s", e.text);
	r = ytree_from_json(&b, j, 0, ret);
	json_decref(j);
	return r;
}

struct ytree_node *ytree_get(const struct ytree_node *map, const char *key)
{
	if (!map || map->kind != YTREE_MAP)
		return NULL;
	for (size_t i = map->count; i-- > 0;) {
		const char *text = ytree_text(map->item[2 * i]);

		if (text && strcmp(text, key) == 0)
			return map->item[2 * i + 1];
	}
	return NULL;
}

const char *ytree_text(const struct ytree_node *node)
{
	if (!node || node->kind != YTREE_SCALAR || strlen(node->text) != node->length)
		return NULL;
	return node->text;
}

bool ytree_bool(const struct ytree_node *node, bool *ret)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off" };
	const char *text = ytree_text(node);

	for (size_t i = 0; text && i < ARRAY_SIZE(yes); i++) {
		bool is_yes = strcasecmp(text, yes[i]) == 0;

		if (is_yes || strcasecmp(text, no[i]) == 0) {
			*ret = is_yes;
			return true;
		}
	}
	return false;
}

bool ytree_number(const struct ytree_node *node, int64_t min, int64_t max, int64_t *ret)
{
	const char *text = ytree_text(node);
	char *end;
	long long v;

	if (!text || !*text || strspn(text, "+-0123456789") != strlen(text))
		return false;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}
