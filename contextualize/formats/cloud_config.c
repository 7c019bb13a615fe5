/* SPDX-License-Identifier: MIT */
/*
 * #cloud-config (cloud_config.h): the table of the keys, and the small ones among them.
 */
#include "contextualize/formats/cloud_reader.h"

#include "contextualize/formats/cloud_keys.h"

/* ---- host name and small keys ---- */

static const char *cloud_hostname(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_text(r, key, n);
	size_t length = text ? strlen(text) : 0;

	if (!text)
		return NULL;
	if (!length || length > 253 || strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != length ||
	    text[0] == '-' || text[0] == '.' || strcspn(text, ".") > 63) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: '%.60s' is not a host name: ignored", key, text);
		return NULL;
	}
	return text;
}

static errint_t cloud_key_hostname(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->hostname = cloud_hostname(r, key, n);
	return 0;
}

static errint_t cloud_key_fqdn(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->fqdn = cloud_hostname(r, key, n);
	return 0;
}

static errint_t cloud_key_preserve_hostname(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->preserve_hostname = cloud_tri(r, key, n);
	return 0;
}

static errint_t cloud_key_manage_etc_hosts(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = ytree_text(n);

	if (text && (strcmp(text, "localhost") == 0 || strcmp(text, "template") == 0))
		r->c->manage_etc_hosts = TRI_TRUE;
	else
		r->c->manage_etc_hosts = cloud_tri(r, key, n);
	return 0;
}

static errint_t cloud_key_ssh_pwauth(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = ytree_text(n);

	r->c->ssh_pwauth = TRI_UNSET;
	if (text && strcmp(text, "unchanged") == 0)
		return 0;
	r->c->ssh_pwauth = cloud_tri(r, key, n);
	return 0;
}

static errint_t cloud_key_disable_root(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->disable_root = cloud_tri(r, key, n);
	return 0;
}

static errint_t cloud_key_password(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->password = cloud_text(r, key, n);
	return 0;
}

static errint_t cloud_key_top_ssh_keys(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	return cloud_ssh_keys(r, key, n, &r->c->ssh_keys);
}

static errint_t cloud_key_timezone(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_text(r, key, n);

	r->c->timezone = NULL;
	if (text && (text[0] == '/' || strlen(text) > 100 || strstr(text, "..") ||
		     strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-") != strlen(text)))
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "timezone: '%.60s' is not the name of a time zone, as Europe/Zurich: ignored", text);
	else
		r->c->timezone = text;
	return 0;
}

static errint_t cloud_key_locale(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = NULL;
	bool b;

	r->c->locale = NULL;
	if (!n->quoted && ytree_bool(n, &b) && !b)
		return 0;
	text = cloud_text(r, key, n);
	if (text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-") != strlen(text))
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "locale: '%.60s' is not the name of a locale, as en_US.UTF-8: ignored", text);
	else
		r->c->locale = text;
	return 0;
}

static errint_t cloud_key_final_message(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->final_message = ytree_text(n);
	if (n->kind != YTREE_NULL && !r->c->final_message)
		cloud_type_error(r, key, n, "text");
	return 0;
}

/* ---- the table ---- */

static const struct cloud_key {
	const char *name;
	cloud_key_function *read;
} cloud_keys[] = {
	{ "hostname", cloud_key_hostname },
	{ "fqdn", cloud_key_fqdn },
	{ "preserve_hostname", cloud_key_preserve_hostname },
	{ "manage_etc_hosts", cloud_key_manage_etc_hosts },
	{ "users", cloud_key_users },
	{ "user", cloud_key_user },
	{ "groups", cloud_key_groups },
	{ "ssh_authorized_keys", cloud_key_top_ssh_keys },
	{ "ssh_pwauth", cloud_key_ssh_pwauth },
	{ "disable_root", cloud_key_disable_root },
	{ "password", cloud_key_password },
	{ "chpasswd", cloud_key_chpasswd },
	{ "write_files", cloud_key_write_files },
	{ "runcmd", cloud_key_runcmd },
	{ "bootcmd", cloud_key_bootcmd },
	{ "timezone", cloud_key_timezone },
	{ "locale", cloud_key_locale },
	{ "final_message", cloud_key_final_message },
};

static void cloud_top_unknown(struct cloud_reader *r, const char *key, const struct ytree_node *k)
{
	const char *names[ARRAY_SIZE(cloud_keys) + 1] = { NULL };

	if (cloud_key_is_known(key)) {
		diag_add(r->diag, DIAG_WARNING, k->line, k->column, "key '%s' is not supported: ignored", key);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cloud_keys); i++)
		names[i] = cloud_keys[i].name;
	if (r->diag->count < DIAG_MAX && !cloud_key_nearest(key, names) && cloud_key_nearest_known(key))
		diag_add(r->diag, DIAG_WARNING, k->line, k->column, "unknown key '%.60s': ignored; did you mean '%s' (which is not supported)?", key,
			 cloud_key_nearest_known(key));
	else
		cloud_unknown_key(r, "", key, k, names);
}

static errint_t cloud_top_key(struct cloud_reader *r, const struct ytree_node *map, size_t index)
{
	const struct ytree_node *k = map->item[2 * index];
	const char *key = ytree_text(k);

	if (!key) {
		cloud_type_error(r, "the text", k, "a key");
		return 0;
	}
	for (size_t i = 0; i < index && index < CLOUD_MAX_ITEMS; i++) {
		const char *before = ytree_text(map->item[2 * i]);

		if (before && strcmp(before, key) == 0) {
			diag_add(r->diag, DIAG_WARNING, k->line, k->column, "key '%.60s' stands here again: what came before is dropped", key);
			break;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(cloud_keys); i++)
		if (cloud_key_is(key, cloud_keys[i].name))
			return cloud_keys[i].read(r, cloud_keys[i].name, map->item[2 * index + 1]);
	cloud_top_unknown(r, key, k);
	return 0;
}

errint_t cloud_config_read(struct cloud_config *c, const char *data, size_t size, struct diag_list *diag)
{
	struct cloud_reader r = { .c = c, .diag = diag };
	struct ytree_node *root = NULL;
	struct ytree_error error;
	errint_t e = ytree_parse_yaml(&c->arena, data, size, &root, &error);

	if (e == -EBADMSG) {
		diag_add(diag, DIAG_ERROR, error.line, error.column, "#cloud-config is not YAML: %s", error.text);
		return 0;
	}
	if (e < 0)
		return e;
	if (root->kind == YTREE_NULL)
		return 0;
	if (root->kind != YTREE_MAP) {
		diag_add(diag, DIAG_ERROR, root->line, root->column, "#cloud-config must be a map of keys, but is %s", cloud_kind_name(root));
		return 0;
	}
	for (size_t i = 0; i < root->count && e == 0; i++)
		e = cloud_top_key(&r, root, i);
	return e;
}

void cloud_config_done(struct cloud_config *c)
{
	arena_done(&c->arena);
	memset(c, 0, sizeof *c);
}
