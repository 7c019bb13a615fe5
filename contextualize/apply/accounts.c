/* SPDX-License-Identifier: MIT */
/*
 * Account files (accounts.h). passwd(5), shadow(5), group(5), gshadow(5), subuid(5).
 */
#include "contextualize/apply/accounts.h"

#include "common/io.h"
#include "contextualize/apply/sha512_crypt.h"

#include <sys/random.h>
#include <time.h>

enum {	/* fields, from 0 */
	PASSWD_UID = 2, PASSWD_GID, PASSWD_GECOS, PASSWD_HOME, PASSWD_SHELL,
	SHADOW_HASH = 1, SHADOW_CHANGED,
	GROUP_GID = 2, GROUP_MEMBERS,
	GSHADOW_MEMBERS = 3,
};

#define ACCOUNTS_UID_MIN 1000
#define ACCOUNTS_UID_MAX 59999
#define ACCOUNTS_SYSTEM_MIN 100
#define ACCOUNTS_SYSTEM_MAX 999
#define ACCOUNTS_SUBIDS 65536
#define ACCOUNTS_SUBID_MIN 100000

static errint_t table_push(struct accounts *a, struct account_table *t, const char *line)
{
	const char **grown = arena_grow(&a->arena, t->line, t->count, sizeof *grown);

	if (!grown || !line)
		return -ENOMEM;
	t->line = grown;
	grown[t->count++] = line;
	return 0;
}

static errint_t table_load(struct accounts *a, struct account_table *t, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	errint_t r = root_read(a->root, path, ACCOUNTS_MAX_FILE, &text, &size);

	t->path = path;
	if (r == -ENOENT)
		return 0;
	t->exists = r == 0;
	for (char *p = text; r == 0 && p && *p;) {
		size_t n = strcspn(p, "\n");

		r = table_push(a, t, arena_copy(&a->arena, p, n));
		p += n + (p[n] == '\n');
	}
	return r;
}

static errint_t table_save(struct accounts *a, struct account_table *t)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f;

	if (!t->changed)
		return 0;
	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++)
		fprintf(f, "%s\n", t->line[i]);
	if (fclose(f) != 0)
		return -ENOMEM;
	t->changed = false;
	return root_write(a->root, t->path, text, size, ROOT_KEEP, ROOT_KEEP_ID, ROOT_KEEP_ID);
}

errint_t accounts_load(struct accounts *a, struct root *root)
{
	errint_t r;

	*a = (struct accounts){ .root = root };
	r = table_load(a, &a->passwd, "/etc/passwd");
	if (r == 0 && !a->passwd.exists)
		return -ENOENT;
	if (r == 0)
		r = table_load(a, &a->shadow, "/etc/shadow");
	if (r == 0)
		r = table_load(a, &a->group, "/etc/group");
	if (r == 0)
		r = table_load(a, &a->gshadow, "/etc/gshadow");
	if (r == 0)
		r = table_load(a, &a->subuid, "/etc/subuid");
	if (r == 0)
		r = table_load(a, &a->subgid, "/etc/subgid");
	return r;
}

/* Groups before users: nobody ever sees a user whose group is missing. */
errint_t accounts_save(struct accounts *a)
{
	struct account_table *order[] = { &a->group, &a->gshadow, &a->subuid, &a->subgid, &a->shadow, &a->passwd };
	errint_t r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order) && r == 0; i++)
		r = table_save(a, order[i]);
	return r;
}

void accounts_done(struct accounts *a)
{
	arena_done(&a->arena);
}

/* ---- lines ---- */

static size_t table_find(const struct account_table *t, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < t->count; i++)
		if (strncmp(t->line[i], name, length) == 0 && t->line[i][length] == ':')
			return i;
	return SIZE_MAX;
}

/* The start and length of a field; false where the line has too few. */
static bool line_field(const char *line, unsigned index, const char **ret, size_t *ret_length)
{
	for (; index; index--) {
		line = strchr(line, ':');
		if (!line)
			return false;
		line++;
	}
	*ret = line;
	*ret_length = strcspn(line, ":");
	return true;
}

