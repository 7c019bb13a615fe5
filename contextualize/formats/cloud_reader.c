/* SPDX-License-Identifier: MIT */
/*
 * Checked access to the values of cloud-config (cloud_reader.h).
 */
#include "contextualize/formats/cloud_reader.h"

#include "contextualize/formats/cloud_keys.h"

#include <strings.h>

const char *cloud_kind_name(const struct ytree_node *n)
{
	static const char *const name[] = { "nothing", "a single value", "a list", "a map" };

	return name[n->kind];
}

void cloud_type_error(struct cloud_reader *r, const char *key, const struct ytree_node *n, const char *expected)
{
	diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: %s was expected, %s is there: ignored", key, expected, cloud_kind_name(n));
}

/* Text on one line; NULL, with an error noted, where it is something else. Nothing at all is NULL without an error. */
const char *cloud_text(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = ytree_text(n);

	if (n->kind == YTREE_NULL)
		return NULL;
	if (!text) {
		cloud_type_error(r, key, n, "text");
		return NULL;
	}
	if (strpbrk(text, "\n\r")) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: must be one line: ignored", key);
		return NULL;
	}
	return text;
}

/* For fields of /etc/passwd. */
const char *cloud_field(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_text(r, key, n);

	if (text && strchr(text, ':')) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: must not hold a colon: ignored", key);
		return NULL;
	}
	return text;
}

const char *cloud_name(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_text(r, key, n);

	if (text && !cloud_name_is_valid(text)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: '%.40s' is not a name for a user or group: ignored", key, text);
		return NULL;
	}
	return text;
}

const char *cloud_path(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_text(r, key, n);

	if (text && (text[0] != '/' || strlen(text) >= 4096)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: '%.60s' is not an absolute path: ignored", key, text);
		return NULL;
	}
	return text;
}

enum tri cloud_tri(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	bool b;

	if (n->kind == YTREE_NULL)
		return TRI_UNSET;
	if (!ytree_bool(n, &b)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: true or false was expected: ignored", key);
		return TRI_UNSET;
	}
	return b ? TRI_TRUE : TRI_FALSE;
}

static errint_t cloud_list_add(struct cloud_reader *r, struct string_list *l, const char *text)
{
	const char **grown = arena_grow(&r->c->arena, l->item, l->count, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	l->item = grown;
	grown[l->count++] = text;
	return 0;
}

/* A list of texts, or one text. With separators (may be NULL) a text is cut at them: "a, b". */
errint_t cloud_strings(struct cloud_reader *r, const char *key, const struct ytree_node *n, const char *separators, struct string_list *ret)
{
	size_t count = n->kind == YTREE_LIST ? n->count : n->kind == YTREE_NULL ? 0 : 1;
	errint_t e = 0;

	*ret = (struct string_list){ .count = 0 };
	if (n->kind == YTREE_MAP)
		return cloud_type_error(r, key, n, "a list of texts"), 0;
	for (size_t i = 0; i < count && i < CLOUD_MAX_ITEMS && e == 0; i++) {
		const struct ytree_node *item = n->kind == YTREE_LIST ? n->item[i] : n;
		const char *text = ytree_text(item);
		char *copy, *save = NULL;

		if (item->kind == YTREE_NULL)
			continue;
		if (!text) {
			cloud_type_error(r, key, item, "text");
			continue;
		}
		if (!separators) {
			e = cloud_list_add(r, ret, text);
			continue;
		}
		copy = arena_string(&r->c->arena, text);
		if (!copy)
			return -ENOMEM;
		for (char *word = strtok_r(copy, separators, &save); word && e == 0; word = strtok_r(NULL, separators, &save))
			e = cloud_list_add(r, ret, word);
	}
	return e;
}

/* Public keys: a list, or one text with a key per line. */
errint_t cloud_ssh_keys(struct cloud_reader *r, const char *key, const struct ytree_node *n, struct string_list *ret)
{
	errint_t e = cloud_strings(r, key, n, "\r\n", ret);
	size_t kept = 0;

	for (size_t i = 0; i < ret->count; i++) {
		const char *k = ret->item[i] + strspn(ret->item[i], " \t");

		if (strlen(k) > 16384 || !strchr(k, ' ')) {
			diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: '%.30s' is not a public key (TYPE BASE64 COMMENT): ignored", key, k);
			continue;
		}
		ret->item[kept++] = k;
	}
	ret->count = kept;
	return e;
}

bool cloud_name_is_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (n == 0 || strlen(name) > 32 || strchr("-.0123456789", name[0]))
		return false;
	return !name[n] || (name[n] == '$' && !name[n + 1]);
}

bool cloud_password_is_hash(const char *text)
{
	static const char *const prefix[] = { "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$gy$", "$7$" };

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strncmp(text, prefix[i], strlen(prefix[i])) == 0)
			return strchr(text + strlen(prefix[i]), '$') && !strpbrk(text, ": \t\n");
	return false;
}

/* cloud-init takes dashes for underscores in these. */
bool cloud_key_is(const char *key, const char *name)
{
	while (*key && (*key == *name || (*key == '-' && *name == '_'))) {
		key++;
		name++;
	}
	return !*key && !*name;
}

bool cloud_key_in(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (cloud_key_is(key, *names))
			return true;
	return false;
}

void cloud_unknown_key(struct cloud_reader *r, const char *what, const char *key, const struct ytree_node *n, const char *const *names)
{
	const char *near = r->diag->count < DIAG_MAX ? cloud_key_nearest(key, names) : NULL;

	if (near)
		diag_add(r->diag, DIAG_WARNING, n->line, n->column, "unknown key '%.60s'%s: ignored; did you mean '%s'?", key, what, near);
	else
		diag_add(r->diag, DIAG_WARNING, n->line, n->column, "unknown key '%.60s'%s: ignored", key, what);
}
