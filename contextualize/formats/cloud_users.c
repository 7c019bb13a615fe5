/* SPDX-License-Identifier: MIT */
/*
 * The keys of cloud-config that speak of users: users, user, groups, chpasswd.
 */
#include "contextualize/formats/cloud_reader.h"

/* A hash of /etc/shadow: also "!", "*" and hashes of older kinds. */
static const char *cloud_hash(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	const char *text = cloud_field(r, key, n);

	if (text && !cloud_password_is_hash(text) && *text != '!' && *text != '*') {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column,
			 "%s: not a hash that crypt(3) knows ($6$..., $y$...); a password in the clear belongs under plain_text_passwd: ignored", key);
		return NULL;
	}
	return text;
}

/* ---- one user ---- */

static errint_t cloud_user_sudo(struct cloud_reader *r, const struct ytree_node *n, struct cloud_user *u)
{
	bool b;
	errint_t e;

	u->sudo_set = true;
	if (n->kind == YTREE_NULL || (n->kind == YTREE_SCALAR && !n->quoted && ytree_bool(n, &b) && !b))
		return 0;
	if (n->kind == YTREE_SCALAR && !n->quoted && ytree_bool(n, &b)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "sudo: a rule was expected, as \"ALL=(ALL) NOPASSWD:ALL\": ignored");
		return 0;
	}
	e = cloud_strings(r, "sudo", n, NULL, &u->sudo);
	for (size_t i = 0; i < u->sudo.count; i++)
		if (strpbrk(u->sudo.item[i], "\n\r\\#") || !strchr(u->sudo.item[i], '=')) {
			diag_add(r->diag, DIAG_ERROR, n->line, n->column, "sudo: '%.60s' is not a rule for one line of sudoers, as \"ALL=(ALL) NOPASSWD:ALL\": "
				 "ignored", u->sudo.item[i]);
			u->sudo.item[i] = "";
		}
	return e;
}

static void cloud_user_uid(struct cloud_reader *r, const struct ytree_node *n, struct cloud_user *u)
{
	if (n->kind != YTREE_NULL && !ytree_number(n, 0, 4294967293, &u->uid))
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "uid: a number up to 4294967293 was expected: ignored");
}

static const char *const cloud_user_keys[] = {
	"name", "gecos", "homedir", "primary_group", "shell", "passwd", "hashed_passwd", "plain_text_passwd", "groups", "ssh_authorized_keys", "sudo",
	"lock_passwd", "uid", "system", "no_create_home", NULL
};
static const char *const cloud_user_known[] = {
	"expiredate", "inactive", "no_log_init", "no_user_group", "selinux_user", "snapuser", "ssh_import_id", "ssh_redirect_user", "doas",
	"create_groups", "primary-group-only", NULL
};

static errint_t cloud_user_key(struct cloud_reader *r, const char *key, const struct ytree_node *k, const struct ytree_node *n, struct cloud_user *u)
{
	if (cloud_key_is(key, "name"))
		u->name = cloud_name(r, "name", n);
	else if (cloud_key_is(key, "gecos"))
		u->gecos = cloud_field(r, "gecos", n);
	else if (cloud_key_is(key, "homedir"))
		u->homedir = cloud_path(r, "homedir", n);
	else if (cloud_key_is(key, "primary_group"))
		u->primary_group = cloud_name(r, "primary_group", n);
	else if (cloud_key_is(key, "shell"))
		u->shell = cloud_path(r, "shell", n);
	else if (cloud_key_is(key, "passwd") || cloud_key_is(key, "hashed_passwd"))
		u->hashed_password = cloud_hash(r, key, n);
	else if (cloud_key_is(key, "plain_text_passwd"))
		u->plain_password = cloud_text(r, key, n);
	else if (cloud_key_is(key, "groups"))
		return cloud_strings(r, "groups", n, ", \t", &u->groups);
	else if (cloud_key_is(key, "ssh_authorized_keys"))
		return cloud_ssh_keys(r, key, n, &u->ssh_keys);
	else if (cloud_key_is(key, "sudo"))
		return cloud_user_sudo(r, n, u);
	else if (cloud_key_is(key, "lock_passwd"))
		u->lock_password = cloud_tri(r, key, n);
	else if (cloud_key_is(key, "uid"))
		cloud_user_uid(r, n, u);
	else if (cloud_key_is(key, "system"))
		u->system = cloud_tri(r, key, n) == TRI_TRUE;
	else if (cloud_key_is(key, "no_create_home"))
		u->no_create_home = cloud_tri(r, key, n) == TRI_TRUE;
	else if (cloud_key_in(key, cloud_user_known))
		diag_add(r->diag, DIAG_WARNING, k->line, k->column, "key '%s' of a user is not supported: ignored", key);
	else
		cloud_unknown_key(r, " of a user", key, k, cloud_user_keys);
	return 0;
}

