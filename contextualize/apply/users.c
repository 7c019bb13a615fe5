/* SPDX-License-Identifier: MIT */
/*
 * Users, groups, passwords, sudo rules and homes, from cloud-config and the cloud's public keys.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

#include <dirent.h>
#include <fcntl.h>

#define SKEL_MAX_DEPTH 8
#define SKEL_MAX_FILE ((size_t)1 << 20)
#define SUDOERS_FILE "/etc/sudoers.d/90-spore-users"

errint_t apply_failed(struct apply *a, errint_t e, const char *what, const char *path)
{
	if (e == 0)
		return 0;
	diag_add(a->diag, DIAG_ERROR, 0, 0, "%s %s: %s", what, path, strerror(-e));
	return e == -ENOMEM || e == -ENOSPC || e == -EROFS || e == -EDQUOT ? e : 0;
}

/* ---- home ---- */

struct skel_copy {
	struct apply *a;
	const struct account_user *u;
};

static errint_t skel_entry(struct skel_copy *s, const char *from, const char *to, const char *name, unsigned depth);

static errint_t skel_directory(struct skel_copy *s, const char *from, const char *to, unsigned depth)
{
	int fd = root_open_dir(&s->a->root, from);
	struct dirent *e;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	errint_t r = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;	/* no skeleton */
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = skel_entry(s, from, to, e->d_name, depth);
	closedir(d);
	return r;
}

static errint_t skel_entry(struct skel_copy *s, const char *from, const char *to, const char *name, unsigned depth)
{
	_cleanup_free_ char *source = io_format("%s/%s", from, name), *target = io_format("%s/%s", to, name), *data = NULL;
	struct root *root = &s->a->root;
	struct stat st;
	size_t size;
	errint_t r;

	if (!source || !target)
		return -ENOMEM;
	if (depth >= SKEL_MAX_DEPTH || root_stat(root, source, false, &st) < 0 || root_exists(root, target))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		r = root_mkdir_p(root, target, st.st_mode & 07777, s->u->uid, s->u->gid);
		return r < 0 ? r : skel_directory(s, source, target, depth + 1);
	}
	if (!S_ISREG(st.st_mode) || root_read(root, source, SKEL_MAX_FILE, &data, &size) < 0)
		return 0;
	return root_write(root, target, data, size, st.st_mode & 07777, s->u->uid, s->u->gid);
}

/* HOME_MODE of login.defs, as useradd takes it. */
static mode_t home_mode(struct apply *a)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	unsigned mode = 0755;
	char *line, *save = NULL;

	if (root_read(&a->root, "/etc/login.defs", 1 << 20, &text, &size) < 0)
		return mode;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "HOME_MODE", 9) == 0)
			mode = (unsigned)strtoul(line + 9, NULL, 8);
	return mode & 0777;
}

static errint_t make_home(struct apply *a, const struct account_user *u)
{
	struct skel_copy s = { a, u };
	_cleanup_free_ char *parent = strdup(u->home);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	errint_t r = 0;

	if (!parent)
		return -ENOMEM;
	if (root_exists(&a->root, u->home))
		return 0;
	if (slash && slash != parent) {
		*slash = '\0';
		r = root_mkdir_p(&a->root, parent, 0755, 0, 0);
	}
	if (r == 0)
		r = root_mkdir_p(&a->root, u->home, home_mode(a), u->uid, u->gid);
	return r < 0 ? r : skel_directory(&s, "/etc/skel", u->home, 0);
}

/* ---- one user ---- */

static const char *choose_shell(struct apply *a, const struct cloud_user *u)
{
	if (u->shell)
		return u->shell;
	if (u->system)
		return root_exists(&a->root, "/usr/sbin/nologin") ? "/usr/sbin/nologin" : "/bin/false";
	return root_exists(&a->root, "/bin/bash") ? "/bin/bash" : "/bin/sh";
}

static errint_t add_account(struct apply *a, const struct cloud_user *u)
{
	struct account_new n = { u->name, u->gecos, u->homedir, choose_shell(a, u), u->primary_group, u->uid, u->system };
	errint_t r = accounts_add_user(&a->accounts, &n);

	if (r == -EEXIST) {
		diag_add(a->diag, DIAG_WARNING, 0, 0, "user %s: uid %lld is taken: the next free one is used", u->name, (long long)u->uid);
		n.uid = -1;
		r = accounts_add_user(&a->accounts, &n);
	}
	return r;
}

static errint_t join_groups(struct apply *a, const struct cloud_user *u)
{
	errint_t r = 0;

	for (size_t i = 0; i < u->groups.count && r == 0; i++) {
		uint32_t gid;

		if (!cloud_name_is_valid(u->groups.item[i])) {
			diag_add(a->diag, DIAG_ERROR, 0, 0, "user %s: '%.40s' is not a group name: ignored", u->name, u->groups.item[i]);
			continue;
		}
		r = accounts_add_group(&a->accounts, u->groups.item[i], -1, u->system, &gid);
		if (r == 0)
			r = accounts_join(&a->accounts, u->name, u->groups.item[i]);
	}
	return r;
}

