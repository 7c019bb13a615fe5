/* SPDX-License-Identifier: MIT */
/* Paths and contents; see payload.h. */
#include "mkimage/payload.h"

#include <strings.h>

/* Relative, no empty component, no "." or "..". */
static bool path_is_plain(const char *path)
{
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		if (n == 0 || n > 255 || (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

errint_t payload_add(struct payload *t, const char *path, char *data, size_t size)
{
	_cleanup_free_ char *owned = data;

	if (!path_is_plain(path))
		return -EINVAL;
	if (t->count == PAYLOAD_MAX_FILES)
		return -E2BIG;
	for (size_t i = 0; i < t->count; i++)
		if (strcasecmp(t->files[i].path, path) == 0)
			return -EEXIST;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	t->files[t->count++] = (struct payload_file){ .path = copy, .data = steal_ptr(owned), .size = size };
	return 0;
}

errint_t payload_add_copy(struct payload *t, const char *path, const void *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	copy[size] = '\0';
	return payload_add(t, path, copy, size);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct payload_file *)a)->path, ((const struct payload_file *)b)->path);
}

void payload_sort(struct payload *t)
{
	qsort(t->files, t->count, sizeof(t->files[0]), compare_paths);
}

void payload_digest(const struct payload *t, struct digest *ret)
{
	struct digest_state s;
	uint8_t size[8];

	digest_begin(&s);
	for (size_t i = 0; i < t->count; i++) {
		digest_add(&s, t->files[i].path, strlen(t->files[i].path) + 1);
		le64_put(size, t->files[i].size);
		digest_add(&s, size, sizeof(size));
		digest_add(&s, t->files[i].data, t->files[i].size);
	}
	digest_end(&s, ret);
}

void payload_done(struct payload *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->files[i].path);
		free(t->files[i].data);
	}
	t->count = 0;
}
