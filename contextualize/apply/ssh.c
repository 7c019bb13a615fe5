/* SPDX-License-Identifier: MIT */
/*
 * OpenSSH: authorized keys, whether passwords are accepted, and host keys that belong to one instance only.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

#include <dirent.h>

#define SSHD_SNIPPET "/etc/ssh/sshd_config.d/10-spore.conf"

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; p && *p;) {
		size_t length = strcspn(p, "\r\n");

		if (length == n && memcmp(p, line, n) == 0)
			return true;
		p += length;
		p += strspn(p, "\r\n");
	}
	return false;
}

errint_t apply_authorized_keys(struct apply *a, const struct account_user *u, const char *const *keys, size_t count)
{
	_cleanup_free_ char *dir = io_format("%s/.ssh", u->home), *path = io_format("%s/.ssh/authorized_keys", u->home);
	_cleanup_free_ char *old = NULL, *add = NULL;
	size_t size = 0, add_size = 0;
	FILE *f;
	errint_t r;

	if (!count)
		return 0;
	if (!dir || !path)
		return -ENOMEM;
	if (!root_exists(&a->root, u->home)) {
		diag_add(a->diag, DIAG_WARNING, 0, 0, "user %s has no home %s: its public keys are left out", u->name, u->home);
		return 0;
	}
	r = root_read(&a->root, path, 1 << 20, &old, &size);
	if (r < 0 && r != -ENOENT)
		return apply_failed(a, r, "cannot read", path);
	f = open_memstream(&add, &add_size);
	if (!f)
		return -ENOMEM;
	if (size && old[size - 1] != '\n')
		putc('\n', f);
	for (size_t i = 0; i < count; i++) {
		bool before = false;

		for (size_t j = 0; j < i; j++)
			before |= strcmp(keys[i], keys[j]) == 0;
		if (!before && !has_line(old, keys[i]))
			fprintf(f, "%s\n", keys[i]);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	r = root_mkdir_p(&a->root, dir, 0700, u->uid, u->gid);
	if (r == 0)
		r = root_append(&a->root, path, add, add_size, 0600, u->uid, u->gid);
	return apply_failed(a, r, "cannot write", path);
}

/* Does sshd read the directory of snippets? */
static bool sshd_includes(struct apply *a)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	char *line, *save = NULL;

	if (root_read(&a->root, "/etc/ssh/sshd_config", 1 << 20, &text, &size) < 0)
		return false;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncasecmp(line, "Include", 7) == 0 && strstr(line, "sshd_config.d"))
			return true;
	return false;
}

static errint_t ssh_password_authentication(struct apply *a)
{
	const char *text = a->config.ssh_pwauth == TRI_TRUE ? "PasswordAuthentication yes\n" : "PasswordAuthentication no\n";
	errint_t r;

	if (a->config.ssh_pwauth == TRI_UNSET)
		return 0;
	if (!root_exists(&a->root, "/etc/ssh/sshd_config")) {
		diag_add(a->diag, DIAG_WARNING, 0, 0, "ssh_pwauth: the root file system has no OpenSSH server: left out");
		return 0;
	}
	if (!sshd_includes(a))
		diag_add(a->diag, DIAG_WARNING, 0, 0, "ssh_pwauth: /etc/ssh/sshd_config does not include sshd_config.d: the setting has no effect");
	r = root_mkdir_p(&a->root, "/etc/ssh/sshd_config.d", 0755, 0, 0);
	if (r == 0)
		r = root_write(&a->root, SSHD_SNIPPET, text, strlen(text), 0600, 0, 0);
	return apply_failed(a, r, "cannot write", SSHD_SNIPPET);
}

/* Host keys that are there belong to the image or to the instance that this disk was before. */
static errint_t ssh_remove_host_keys(struct apply *a)
{
	int fd = root_open_dir(&a->root, "/etc/ssh");
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	errint_t r = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d))) {
		char path[300];

		if (strncmp(e->d_name, "ssh_host_", 9) != 0 || !strstr(e->d_name, "_key"))
			continue;
		snprintf(path, sizeof path, "/etc/ssh/%s", e->d_name);
		r = apply_failed(a, root_unlink(&a->root, path), "cannot remove", path);
	}
	closedir(d);
	return r;
}

errint_t apply_ssh(struct apply *a)
{
	errint_t r = ssh_password_authentication(a);

	return r < 0 ? r : ssh_remove_host_keys(a);
}