static errint_t cloud_user_map(struct cloud_reader *r, const struct ytree_node *n, struct cloud_user *u)
{
	errint_t e = 0;

	*u = (struct cloud_user){ .uid = -1 };
	for (size_t i = 0; i < n->count && e == 0; i++) {
		const char *key = ytree_text(n->item[2 * i]);

		if (key)
			e = cloud_user_key(r, key, n->item[2 * i], n->item[2 * i + 1], u);
		else
			cloud_type_error(r, "a user", n->item[2 * i], "a key");
	}
	/* The hash or the password is there, but cloud-init locks it by default: the commonest surprise. */
	if (e == 0 && (u->hashed_password || u->plain_password) && u->lock_password == TRI_UNSET)
		diag_add(r->diag, DIAG_WARNING, n->line, n->column, "user '%s' has a password but not 'lock_passwd: false': the password stays locked",
			 u->name ? u->name : "?");
	return e;
}

static errint_t cloud_user_add(struct cloud_reader *r, const struct cloud_user *u)
{
	struct cloud_user *grown = arena_grow(&r->c->arena, r->c->user, r->c->users, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	r->c->user = grown;
	grown[r->c->users++] = *u;
	return 0;
}

static errint_t cloud_user_item(struct cloud_reader *r, const struct ytree_node *n)
{
	struct cloud_user u = { .uid = -1 };
	errint_t e = 0;

	if (n->kind == YTREE_SCALAR) {
		const char *text = cloud_name(r, "users", n);

		if (text && strcmp(text, "default") == 0) {
			r->c->default_user_listed = true;
			return 0;
		}
		u.name = text;
	} else if (n->kind == YTREE_MAP) {
		e = cloud_user_map(r, n, &u);
		if (e == 0 && !u.name)
			diag_add(r->diag, DIAG_ERROR, n->line, n->column, "a user without a name: ignored");
	} else if (n->kind != YTREE_NULL) {
		cloud_type_error(r, "users", n, "a name or a map");
	}
	return e == 0 && u.name ? cloud_user_add(r, &u) : e;
}

errint_t cloud_key_users(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	errint_t e = 0;

	r->c->users = 0;
	r->c->user = NULL;
	r->c->default_user_listed = false;
	r->c->users_given = true;
	if (n->kind == YTREE_SCALAR) {	/* "default" or "a, b" */
		struct string_list names;

		e = cloud_strings(r, key, n, ", \t", &names);
		for (size_t i = 0; i < names.count && e == 0; i++) {
			struct cloud_user u = { .name = names.item[i], .uid = -1 };

			if (strcmp(u.name, "default") == 0)
				r->c->default_user_listed = true;
			else if (cloud_name_is_valid(u.name))
				e = cloud_user_add(r, &u);
			else
				diag_add(r->diag, DIAG_ERROR, n->line, n->column, "users: '%.40s' is not a user name: ignored", u.name);
		}
		return e;
	}
	if (n->kind != YTREE_LIST)
		return n->kind == YTREE_NULL ? 0 : (cloud_type_error(r, key, n, "a list"), 0);
	for (size_t i = 0; i < n->count && e == 0; i++)
		e = i < CLOUD_MAX_ITEMS ? cloud_user_item(r, n->item[i]) : 0;
	return e;
}

errint_t cloud_key_user(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	r->c->default_user = NULL;
	r->c->default_user_changes = (struct cloud_user){ .uid = -1 };
	if (n->kind == YTREE_MAP) {
		errint_t e = cloud_user_map(r, n, &r->c->default_user_changes);

		r->c->default_user = r->c->default_user_changes.name;
		return e;
	}
	r->c->default_user = cloud_name(r, key, n);
	return 0;
}

static errint_t cloud_group_add(struct cloud_reader *r, const struct ytree_node *name, const struct ytree_node *members)
{
	struct cloud_group g = { .name = cloud_name(r, "groups", name) };
	struct cloud_group *grown;
	errint_t e = 0;

	if (!g.name)
		return 0;
	if (members)
		e = cloud_strings(r, "groups", members, ", \t", &g.members);
	grown = arena_grow(&r->c->arena, r->c->group, r->c->groups, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	r->c->group = grown;
	grown[r->c->groups++] = g;
	return e;
}

errint_t cloud_key_groups(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	size_t count = n->kind == YTREE_LIST ? n->count : n->kind == YTREE_NULL ? 0 : 1;
	errint_t e = 0;

	r->c->groups = 0;
	r->c->group = NULL;
	if (n->kind == YTREE_SCALAR && ytree_text(n) && strpbrk(ytree_text(n), ", ")) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "%s: write a list: ignored", key);
		return 0;
	}
	for (size_t i = 0; i < count && i < CLOUD_MAX_ITEMS && e == 0; i++) {
		const struct ytree_node *item = n->kind == YTREE_LIST ? n->item[i] : n;

		if (item->kind != YTREE_MAP)
			e = cloud_group_add(r, item, NULL);
		for (size_t j = 0; item->kind == YTREE_MAP && j < item->count && e == 0; j++)
			e = cloud_group_add(r, item->item[2 * j], item->item[2 * j + 1]);
	}
	return e;
}

