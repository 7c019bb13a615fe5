/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows an open file by. A handle outlives the worker that gave it: a later worker must tell its own from those of others, and can never take one for an
 * address.
 */
#include "fetchfs/client/fs_private.h"

#define GENERATION_SHIFT 32

errint_t fs_handle_new(struct fs *f, struct file *file, uint64_t *ret)
{
	errint_t r = 0;
	uint32_t at;

	pthread_mutex_lock(&f->handle_lock);
	if (f->free_handle == 0) {
		uint32_t room = f->handle_room ? 2 * f->handle_room : 64;
		struct fs_handle *larger = realloc(f->handles, room * sizeof(*larger));
		if (larger) {
			for (uint32_t i = f->handle_room; i < room; i++)
				larger[i] = (struct fs_handle){ .next_free = i + 1 < room ? i + 2 : 0 };
			f->free_handle = f->handle_room + 1;
			f->handles = larger;
			f->handle_room = room;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		at = f->free_handle;
		f->free_handle = f->handles[at - 1].next_free;
		f->handles[at - 1].file = file;
		*ret = (uint64_t)f->generation << GENERATION_SHIFT | at;
	}
	pthread_mutex_unlock(&f->handle_lock);
	return r;
}

static struct file *find(struct fs *f, uint64_t handle, bool drop)
{
	uint32_t at = (uint32_t)handle;
	struct file *file = NULL;

	if (handle >> GENERATION_SHIFT != f->generation || at == 0)
		return NULL;
	pthread_mutex_lock(&f->handle_lock);
	if (at <= f->handle_room)
		file = f->handles[at - 1].file;
	if (file && drop) {
		f->handles[at - 1] = (struct fs_handle){ .next_free = f->free_handle };
		f->free_handle = at;
	}
	pthread_mutex_unlock(&f->handle_lock);
	return file;
}

struct file *fs_handle_file(struct fs *f, uint64_t handle)
{
	return find(f, handle, false);
}

struct file *fs_handle_drop(struct fs *f, uint64_t handle)
{
	return find(f, handle, true);
}
