/* SPDX-License-Identifier: MIT */
/*
 * The system's own settings: host name, /etc/hosts, time zone, locale, machine-id.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

static errint_t write_text(struct apply *a, const char *path, const char *text)
{
	return apply_failed(a, text ? root_write(&a->root, path, text, strlen(text), ROOT_KEEP, ROOT_KEEP_ID, ROOT_KEEP_ID) : -ENOMEM,
			    "cannot write", path);
}

/* ---- host name ---- */

/* Is every character one that a name in /etc/hosts may have? The cloud's own host name is checked here; that of cloud-config was before. */
static bool name_is_safe(const char *name)
{
	size_t n = strlen(name);

	return n && n <= 253 && name[0] != '-' && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n;
}

/* hosts(5) with the line of 127.0.1.1 replaced, or put behind that of localhost. */
static char *hosts_with(const char *old, const char *line)
{
	char *text = NULL;
	size_t size = 0;
	bool written = false;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (const char *p = old; *p;) {
		size_t n = strcspn(p, "\n");
		bool own = strncmp(p, "127.0.1.1", 9) == 0 && (p[9] == ' ' || p[9] == '\t');
		bool localhost = strncmp(p, "127.0.0.1", 9) == 0;

		if (own && !written)
			fprintf(f, "%s\n", line);
		else if (!own)
			fprintf(f, "%.*s\n", (int)n, p);
		if (localhost && !strstr(old, "\n127.0.1.1") && !written)
			fprintf(f, "%s\n", line);
		written |= own || (localhost && !strstr(old, "\n127.0.1.1"));
		p += n + (p[n] == '\n');
	}
	if (!written)
		fprintf(f, "%s\n", line);
	return fclose(f) == 0 ? text : NULL;
}

static errint_t apply_hosts(struct apply *a, const char *host, const char *fqdn)
{
	_cleanup_free_ char *old = NULL, *line = NULL, *text = NULL;
	size_t size = 0;
	errint_t r = root_read(&a->root, "/etc/hosts", 1 << 20, &old, &size);

	if (r < 0 && r != -ENOENT)
		return apply_failed(a, r, "cannot read", "/etc/hosts");
	line = fqdn ? io_format("127.0.1.1\t%s %s", fqdn, host) : io_format("127.0.1.1\t%s", host);
	if (!line)
		return -ENOMEM;
	text = hosts_with(old ? old : "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", line);
	return write_text(a, "/etc/hosts", text);
}

errint_t apply_hostname(struct apply *a)
{
	const struct cloud_config *c = &a->config;
	const char *name = c->hostname ? c->hostname : c->fqdn ? c->fqdn : a->context->hostname;
	const char *fqdn = c->fqdn;
	_cleanup_free_ char *line = NULL, *host = NULL;
	errint_t r = 0;

	if (!name || c->preserve_hostname == TRI_TRUE)
		return 0;
	if (!name_is_safe(name)) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "host name '%.60s' of the data source is not one: left out", name);
		return 0;
	}
	if (!fqdn && strchr(name, '.'))
		fqdn = name;
	host = strndup(name, MIN(strcspn(name, "."), (size_t)63));
	line = host ? io_format("%s\n", host) : NULL;
	if (!line)
		return -ENOMEM;
	if (a->new_instance)
		r = write_text(a, "/etc/hostname", line);
	if (r == 0 && c->manage_etc_hosts != TRI_FALSE && (a->new_instance || c->manage_etc_hosts == TRI_TRUE))
		r = apply_hosts(a, host, fqdn);
	return r;
}

/* ---- time zone, locale ---- */

errint_t apply_timezone(struct apply *a)
{
	const char *zone = a->config.timezone;
	_cleanup_free_ char *path = NULL, *line = NULL;
	struct stat st;
	errint_t r;

	if (!zone)
		return 0;
	path = io_format("/usr/share/zoneinfo/%s", zone);
	line = io_format("%s\n", zone);
	if (!path || !line)
		return -ENOMEM;
	if (root_stat(&a->root, path, true, &st) < 0 || !S_ISREG(st.st_mode)) {
		diag_add(a->diag, DIAG_ERROR, 0, 0, "timezone: %s is not in the root file system (%s): the time zone stays as it is", zone,
			 root_exists(&a->root, "/usr/share/zoneinfo") ? "is the name right?" : "package tzdata is missing");
		return 0;
	}
	r = apply_failed(a, root_symlink(&a->root, path, "/etc/localtime"), "cannot write", "/etc/localtime");
	return r < 0 ? r : write_text(a, "/etc/timezone", line);
}

errint_t apply_locale(struct apply *a)
{
	const char *path = root_exists(&a->root, "/etc/default") ? "/etc/default/locale" : "/etc/locale.conf";
	_cleanup_free_ char *line = NULL;

	if (!a->config.locale)
		return 0;
	line = io_format("LANG=%s\n", a->config.locale);
	return write_text(a, path, line);
}

/* ---- machine-id ---- */

/*
 * A machine-id that came with the image, or from the machine that this disk was copied from, must not be shared: emptied, systemd makes a new one. "uninitialized"
 * (as image builders leave it) and no file at all stay: they mean the same and more to systemd (first boot).
 */
errint_t apply_identity(struct apply *a)
{
	_cleanup_free_ char *old = NULL;
	struct stat st;
	size_t size = 0;
	errint_t r = root_read(&a->root, "/etc/machine-id", 4096, &old, &size);

	if (r < 0 || size < 32 || strncmp(old, "uninitialized", 13) == 0)
		return 0;
	r = write_text(a, "/etc/machine-id", "");
	if (r == 0 && root_stat(&a->root, "/var/lib/dbus/machine-id", false, &st) == 0 && S_ISREG(st.st_mode))
		r = apply_failed(a, root_symlink(&a->root, "/etc/machine-id", "/var/lib/dbus/machine-id"), "cannot write", "/var/lib/dbus/machine-id");
	return r;
}
