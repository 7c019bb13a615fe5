/* SPDX-License-Identifier: MIT */
/* See mounts.h; the form of mountinfo is told in proc(5). */
#include "fetchfs/client/mounts.h"
#include "common/io.h"

#include <limits.h>
#include <sys/xattr.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define TYPE "fuse.fetchfs"
#define ATTRIBUTE_MAX 8192

/* \040 and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

/* id parent major:minor root PATH options [optional...] - TYPE source OPTIONS */
errint_t mounts_parse(char *line, struct mounts_line *ret)
{
	char *word, *rest = line;
	unsigned n = 0, behind = 0;

	memset(ret, 0, sizeof(*ret));
	line[strcspn(line, "\n")] = '\0';
	while ((word = strsep(&rest, " "))) {
		n++;
		if (n == 5)
			ret->path = word;
		else if (behind == 0 && n > 6 && strcmp(word, "-") == 0)
			behind = n;
		else if (behind && n == behind + 1)
			ret->type = word;
		else if (behind && n == behind + 3)
			ret->options = word;
	}
	if (!ret->options)
		return -EINVAL;
	unescape(ret->path);
	unescape(ret->options);
	return 0;
}

errint_t mounts_list(struct mounts *ret)
{
	_cleanup_fclose_ FILE *f = fopen(MOUNTINFO, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	*ret = (struct mounts){ .count = 0 };
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		struct mounts_line l;
		char **larger, *path;
		if (mounts_parse(line, &l) < 0 || strcmp(l.type, TYPE) != 0)
			continue;
		larger = realloc(ret->paths, (ret->count + 1) * sizeof(*larger));
		path = larger ? strdup(l.path) : NULL;
		if (larger)
			ret->paths = larger;
		if (!path) {
			mounts_done(ret);
			return -ENOMEM;
		}
		ret->paths[ret->count++] = path;
	}
	return 0;
}

void mounts_done(struct mounts *m)
{
	while (m->count > 0)
		free(m->paths[--m->count]);
	free(m->paths);
	m->paths = NULL;
}

errint_t mounts_attribute(const char *mountpoint, const char *name, char **ret)
{
	_cleanup_free_ char *full = io_format("user.fetchfs.%s", name);
	char value[ATTRIBUTE_MAX];
	ssize_t n = full ? getxattr(mountpoint, full, value, sizeof(value)) : -1;

	if (!full)
		return -ENOMEM;
	if (n < 0)
		return errno == EOPNOTSUPP ? -ENODATA : -errno;
	*ret = strndup(value, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

static bool holds(const char *mountpoint, const char *path)
{
	size_t n = strlen(mountpoint);

	if (n == 1)
		return true;
	return strncmp(mountpoint, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The mount that path (absolute, without links) is in: of those with the longest mount point the last. Both texts are the caller's to free. */
static errint_t find_mount(const char *path, char **ret_mountpoint, char **ret_layers)
{
	_cleanup_fclose_ FILE *f = fopen(MOUNTINFO, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	*ret_mountpoint = *ret_layers = NULL;
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		struct mounts_line l;
		if (mounts_parse(line, &l) < 0 || !holds(l.path, path) || (*ret_mountpoint && strlen(l.path) < strlen(*ret_mountpoint)))
			continue;
		free(*ret_mountpoint);
		free(*ret_layers);
		*ret_mountpoint = strdup(l.path);
		*ret_layers = strcmp(l.type, "overlay") == 0 ? strdup(l.options) : NULL;
	}
	return *ret_mountpoint ? 0 : -ENODATA;
}

static bool is_fetchfs(const char *path)
{
	_cleanup_free_ char *pid = NULL;

	return mounts_attribute(path, "pid", &pid) == 0;
}

/* lowerdir=A:B or lowerdir+=A of an overlay's options; colons in a name are escaped. */
static errint_t find_layer(char *options, char **ret)
{
	char *option, *rest = options;

	while ((option = strsep(&rest, ","))) {
		char *layers, *layer, *to;
		if (strncmp(option, "lowerdir=", 9) != 0 && strncmp(option, "lowerdir+=", 10) != 0)
			continue;
		layers = strchr(option, '=') + 1;
		while (*layers) {
			layer = to = layers;
			while (*layers && *layers != ':') {
				if (*layers == '\\' && layers[1])
					layers++;
				*to++ = *layers++;
			}
			if (*layers)
				layers++;
			*to = '\0';
			if (*layer && is_fetchfs(layer)) {
				*ret = strdup(layer);
				return *ret ? 0 : -ENOMEM;
			}
		}
	}
	return -ENODATA;
}

errint_t mounts_find(const char *path, char **ret)
{
	_cleanup_free_ char *absolute = realpath(path, NULL), *mountpoint = NULL, *layers = NULL, *pid = NULL;
	errint_t r = absolute ? 0 : -errno;

	if (r == 0)
		r = find_mount(absolute, &mountpoint, &layers);
	if (r < 0)
		return r;
	if (layers)
		return find_layer(layers, ret);
	r = mounts_attribute(mountpoint, "pid", &pid);
	if (r == 0)
		*ret = steal_ptr(mountpoint);
	return r;
}
