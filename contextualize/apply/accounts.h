/* SPDX-License-Identifier: MIT */
/*
 * The account files of a root tree: /etc/passwd, shadow, group, gshadow, subuid, subgid. Loaded as lines, changed in memory, written back one by one in
 * one step each; lines that it does not understand stay as they are. Knows nothing of user data.
 */
#ifndef SPORE_CONTEXTUALIZE_ACCOUNTS_H
#define SPORE_CONTEXTUALIZE_ACCOUNTS_H

#include "common/arena.h"
#include "contextualize/apply/root.h"

#define ACCOUNTS_MAX_FILE ((size_t)16 << 20)

struct account_table {
	const char *path;
	const char **line;
	size_t count;
	bool exists, changed;
};

struct accounts {
	struct arena arena;
	struct root *root;
	struct account_table passwd, shadow, group, gshadow, subuid, subgid;
};

struct account_user {
	const char *name;
	uint32_t uid, gid;
	const char *home;
};

struct account_new {
	const char *name, *gecos, *home, *shell;	/* NULL: defaults */
	const char *primary_group;	/* NULL: a group of the user's own */
	int64_t uid;			/* -1: the next free one */
	bool system;
};

/* -ENOENT: there is no /etc/passwd. */
errint_t accounts_load(struct accounts *a, struct root *root);
errint_t accounts_save(struct accounts *a);
void accounts_done(struct accounts *a);

bool accounts_find_user(const struct accounts *a, const char *name, struct account_user *ret);
bool accounts_find_group(const struct accounts *a, const char *name, uint32_t *ret_gid);
/* An existing group is no error. gid -1: the next free one. */
errint_t accounts_add_group(struct accounts *a, const char *name, int64_t gid, bool system, uint32_t *ret_gid);
/* -EEXIST: the name or the uid is taken. */
errint_t accounts_add_user(struct accounts *a, const struct account_new *n);
errint_t accounts_join(struct accounts *a, const char *user, const char *group);
/* NULL leaves a field alone. */
errint_t accounts_change_user(struct accounts *a, const char *name, const char *gecos, const char *shell);
/* A crypt(3) hash. expire: must be changed at the next login. */
errint_t accounts_set_password(struct accounts *a, const char *user, const char *hash, bool expire);
errint_t accounts_expire_password(struct accounts *a, const char *user);
/* '!' before the hash, or none. */
errint_t accounts_lock(struct accounts *a, const char *user, bool lock);

/* SHA-512 crypt of a password with a fresh salt, in the arena; NULL: no random numbers or no memory. */
const char *accounts_hash(struct arena *arena, const char *password);
/* length random letters and digits. */
errint_t accounts_random_text(char *ret, size_t length);

#endif