static bool line_number(const char *line, unsigned index, uint32_t *ret)
{
	const char *p;
	size_t n;
	uint64_t v = 0;

	if (!line_field(line, index, &p, &n) || n == 0 || n > 10)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*ret = (uint32_t)v;
	return v <= UINT32_MAX;
}

static errint_t table_set(struct accounts *a, struct account_table *t, size_t i, unsigned index, const char *value)
{
	const char *p, *line = t->line[i];
	size_t n;
	char *changed;

	if (!line_field(line, index, &p, &n))
		return -EINVAL;
	if (n == strlen(value) && memcmp(p, value, n) == 0)
		return 0;
	changed = arena_format(&a->arena, "%.*s%s%s", (int)(p - line), line, value, p + n);
	if (!changed)
		return -ENOMEM;
	t->line[i] = changed;
	t->changed = true;
	return 0;
}

static errint_t table_add(struct accounts *a, struct account_table *t, const char *line)
{
	size_t at = t->count;
	errint_t r = table_push(a, t, line);

	/* Before "+" lines of NIS, which must stay last. */
	while (r == 0 && at > 0 && t->line[at - 1][0] == '+') {
		t->line[at] = t->line[at - 1];
		t->line[--at] = line;
	}
	t->changed = true;
	return r;
}

/* ---- look-ups ---- */

bool accounts_find_user(const struct accounts *a, const char *name, struct account_user *ret)
{
	size_t i = table_find(&a->passwd, name), n;
	const char *home, *line;

	if (i == SIZE_MAX)
		return false;
	line = a->passwd.line[i];
	*ret = (struct account_user){ .name = name };
	if (!line_number(line, PASSWD_UID, &ret->uid) || !line_number(line, PASSWD_GID, &ret->gid) || !line_field(line, PASSWD_HOME, &home, &n))
		return false;
	ret->home = arena_copy((struct arena *)(uintptr_t)&a->arena, home, n);
	return ret->home != NULL;
}

bool accounts_find_group(const struct accounts *a, const char *name, uint32_t *ret_gid)
{
	size_t i = table_find(&a->group, name);

	return i != SIZE_MAX && line_number(a->group.line[i], GROUP_GID, ret_gid);
}

static bool table_has_number(const struct account_table *t, unsigned index, uint32_t number)
{
	uint32_t v;

	for (size_t i = 0; i < t->count; i++)
		if (line_number(t->line[i], index, &v) && v == number)
			return true;
	return false;
}

/* A number that is free as uid (user) or gid, best as both. */
static errint_t accounts_free_id(const struct accounts *a, bool user, bool system, uint32_t *ret)
{
	uint32_t min = system ? ACCOUNTS_SYSTEM_MIN : ACCOUNTS_UID_MIN, max = system ? ACCOUNTS_SYSTEM_MAX : ACCOUNTS_UID_MAX;

	for (int both = 1; both >= 0; both--)
		for (uint32_t i = 0; i <= max - min; i++) {
			uint32_t id = system ? max - i : min + i;
			bool uid_taken = table_has_number(&a->passwd, PASSWD_UID, id), gid_taken = table_has_number(&a->group, GROUP_GID, id);

			if (both ? uid_taken || gid_taken : user ? uid_taken : gid_taken)
				continue;
			*ret = id;
			return 0;
		}
	return -ENOSPC;
}

/* ---- changes ---- */

