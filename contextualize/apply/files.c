/* SPDX-License-Identifier: MIT */
/*
 * write_files.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

/* "user", "user:group", ":group", numbers too. */
static bool find_owner(struct apply *a, const char *owner, uint32_t *ret_uid, uint32_t *ret_gid)
{
	_cleanup_free_ char *user = owner ? strdup(owner) : NULL;
	char *group = user ? strchr(user, ':') : NULL, *end;
	struct account_user u;

	*ret_uid = *ret_gid = 0;
	if (!user)
		return owner == NULL;
	if (group)
		*group++ = '\0';
	if (*user && accounts_find_user(&a->accounts, user, &u)) {
		*ret_uid = u.uid;
		*ret_gid = group ? 0 : u.gid;
	} else if (*user) {
		*ret_uid = (uint32_t)strtoul(user, &end, 10);
		if (*end)
			return false;
	}
	if (group && *group && !accounts_find_group(&a->accounts, group, ret_gid)) {
		*ret_gid = (uint32_t)strtoul(group, &end, 10);
		return !*end;
	}
	return true;
}

/* Directories over which the OS mounts something: what is written there would not be seen. */
static bool is_hidden(const char *path)
{
	static const char *const mounts[] = { "/dev/", "/proc/", "/sys/" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (strncmp(path, mounts[i], strlen(mounts[i])) == 0)
			return true;
	return false;
}

static errint_t write_one(struct apply *a, const struct cloud_file *f)
{
	_cleanup_free_ char *dir = strdup(f->path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	mode_t mode = f->mode >= 0 ? (mode_t)f->mode : f->append ? ROOT_KEEP : 0644;
	uint32_t uid, gid;
	errint_t r = 0;

	if (!dir)
		return -ENOMEM;
	if (!slash[1] || is_hidden(f->path)) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "write_files: %s %s: left out", f->path,
			 slash[1] ? "is in a directory that the kernel provides" : "names a directory");
		return 0;
	}
	if (!find_owner(a, f->owner, &uid, &gid)) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "write_files: %s: there is no user or group '%.60s': it belongs to root", f->path, f->owner);
		uid = gid = 0;
	}
	if (slash != dir) {
		*slash = '\0';
		r = root_mkdir_p(&a->root, dir, 0755, 0, 0);
	}
	if (r == 0 && f->append)
		r = root_append(&a->root, f->path, f->content, f->size, mode, f->owner ? uid : ROOT_KEEP_ID, f->owner ? gid : ROOT_KEEP_ID);
	else if (r == 0)
		r = root_write(&a->root, f->path, f->content, f->size, mode, uid, gid);
	a->files += r == 0;
	return apply_failed(a, r, "write_files: cannot write", f->path);
}

errint_t apply_files(struct apply *a)
{
	errint_t r = 0;

	for (size_t i = 0; i < a->config.files && r == 0; i++)
		r = write_one(a, &a->config.file[i]);
	return r;
}
