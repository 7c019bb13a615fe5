/* SPDX-License-Identifier: MIT */
/* The list of pinned paths as a text; see pins.h. */
#include "fetchfs/client/pins_private.h"
#include "common/io.h"

#define NAME "pins"
#define FIRST_LINE "fetchfs-pins 1\n"
#define TEXT_MAX ((size_t)(8 * MIB))

errint_t pins_normalize(const char *path, char **ret)
{
	size_t room = strlen(path) + 2;
	char *out = malloc(room), *to = out;

	if (!out)
		return -ENOMEM;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if ((n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.') || n > CATALOG_NAME_MAX) {
			free(out);
			return n > CATALOG_NAME_MAX ? -ENAMETOOLONG : -EINVAL;
		}
		memcpy(to, p, n);
		to += n;
		p += n;
		if (*p == '/' && n > 0)
			*to++ = '/';
		p += strspn(p, "/");
	}
	if (to == out && *path)
		*to++ = '/';
	*to = '\0';
	if (to == out || to - out > PINS_PATH_MAX) {
		errint_t r = to == out ? -EINVAL : -ENAMETOOLONG;
		free(out);
		return r;
	}
	*ret = out;
	return 0;
}

void pins_file_done(struct pins_file *f)
{
	while (f->count > 0)
		free(f->paths[--f->count]);
}

/* One line: escaped as an argument of a request is. */
static errint_t add_line(struct pins_file *f, const char *line, size_t size)
{
	static const char head[] = CTL_NAME " 1 pin ";
	size_t n = sizeof(head) - 1;
	_cleanup_free_ char *request = malloc(n + size + 1);
	struct ctl_request parsed;
	char *path;

	if (!request)
		return -ENOMEM;
	memcpy(request, head, n);
	memcpy(request + n, line, size);
	if (f->count == PINS_MAX || ctl_request_parse(request, n + size, &parsed) < 0 || parsed.count != 1)
		return -EBADMSG;
	if (pins_normalize(parsed.arguments[0], &path) < 0)
		return -EBADMSG;
	f->paths[f->count++] = path;
	return 0;
}

errint_t pins_file_parse(const char *text, size_t size, struct pins_file *ret)
{
	const char *p = text, *end = text + size;
	size_t n = sizeof(FIRST_LINE) - 1;
	errint_t r = 0;

	ret->count = 0;
	if (size < n || memcmp(text, FIRST_LINE, n) != 0)
		return -EBADMSG;
	for (p += n; r == 0 && p < end;) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		if (!line_end) {
			r = -EBADMSG;
			break;
		}
		r = add_line(ret, p, (size_t)(line_end - p));
		p = line_end + 1;
	}
	if (r < 0)
		pins_file_done(ret);
	return r;
}

errint_t pins_file_read(struct cache *c, const char *repository, struct pins_file *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	errint_t r = cache_read_text(c, repository, NAME, TEXT_MAX, &text, &size);

	ret->count = 0;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : pins_file_parse(text, size, ret);
}

static errint_t write_list(struct cache *c, const char *repository, const struct pins_file *f)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	errint_t r = out ? 0 : -ENOMEM;

	if (!out)
		return r;
	fputs(FIRST_LINE, out);
	for (size_t i = 0; r == 0 && i < f->count; i++) {
		_cleanup_free_ char *request = NULL;
		r = ctl_request_format("pin", 1, (char *const *)&f->paths[i], &request);
		if (r == 0)
			fputs(request + strlen(CTL_NAME " 1 pin "), out);
	}
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = cache_write_text(c, repository, NAME, text, size);
	free(text);
	return r;
}

errint_t pins_file_change(struct cache *c, const char *repository, const char *path, bool add)
{
	_cleanup_free_ struct pins_file *f = calloc(1, sizeof(*f));
	_cleanup_close_ int lock = -1;
	size_t at = 0;
	errint_t r = f ? cache_lock_texts(c, repository, &lock) : -ENOMEM;

	if (r == 0)
		r = pins_file_read(c, repository, f);
	if (r < 0)
		return r;
	while (at < f->count && strcmp(f->paths[at], path) != 0)
		at++;
	if (add && at == f->count) {
		r = f->count == PINS_MAX ? -E2BIG : 0;
		if (r == 0 && !(f->paths[f->count++] = strdup(path)))
			r = -ENOMEM;
	} else if (!add && at < f->count) {
		free(f->paths[at]);
		memmove(&f->paths[at], &f->paths[at + 1], (--f->count - at) * sizeof(f->paths[0]));
	} else {
		pins_file_done(f);
		return 0;
	}
	if (r == 0)
		r = write_list(c, repository, f);
	pins_file_done(f);
	return r;
}