errint_t accounts_add_group(struct accounts *a, const char *name, int64_t gid, bool system, uint32_t *ret_gid)
{
	uint32_t id = (uint32_t)gid;
	char *line;
	errint_t r;

	if (accounts_find_group(a, name, ret_gid))
		return 0;
	if (gid < 0 || table_has_number(&a->group, GROUP_GID, id)) {
		r = accounts_free_id(a, false, system, &id);
		if (r < 0)
			return r;
	}
	line = arena_format(&a->arena, "%s:x:%u:", name, id);
	r = line ? table_add(a, &a->group, line) : -ENOMEM;
	if (r == 0 && a->gshadow.exists) {
		line = arena_format(&a->arena, "%s:!::", name);
		r = line ? table_add(a, &a->gshadow, line) : -ENOMEM;
	}
	*ret_gid = id;
	return r;
}

/* Adds the next 65536 subordinate ids, where the system keeps such a file (rootless containers need them). */
static errint_t accounts_add_subids(struct accounts *a, struct account_table *t, const char *name)
{
	uint64_t next = ACCOUNTS_SUBID_MIN;
	char *line;

	if (!t->exists || table_find(t, name) != SIZE_MAX)
		return 0;
	for (size_t i = 0; i < t->count; i++) {
		uint32_t start, count;

		if (line_number(t->line[i], 1, &start) && line_number(t->line[i], 2, &count))
			next = MAX(next, (uint64_t)start + count);
	}
	if (next + ACCOUNTS_SUBIDS > UINT32_MAX)
		return 0;
	line = arena_format(&a->arena, "%s:%u:%u", name, (uint32_t)next, ACCOUNTS_SUBIDS);
	return line ? table_add(a, t, line) : -ENOMEM;
}

/* Days since 1970 for shadow's third field; "" where the clock is not set, since 0 means "expired". */
static const char *accounts_today(struct arena *arena)
{
	time_t days = time(NULL) / 86400;

	return days > 0 ? arena_format(arena, "%lld", (long long)days) : "";
}

static errint_t accounts_primary_group(struct accounts *a, const struct account_new *n, uint32_t uid, uint32_t *ret)
{
	if (n->primary_group)
		return accounts_add_group(a, n->primary_group, -1, n->system, ret);
	return accounts_add_group(a, n->name, uid, n->system, ret);
}

errint_t accounts_add_user(struct accounts *a, const struct account_new *n)
{
	uint32_t uid = (uint32_t)n->uid, gid = 0;
	const char *today = accounts_today(&a->arena);
	char *line;
	errint_t r = 0;

	if (table_find(&a->passwd, n->name) != SIZE_MAX || (n->uid >= 0 && table_has_number(&a->passwd, PASSWD_UID, uid)))
		return -EEXIST;
	if (n->uid < 0)
		r = accounts_free_id(a, true, n->system, &uid);
	if (r == 0)
		r = accounts_primary_group(a, n, uid, &gid);
	if (r < 0)
		return r;
	line = arena_format(&a->arena, n->home ? "%s:x:%u:%u:%s:%s:%s" : "%s:x:%u:%u:%s:/home/%s:%s", n->name, uid, gid, n->gecos ? n->gecos : "",
			    n->home ? n->home : n->name, n->shell ? n->shell : "/bin/bash");
	r = line ? table_add(a, &a->passwd, line) : -ENOMEM;
	if (r == 0) {
		line = today ? arena_format(&a->arena, "%s:!:%s:0:99999:7:::", n->name, today) : NULL;
		r = line ? table_add(a, &a->shadow, line) : -ENOMEM;
	}
	if (r == 0 && !n->system)
		r = accounts_add_subids(a, &a->subuid, n->name);
	if (r == 0 && !n->system)
		r = accounts_add_subids(a, &a->subgid, n->name);
	return r;
}

/* Adds a name to a comma-separated field. */
static errint_t table_add_member(struct accounts *a, struct account_table *t, const char *group, unsigned index, const char *user)
{
	size_t i = table_find(t, group), n, length = strlen(user);
	const char *p;
	char *value;

	if (i == SIZE_MAX || !line_field(t->line[i], index, &p, &n))
		return 0;
	for (size_t at = 0; at < n;) {
		size_t part = strcspn(p + at, ",:");

		if (part == length && memcmp(p + at, user, part) == 0)
			return 0;
		at += part + 1;
	}
	value = arena_format(&a->arena, "%.*s%s%s", (int)n, p, n ? "," : "", user);
	return value ? table_set(a, t, i, index, value) : -ENOMEM;
}

