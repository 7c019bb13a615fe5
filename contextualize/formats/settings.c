/* SPDX-License-Identifier: MIT */
/*
 * [ucernvm-begin] blocks (settings.h).
 */
#include "contextualize/formats/settings.h"

#include <strings.h>

static const char settings_begin[] = "[ucernvm-begin]", settings_end[] = "[ucernvm-end]";

enum setting_kind { SETTING_TEXT, SETTING_BOOL, SETTING_URLS };

static const struct setting_name {
	const char *given, *key;	/* key NULL: known, not supported */
	enum setting_kind kind;
} setting_names[] = {
	{ "repository", "repository", SETTING_URLS },
	{ "tag", "tag", SETTING_TEXT },
	{ "proxy", "proxy", SETTING_TEXT },
	{ "cafile", "cafile", SETTING_TEXT },
	{ "cert", "cert", SETTING_TEXT },
	{ "certkey", "certkey", SETTING_TEXT },
	{ "credentials", "credentials", SETTING_TEXT },
	{ "headers", "headers", SETTING_TEXT },
	{ "cache_quota", "cache_quota", SETTING_TEXT },
	{ "profile", "profile", SETTING_TEXT },
	{ "resize", "resize", SETTING_BOOL },
	{ "resize_rootfs", "resize", SETTING_BOOL },
	{ "cvmfs_http_proxy", "proxy", SETTING_TEXT },
	{ "cvmfs_tag", "tag", SETTING_TEXT },
	{ "cvmfs_server", "repository", SETTING_URLS },
	{ "cvmfs_pac_urls", NULL, SETTING_TEXT },
	{ "cvmfs_cdn", NULL, SETTING_TEXT },
	{ "cvmfs_branch", NULL, SETTING_TEXT },
	{ "cvmfs_wait_on_squid", NULL, SETTING_TEXT },
	{ "cernvm_path", NULL, SETTING_TEXT },
	{ "cernvm_inject", NULL, SETTING_TEXT },
	{ "useglideinWMS", NULL, SETTING_TEXT },
	{ "cvm_cluster_pin", NULL, SETTING_TEXT },
	{ "cvm_cluster_master", NULL, SETTING_TEXT },
	{ "cvm_service_url", NULL, SETTING_TEXT },
};

const char *settings_get(const struct settings *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->item[i].key, key) == 0)
			return s->item[i].value;
	return NULL;
}

static bool settings_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Narrows [*from, *to) to what stands between blanks. */
static void settings_trim(const char *text, size_t *from, size_t *to)
{
	while (*from < *to && settings_is_blank(text[*from]))
		(*from)++;
	while (*to > *from && settings_is_blank(text[*to - 1]))
		(*to)--;
}

/* Characters of URLs, names, sizes and proxy lists. No quotes, no backslash, no dollar, no backquote, no control characters. */
static bool settings_value_is_safe(const char *v, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)v[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr(" :/._,@%+=~|;?&[]-", c))
			return false;
		if (!c)
			return false;
	}
	return size <= SETTINGS_MAX_VALUE;
}

static const char *settings_bool(const char *v)
{
	static const char *const yes[] = { "yes", "on", "true", "1" }, *const no[] = { "no", "off", "false", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(v, yes[i]) == 0)
			return "yes";
		if (strcasecmp(v, no[i]) == 0)
			return "no";
	}
	return NULL;
}

static bool settings_is_url_list(const char *v)
{
	while (*v) {
		size_t n = strcspn(v, " ");

		if (n && strncmp(v, "http://", 7) != 0 && strncmp(v, "https://", 8) != 0 && strncmp(v, "file:///", 8) != 0)
			return false;
		v += n + (v[n] == ' ');
	}
	return true;
}

static errint_t settings_put(struct settings *s, const char *key, const char *value)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->item[i].key, key) == 0) {
			s->item[i].value = value;	/* the last one wins */
			return 0;
		}
	if (s->count >= SETTINGS_MAX)
		return -E2BIG;
	s->item[s->count++] = (struct setting){ key, value };
	return 0;
}