static errint_t set_plain_password(struct apply *a, const char *user, const char *password, bool expire)
{
	const char *hash = accounts_hash(&a->arena, password);

	if (!hash) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "user %s: the password cannot be hashed (no random numbers?): not set", user);
		return 0;
	}
	return accounts_set_password(&a->accounts, user, hash, expire);
}

static errint_t user_password(struct apply *a, const struct cloud_user *u, bool created)
{
	/* As cloud-init: a user of its own making is locked unless told otherwise; an existing one is left alone. */
	bool lock = u->lock_password == TRI_TRUE || (u->lock_password == TRI_UNSET && created);
	errint_t r = 0;

	if (u->hashed_password)
		r = accounts_set_password(&a->accounts, u->name, u->hashed_password, false);
	else if (u->plain_password)
		r = set_plain_password(a, u->name, u->plain_password, false);
	if (r == 0 && (lock || u->lock_password == TRI_FALSE))
		r = accounts_lock(&a->accounts, u->name, lock);
	return r;
}

static errint_t add_sudo(struct apply *a, const struct cloud_user *u)
{
	errint_t r = 0;

	for (size_t i = 0; i < u->sudo.count && r == 0; i++) {
		_cleanup_free_ char *line = io_format("%s %s\n", u->name, u->sudo.item[i]), *old = NULL;
		size_t size = 0;

		if (!line)
			return -ENOMEM;
		if (!*u->sudo.item[i])
			continue;
		if (!root_exists(&a->root, "/etc/sudoers.d")) {
			diag_add(a->diag, DIAG_WARNING, 0, 0, "user %s: sudo is not in the root file system (no /etc/sudoers.d): its rule is left out", u->name);
			return 0;
		}
		if (root_read(&a->root, SUDOERS_FILE, 1 << 20, &old, &size) == 0 && strstr(old, line))
			continue;
		r = root_append(&a->root, SUDOERS_FILE, line, strlen(line), 0440, 0, 0);
	}
	return apply_failed(a, r, "cannot write", SUDOERS_FILE);
}

static errint_t apply_user(struct apply *a, const struct cloud_user *u)
{
	struct account_user account;
	bool created = !accounts_find_user(&a->accounts, u->name, &account);
	errint_t r = created ? add_account(a, u) : accounts_change_user(&a->accounts, u->name, u->gecos, u->shell);

	if (r == 0 && !accounts_find_user(&a->accounts, u->name, &account))
		r = -EINVAL;
	if (r == 0)
		r = join_groups(a, u);
	if (r == 0)
		r = user_password(a, u, created);
	if (r < 0)
		return apply_failed(a, r, "cannot add user", u->name);
	a->users++;
	if (!u->no_create_home && !u->system)
		r = apply_failed(a, make_home(a, &account), "cannot make the home of", u->name);
	if (r == 0)
		r = add_sudo(a, u);
	if (r == 0 && u->ssh_keys.count)
		r = apply_authorized_keys(a, &account, u->ssh_keys.item, u->ssh_keys.count);
	return r;
}

/* ---- the default user ---- */

static const char *default_name(const struct apply *a)
{
	static const struct { const char *id, *name; } names[] = {
		{ "ubuntu", "ubuntu" }, { "debian", "debian" }, { "fedora", "fedora" }, { "centos", "cloud-user" }, { "rhel", "cloud-user" },
		{ "almalinux", "almalinux" }, { "rocky", "rocky" }, { "alpine", "alpine" }, { "arch", "arch" },
	};

	if (a->config.default_user)
		return a->config.default_user;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(a->os_id, names[i].id) == 0)
			return names[i].name;
	return "cloud";
}

/* Wanted where it is listed, or where nothing is said of users but something is there that is for it. */
static bool default_is_wanted(const struct apply *a)
{
	const struct cloud_config *c = &a->config;

	if (c->users_given)
		return c->default_user_listed;
	return c->default_user || c->default_user_changes.ssh_keys.count || c->ssh_keys.count || c->password || a->context->keys;
}

/* Those of the usual groups that the system has. */
static errint_t default_groups(struct apply *a, struct string_list *ret)
{
	static const char *const usual[] = { "adm", "audio", "cdrom", "dialout", "dip", "floppy", "netdev", "plugdev", "sudo", "wheel", "video" };
	uint32_t gid;

	ret->item = arena_alloc(&a->arena, sizeof usual);
	if (!ret->item)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (accounts_find_group(&a->accounts, usual[i], &gid))
			ret->item[ret->count++] = usual[i];
	return 0;
}

