/* SPDX-License-Identifier: MIT */
/* Reading a repository's files by name; see reader.h. */
#include "fetchfs/publish/reader.h"
#include "common/io.h"
#include "fetchfs/format/object.h"
#include "fetchfs/publish/remote.h"

#include <fcntl.h>

struct reader {
	char *where;
	int fd;			/* local */
	struct remote *remote;	/* or not */
};

static bool is_remote(const char *where)
{
	return strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	remote_close(r->remote);
	free(r->where);
	free(r);
}

void reader_close_ptr(struct reader **r)
{
	reader_close(*r);
}

static errint_t open_local(struct reader *r, struct trouble *t)
{
	const char *path = strncmp(r->where, "file://", 7) == 0 ? r->where + 7 : r->where;

	r->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->fd < 0 ? trouble_errno(t, -errno, "cannot open the repository %s", path) : 0;
}

errint_t reader_open(const char *where, struct reader **ret, struct trouble *t)
{
	_cleanup_(reader_close_ptr) struct reader *r = calloc(1, sizeof(*r));
	errint_t e;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->where = strdup(where);
	if (!r->where)
		return -ENOMEM;
	e = is_remote(where) ? remote_open(where, &r->remote, t) : open_local(r, t);
	if (e < 0)
		return e;
	*ret = steal_ptr(r);
	return 0;
}

const char *reader_where(const struct reader *r)
{
	return r->where;
}

int reader_directory(const struct reader *r)
{
	return r->fd;
}

errint_t reader_get(struct reader *r, const char *name, size_t max, char **ret_data, size_t *ret_size, struct trouble *t)
{
	errint_t e;

	if (r->remote)
		return remote_get(r->remote, name, max, ret_data, ret_size, t);
	e = io_read_file_at(r->fd, name, max, ret_data, ret_size);
	if (e < 0 && e != -ENOENT)
		trouble_errno(t, e, "cannot read %s/%s", r->where, name);
	return e;
}

errint_t reader_get_object(struct reader *r, const struct digest *d, uint64_t stored_size, uint64_t size, void **ret_data, struct trouble *t)
{
	char path[OBJECT_PATH_SIZE];
	_cleanup_free_ char *stored = NULL;
	size_t found;
	errint_t e;

	object_path(d, path);
	e = reader_get(r, path, (size_t)(2 * OBJECT_MAX_SIZE), &stored, &found, t);
	if (e == -ENOENT)
		return trouble_set(t, -EBADMSG, EXIT_DATA, "object %s is missing from %s", path, r->where);
	if (e < 0)
		return e;
	if (found != stored_size)
		return trouble_set(t, -EBADMSG, EXIT_DATA, "object %s of %s is %zu bytes long, not %llu: it was truncated or altered", path,
				   r->where, found, (unsigned long long)stored_size);
	e = object_unpack(d, stored, found, size, ret_data);
	if (e == -EBADMSG)
		return trouble_set(t, e, EXIT_DATA, "object %s of %s is damaged: its content does not match its name", path, r->where);
	return e < 0 ? trouble_errno(t, e, "cannot unpack object %s", path) : 0;
}