errint_t accounts_join(struct accounts *a, const char *user, const char *group)
{
	errint_t r = table_add_member(a, &a->group, group, GROUP_MEMBERS, user);

	return r < 0 ? r : table_add_member(a, &a->gshadow, group, GSHADOW_MEMBERS, user);
}

errint_t accounts_change_user(struct accounts *a, const char *name, const char *gecos, const char *shell)
{
	size_t i = table_find(&a->passwd, name);
	errint_t r = 0;

	if (i == SIZE_MAX)
		return -ENOENT;
	if (gecos)
		r = table_set(a, &a->passwd, i, PASSWD_GECOS, gecos);
	if (r == 0 && shell)
		r = table_set(a, &a->passwd, i, PASSWD_SHELL, shell);
	return r;
}

static size_t accounts_shadow_line(struct accounts *a, const char *user)
{
	size_t i = table_find(&a->shadow, user);
	char *line;

	if (i != SIZE_MAX || table_find(&a->passwd, user) == SIZE_MAX)
		return i;
	line = arena_format(&a->arena, "%s:!::0:99999:7:::", user);
	if (!line || table_add(a, &a->shadow, line) < 0)
		return SIZE_MAX;
	i = table_find(&a->passwd, user);
	if (table_set(a, &a->passwd, i, 1, "x") < 0)
		return SIZE_MAX;
	return table_find(&a->shadow, user);
}

errint_t accounts_set_password(struct accounts *a, const char *user, const char *hash, bool expire)
{
	size_t i = accounts_shadow_line(a, user);
	const char *changed = expire ? "0" : accounts_today(&a->arena);
	errint_t r;

	if (i == SIZE_MAX)
		return -ENOENT;
	r = changed ? table_set(a, &a->shadow, i, SHADOW_HASH, hash) : -ENOMEM;
	return r < 0 ? r : table_set(a, &a->shadow, i, SHADOW_CHANGED, changed);
}

errint_t accounts_expire_password(struct accounts *a, const char *user)
{
	size_t i = accounts_shadow_line(a, user);

	return i == SIZE_MAX ? -ENOENT : table_set(a, &a->shadow, i, SHADOW_CHANGED, "0");
}

errint_t accounts_lock(struct accounts *a, const char *user, bool lock)
{
	size_t i = accounts_shadow_line(a, user), n;
	const char *p;
	char *value;

	if (i == SIZE_MAX || !line_field(a->shadow.line[i], SHADOW_HASH, &p, &n))
		return -ENOENT;
	if (lock == (n && *p == '!') || (!lock && n == 1))
		return 0;
	value = lock ? arena_format(&a->arena, "!%.*s", (int)n, p) : arena_copy(&a->arena, p + 1, n - 1);
	return value ? table_set(a, &a->shadow, i, SHADOW_HASH, value) : -ENOMEM;
}

/* ---- passwords ---- */

errint_t accounts_random_text(char *ret, size_t length)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789./";
	size_t used = 0;

	while (used < length) {
		uint8_t bytes[32];
		ssize_t n = getrandom(bytes, sizeof bytes, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		/* 57 of 64 values are used, so that each letter is equally likely. */
		for (ssize_t i = 0; i < n && used < length; i++)
			if ((bytes[i] & 63) < (int)sizeof letters - 3)
				ret[used++] = letters[bytes[i] & 63];
	}
	ret[length] = '\0';
	return 0;
}

const char *accounts_hash(struct arena *arena, const char *password)
{
	char salt[17], hash[SHA512_CRYPT_SIZE];

	if (accounts_random_text(salt, 16) < 0 || sha512_crypt(password, salt, hash) < 0)
		return NULL;
	return arena_string(arena, hash);
}
