/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes of files; see attributes.h. Symbolic links, devices and sockets cannot be opened, and paths may be too long,
 * so everything goes through /proc/self/fd/DIRECTORY/NAME.
 */
#include "fetchfs/publish/attributes.h"

#include <sys/xattr.h>

#define PATH_ROOM (32 + 256)

bool attributes_is_foreign(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0 ||
	       strncmp(name, "user.fetchfs.", 13) == 0;
}

static bool make_room(void *pointer, size_t *room, size_t wanted)
{
	void *larger;

	if (wanted <= *room)
		return true;
	larger = realloc(*(void **)pointer, wanted * 2);
	if (!larger)
		return false;
	*(void **)pointer = larger;
	*room = wanted * 2;
	return true;
}

/* The list may grow between the two calls: then once more. */
static ssize_t read_names(struct attributes *a, const char *path)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		ssize_t n = llistxattr(path, a->names, a->names ? a->names_room : 0);
		if (n >= 0 && a->names)
			return n;
		if (n < 0 && errno != ERANGE)
			return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
		if (n == 0)
			return 0;
		n = llistxattr(path, NULL, 0);
		if (n < 0)
			return -errno;
		if (!make_room(&a->names, &a->names_room, (size_t)n + 256))
			return -ENOMEM;
	}
	return -ESTALE;
}

static ssize_t read_value(struct attributes *a, const char *path, const char *name, size_t used)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		ssize_t n = lgetxattr(path, name, NULL, 0);
		if (n < 0)
			return -errno;
		if (!make_room(&a->values, &a->values_room, used + (size_t)n + 1))
			return -ENOMEM;
		n = lgetxattr(path, name, a->values + used, a->values_room - used);
		if (n >= 0 || errno != ERANGE)
			return n < 0 ? -errno : n;
	}
	return -ESTALE;
}

static errint_t read_all(struct attributes *a, const char *path, size_t names_size, size_t *ret_count)
{
	size_t used = 0, count = 0;

	for (size_t at = 0; at < names_size; at += strlen(a->names + at) + 1) {
		const char *name = a->names + at;
		if (attributes_is_foreign(name))
			continue;
		if (!make_room(&a->list, &a->list_room, (count + 1) * sizeof(*a->list)))
			return -ENOMEM;
		ssize_t n = read_value(a, path, name, used);
		if (n == -ENODATA)
			continue;	/* it went away, or may not be read by this user (trusted.*) */
		if (n < 0)
			return (errint_t)n;
		a->list[count++] = (struct tree_xattr){ .name = name, .name_length = (uint16_t)strlen(name), .size = (uint32_t)n };
		used += (size_t)n;
	}
	/* The values' buffer has stopped moving. */
	for (size_t i = 0, at = 0; i < count; at += a->list[i++].size)
		a->list[i].value = a->values + at;
	*ret_count = count;
	return 0;
}

errint_t attributes_read(struct attributes *a, int dirfd, const char *name, struct tree *tree, uint32_t *ret)
{
	char path[PATH_ROOM];
	size_t count = 0;
	ssize_t n;
	errint_t r;

	/* "/." so that the last component is the directory and not the magic link. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name ? name : ".");
	*ret = TREE_NO_XATTRS;
	n = read_names(a, path);
	if (n <= 0)
		return (errint_t)n;
	r = read_all(a, path, (size_t)n, &count);
	return r < 0 ? r : tree_intern_xattrs(tree, a->list, count, ret);
}

void attributes_done(struct attributes *a)
{
	free(a->names);
	free(a->values);
	free(a->list);
	*a = (struct attributes){ 0 };
}
