/* SPDX-License-Identifier: MIT */
/* Waiting for catalogs, files and bytes; see wait.h. */
#include "fetchfs/client/wait.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"

/* Something that another thread ends. */
struct event {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool over;
	errint_t result;
};

static void event_init(struct event *e)
{
	*e = (struct event){ .over = false };
	pthread_mutex_init(&e->lock, NULL);
	clock_cond_init(&e->cond);
}

static void event_end(struct event *e, errint_t result)
{
	pthread_mutex_lock(&e->lock);
	e->over = true;
	e->result = result;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

static errint_t event_wait(struct event *e)
{
	errint_t r;

	pthread_mutex_lock(&e->lock);
	while (!e->over)
		pthread_cond_wait(&e->cond, &e->lock);
	r = e->result;
	pthread_mutex_unlock(&e->lock);
	pthread_cond_destroy(&e->cond);
	pthread_mutex_destroy(&e->lock);
	return r;
}

struct enter_wait {
	struct snapshot_waiter waiter;
	struct event event;
};

static void entered(struct snapshot_waiter *w, errint_t r)
{
	event_end(&((struct enter_wait *)(void *)w)->event, r);
}

/*
 * The snapshot may change while one waits. Trees that a walk is in are held by it, so that they stay as they were; one that was just found stays for a minute
 * in any case.
 */
static errint_t enter_inside(struct snapshot *s, struct place *dir, struct snapshot_waiter *waiter)
{
	SNAPSHOT_INSIDE(s);
	return snapshot_enter(s, dir, waiter);
}

errint_t wait_enter(struct snapshot *s, struct place *dir, bool fetch)
{
	struct enter_wait wait = { .waiter.ready = entered };
	errint_t r = enter_inside(s, dir, NULL);

	if (r == -EAGAIN && fetch) {
		event_init(&wait.event);
		r = enter_inside(s, dir, &wait.waiter);
		if (r != -EAGAIN)
			event_end(&wait.event, r);
		r = event_wait(&wait.event);
		if (r == 0)
			r = enter_inside(s, dir, NULL);
	}
	return r;
}

struct open_wait {
	struct file_open open;
	struct event event;
	struct file *file;
};

static void opened(struct file_open *o, errint_t r, struct file *file)
{
	struct open_wait *w = (struct open_wait *)(void *)o;

	w->file = file;
	event_end(&w->event, r);
}

errint_t wait_open(struct files *f, const struct place *place, bool background, struct file **ret)
{
	struct open_wait w = { .open = { .opened = opened, .waiter.background = background } };
	errint_t r;

	event_init(&w.event);
	r = files_open(f, place, &w.open, &w.file);
	if (r != -EINPROGRESS)
		event_end(&w.event, r);
	r = event_wait(&w.event);
	*ret = w.file;
	return r;
}

struct read_wait {
	struct file_read read;
	struct event event;
};

static void was_read(struct file_read *r, errint_t result)
{
	event_end(&((struct read_wait *)(void *)r)->event, result);
}

errint_t wait_read(struct files *f, struct file *file, uint64_t offset, size_t size, bool background, void *ret)
{
	struct read_wait w = { .read = { .done = was_read, .file = file, .offset = offset, .size = size, .waiter.background = background } };
	errint_t r;

	event_init(&w.event);
	r = files_read(f, &w.read);
	if (r != -EINPROGRESS)
		event_end(&w.event, r);
	r = event_wait(&w.event);
	if (r == 0 && ret && w.read.data)
		memcpy(ret, w.read.data, size);
	else if (r == 0 && ret && io_pread_full(file->fd, ret, size, file->base + offset) != (ssize_t)size)
		r = -EIO;
	files_read_free(f, &w.read);
	return r;
}