static errint_t settings_take(struct settings *s, const struct setting_name *n, char *value, unsigned line, struct diag_list *diag)
{
	const char *truth;

	if (!n->key) {
		diag_add(diag, DIAG_WARNING, line, 0, "setting %s is known but not supported yet: ignored", n->given);
		return 0;
	}
	if (n->kind == SETTING_URLS && !settings_is_url_list(value)) {
		diag_add(diag, DIAG_WARNING, line, 0, "setting %s: '%.60s' is not a URL (http://, https://, file:///) of a fetchfs repository: "
			 "ignored", n->given, value);
		return 0;
	}
	if (n->kind == SETTING_BOOL) {
		truth = settings_bool(value);
		if (!truth) {
			diag_add(diag, DIAG_ERROR, line, 0, "setting %s: '%.60s' is neither yes nor no", n->given, value);
			return 0;
		}
		return settings_put(s, n->key, truth);
	}
	return settings_put(s, n->key, value);
}

/* One line of a block: [from, to) of text. */
static errint_t settings_line(struct settings *s, struct arena *arena, const char *text, size_t from, size_t to, unsigned line,
			      struct diag_list *diag)
{
	const char *eq;
	size_t key_end, value;
	char key[40], *copy;

	settings_trim(text, &from, &to);
	if (from == to || text[from] == '#')
		return 0;
	eq = memchr(text + from, '=', to - from);
	if (!eq) {
		diag_add(diag, DIAG_ERROR, line, 0, "a line between [ucernvm-begin] and [ucernvm-end] is not KEY=VALUE: ignored");
		return 0;
	}
	key_end = value = (size_t)(eq - text);
	value++;
	settings_trim(text, &from, &key_end);
	settings_trim(text, &value, &to);
	if (to - value >= 2 && (text[value] == '"' || text[value] == '\'') && text[to - 1] == text[value]) {
		value++;
		to--;
	}
	snprintf(key, sizeof key, "%.*s", (int)MIN(key_end - from, sizeof key - 1), text + from);
	if (!settings_value_is_safe(text + value, to - value)) {
		diag_add(diag, DIAG_ERROR, line, 0, "setting %s: its value is longer than 1024 bytes or holds a character that no setting needs "
			 "(quotes, $, backslash, ...): ignored", key);
		return 0;
	}
	copy = arena_copy(arena, text + value, to - value);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(setting_names); i++)
		if (strcmp(setting_names[i].given, key) == 0)
			return settings_take(s, &setting_names[i], copy, line, diag);
	diag_add(diag, DIAG_WARNING, line, 0, "unknown setting %s: ignored", key);
	return 0;
}

static bool settings_line_is(const char *text, size_t from, size_t to, const char *marker)
{
	settings_trim(text, &from, &to);
	return to - from == strlen(marker) && memcmp(text + from, marker, to - from) == 0;
}

errint_t settings_extract(struct settings *s, struct arena *arena, char *text, size_t size, struct diag_list *diag)
{
	bool inside = false;
	unsigned line = 0, begun = 0;

	for (size_t from = 0; from < size;) {
		const char *nl = memchr(text + from, '\n', size - from);
		size_t to = nl ? (size_t)(nl - text) : size;
		bool blank = inside;
		errint_t r = 0;

		line++;
		if (!inside && settings_line_is(text, from, to, settings_begin)) {
			inside = blank = true;
			begun = line;
		} else if (inside && settings_line_is(text, from, to, settings_end)) {
			inside = false;
		} else if (inside) {
			r = settings_line(s, arena, text, from, to, line, diag);
		}
		if (r < 0 && r != -E2BIG)
			return r;
		if (blank)
			memset(text + from, ' ', to - from);
		from = to + 1;
	}
	if (inside)
		diag_add(diag, DIAG_WARNING, begun, 0, "[ucernvm-begin] without [ucernvm-end]: read to the end of the text");
	return 0;
}