static errint_t apply_default_user(struct apply *a)
{
	static const char *rule[] = { "ALL=(ALL) NOPASSWD:ALL" };
	const struct cloud_user *changes = &a->config.default_user_changes;
	struct cloud_user u = *changes;
	errint_t r = 0;

	if (!default_is_wanted(a))
		return 0;
	if (!a->config.default_user && !changes->name)
		u.uid = changes->uid ? changes->uid : -1;
	u.name = default_name(a);
	if (!u.groups.count)
		r = default_groups(a, &u.groups);
	if (!u.sudo_set && root_exists(&a->root, "/etc/sudoers.d"))
		u.sudo = (struct string_list){ rule, 1 };
	a->default_user = u.name;
	return r < 0 ? r : apply_user(a, &u);
}

/* Keys of the cloud and of the top level: for the default user, else for root. */
static errint_t apply_shared_keys(struct apply *a)
{
	const char *to = a->default_user ? a->default_user : "root";
	struct account_user account;
	errint_t r = 0;

	if (!a->context->keys && !a->config.ssh_keys.count)
		return 0;
	if (!accounts_find_user(&a->accounts, to, &account)) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "public keys: there is no user %s: left out", to);
		return 0;
	}
	for (int pass = 0; pass < 2 && r == 0; pass++) {
		r = apply_authorized_keys(a, &account, a->context->key, a->context->keys);
		if (r == 0)
			r = apply_authorized_keys(a, &account, a->config.ssh_keys.item, a->config.ssh_keys.count);
		/* disable_root: false gives them to root as well */
		if (!a->default_user || a->config.disable_root != TRI_FALSE || !accounts_find_user(&a->accounts, "root", &account))
			break;
	}
	return r;
}

/* ---- password, chpasswd ---- */

static errint_t apply_random_password(struct apply *a, const char *user, bool expire)
{
	struct apply_random *random = &a->random[a->randoms];
	errint_t r;

	if (a->randoms >= APPLY_MAX_RANDOM)
		return 0;
	r = accounts_random_text(random->password, sizeof random->password - 1);
	if (r == 0)
		r = set_plain_password(a, user, random->password, expire);
	if (r == 0) {
		random->user = user;
		a->randoms++;
	}
	return r;
}

static errint_t apply_passwords(struct apply *a)
{
	const struct cloud_config *c = &a->config;
	bool expire = c->expire_passwords != TRI_FALSE;	/* cloud-init's default: true */
	errint_t r = 0;

	if (c->password && !a->default_user) {
		diag_add(a->diag, DIAG_WARNING, 0, 0, "password: is for the default user, and there is none (add 'default' to users): left out");
	} else if (c->password && cloud_password_is_hash(c->password)) {
		r = accounts_set_password(&a->accounts, a->default_user, c->password, expire);
	} else if (c->password) {
		r = set_plain_password(a, a->default_user, c->password, expire);
	}
	for (size_t i = 0; i < c->chpasswds && r == 0; i++) {
		const struct cloud_password *p = &c->chpasswd[i];
		struct account_user u;

		if (!accounts_find_user(&a->accounts, p->user, &u)) {
			diag_add(a->diag, DIAG_ERROR, 0, 0, "chpasswd: there is no user %s: left out", p->user);
			continue;
		}
		if (p->random)
			r = apply_random_password(a, p->user, expire);
		else if (p->hashed)
			r = accounts_set_password(&a->accounts, p->user, p->value, expire);
		else
			r = set_plain_password(a, p->user, p->value, expire);
	}
	return r;
}

static errint_t apply_groups(struct apply *a)
{
	errint_t r = 0;

	for (size_t i = 0; i < a->config.groups && r == 0; i++) {
		const struct cloud_group *g = &a->config.group[i];
		uint32_t gid;

		r = accounts_add_group(&a->accounts, g->name, -1, false, &gid);
		for (size_t j = 0; j < g->members.count && r == 0; j++)
			r = accounts_join(&a->accounts, g->members.item[j], g->name);
	}
	return r;
}

errint_t apply_users(struct apply *a)
{
	errint_t r;

	if (!a->have_accounts) {
		diag_add(a->diag, DIAG_WARNING, 0, 0, "the root file system has no /etc/passwd: users and keys are left out");
		return 0;
	}
	r = apply_groups(a);
	if (r == 0)
		r = apply_default_user(a);
	for (size_t i = 0; i < a->config.users && r == 0; i++)
		r = apply_user(a, &a->config.user[i]);
	if (r == 0)
		r = apply_shared_keys(a);
	if (r == 0)
		r = apply_passwords(a);
	if (r == 0)
		r = accounts_save(&a->accounts);
	return apply_failed(a, r, "cannot write the account files in", "/etc");
}