/* ---- chpasswd ---- */

static errint_t cloud_chpasswd_add(struct cloud_reader *r, const struct ytree_node *n, const struct cloud_password *p)
{
	struct cloud_password *grown;

	if (!cloud_name_is_valid(p->user)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "chpasswd: '%.40s' is not a user name: ignored", p->user);
		return 0;
	}
	if (r->c->chpasswds >= CLOUD_MAX_ITEMS)
		return 0;
	grown = arena_grow(&r->c->arena, r->c->chpasswd, r->c->chpasswds, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	r->c->chpasswd = grown;
	grown[r->c->chpasswds++] = *p;
	return 0;
}

/* list: "user:password" a line, or a list of these. A hash is known by its look, R and RANDOM ask for a random one. */
static errint_t cloud_chpasswd_list(struct cloud_reader *r, const struct ytree_node *n)
{
	struct string_list lines;
	errint_t e = cloud_strings(r, "chpasswd: list", n, "\r\n", &lines);

	for (size_t i = 0; i < lines.count && e == 0; i++) {
		char *line = arena_string(&r->c->arena, lines.item[i] + strspn(lines.item[i], " \t"));
		char *colon = line ? strchr(line, ':') : NULL;
		struct cloud_password p;

		if (!line)
			return -ENOMEM;
		if (!*line)
			continue;
		if (!colon) {
			diag_add(r->diag, DIAG_ERROR, n->line, n->column, "chpasswd: a line of list is not USER:PASSWORD: ignored");
			continue;
		}
		*colon = '\0';
		p = (struct cloud_password){ .user = line, .value = colon + 1, .hashed = cloud_password_is_hash(colon + 1),
					     .random = strcmp(colon + 1, "R") == 0 || strcmp(colon + 1, "RANDOM") == 0 };
		e = cloud_chpasswd_add(r, n, &p);
	}
	return e;
}

static errint_t cloud_chpasswd_user(struct cloud_reader *r, const struct ytree_node *n)
{
	const struct ytree_node *name = ytree_get(n, "name"), *value = ytree_get(n, "password"), *type = ytree_get(n, "type");
	const char *t = ytree_text(type);
	struct cloud_password p = { .user = ytree_text(name), .value = ytree_text(value) };

	p.random = t && strcmp(t, "RANDOM") == 0;
	p.hashed = !t || strcmp(t, "hash") == 0;
	if (t && !p.random && !p.hashed && strcmp(t, "text") != 0) {
		diag_add(r->diag, DIAG_ERROR, type->line, type->column, "chpasswd: type is hash, text or RANDOM, not '%.20s': ignored", t);
		return 0;
	}
	if (!p.user || (!p.value && !p.random)) {
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "chpasswd: a user needs name and password (or type: RANDOM): ignored");
		return 0;
	}
	if (p.hashed && !p.random && !cloud_hash(r, "chpasswd: password", value))
		return 0;
	return cloud_chpasswd_add(r, n, &p);
}

errint_t cloud_key_chpasswd(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	static const char *const names[] = { "list", "users", "expire", NULL };
	errint_t e = 0;

	r->c->chpasswds = 0;
	r->c->chpasswd = NULL;
	if (n->kind != YTREE_MAP)
		return n->kind == YTREE_NULL ? 0 : (cloud_type_error(r, key, n, "a map with list, users or expire"), 0);
	for (size_t i = 0; i < n->count && e == 0; i++) {
		const struct ytree_node *k = n->item[2 * i], *v = n->item[2 * i + 1];
		const char *name = ytree_text(k);

		if (name && strcmp(name, "list") == 0)
			e = cloud_chpasswd_list(r, v);
		else if (name && strcmp(name, "expire") == 0)
			r->c->expire_passwords = cloud_tri(r, "chpasswd: expire", v);
		else if (name && strcmp(name, "users") == 0 && v->kind == YTREE_LIST)
			for (size_t j = 0; j < v->count && e == 0; j++)
				e = cloud_chpasswd_user(r, v->item[j]);
		else if (name && strcmp(name, "users") == 0)
			cloud_type_error(r, "chpasswd: users", v, "a list");
		else
			cloud_unknown_key(r, " of chpasswd", name ? name : "?", k, names);
	}
	return e;
}
