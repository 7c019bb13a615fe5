/* SPDX-License-Identifier: MIT */
/* Taking notes of what is read; see record.h. */
#include "fetchfs/client/record_private.h"
#include "fetchfs/client/broker.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"
#include "fetchfs/format/pack.h"

#define MAX_EVENTS ((size_t)1 << 20)	/* 16 MiB, and half as much for the table; as many as a profile has lines */
#define FIRST_ROOM 1024
#define QUIET (3 * NS_PER_SECOND)	/* written when nothing new has come for so long */
#define LATEST (10 * NS_PER_SECOND)	/* or when something new has waited for so long */

struct record {
	struct snapshot *snapshot;
	void (*report)(void *context, bool trouble, const char *text);
	void *context;
	atomic_bool active;

	pthread_mutex_t control;	/* of those who start and stop */
	pthread_mutex_t write_lock;	/* the file is being written */
	pthread_t thread;

	pthread_mutex_t lock;		/* for all below */
	pthread_cond_t changed;
	bool stop, full;
	char *path;
	struct record_event *events;
	size_t count, room;
	uint32_t *table;		/* index into events + 1, by hash; 2 * room slots */
	size_t written;			/* events that are in the file */
	int64_t first_unwritten, last_change;
};

errint_t record_new(struct snapshot *s, void (*report)(void *context, bool trouble, const char *text), void *context, struct record **ret)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->snapshot = s;
	r->report = report;
	r->context = context;
	pthread_mutex_init(&r->control, NULL);
	pthread_mutex_init(&r->write_lock, NULL);
	pthread_mutex_init(&r->lock, NULL);
	clock_cond_init(&r->changed);
	*ret = r;
	return 0;
}

static uint64_t hash_of(const struct record_event *e)
{
	uint64_t h = (e->ino * UINT64_C(0x9e3779b97f4a7c15)) ^ (e->part * UINT64_C(0xc2b2ae3d27d4eb4f));

	return h ^ h >> 29;
}

/* lock held. The slot that has the event, or where it would go. */
static uint32_t *find_slot(struct record *r, const struct record_event *e)
{
	size_t slots = 2 * r->room, i = hash_of(e) % slots;

	while (r->table[i] && (r->events[r->table[i] - 1].ino != e->ino || r->events[r->table[i] - 1].part != e->part))
		i = (i + 1) % slots;
	return &r->table[i];
}

/* lock held */
static errint_t make_room(struct record *r)
{
	size_t room = r->room ? 2 * r->room : FIRST_ROOM;
	uint32_t *table;
	void *events;

	if (r->count < r->room)
		return 0;
	if (room > MAX_EVENTS)
		return -EFBIG;
	table = calloc(2 * room, sizeof(*table));
	events = table ? realloc(r->events, room * sizeof(*r->events)) : NULL;
	if (!events) {
		free(table);
		return -ENOMEM;
	}
	free(r->table);
	r->table = table;
	r->events = events;
	r->room = room;
	for (size_t i = 0; i < r->count; i++)
		*find_slot(r, &r->events[i]) = (uint32_t)i + 1;
	return 0;
}

static void tell(struct record *r, const char *what, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "recording: %s: %s", what, why);
	if (r->report)
		r->report(r->context, true, text);
}

static void note(struct record *r, uint64_t ino, uint32_t part)
{
	struct record_event e = { .ino = ino, .part = part };
	bool filled = false;

	pthread_mutex_lock(&r->lock);
	if (r->path && !r->full && (!r->room || !*find_slot(r, &e))) {
		r->full = filled = make_room(r) < 0;
		if (!r->full) {
			r->events[r->count] = e;
			*find_slot(r, &e) = (uint32_t)++r->count;
			r->last_change = clock_now();
			if (r->count == r->written + 1) {
				r->first_unwritten = r->last_change;
				pthread_cond_signal(&r->changed);
			}
		}
	}
	pthread_mutex_unlock(&r->lock);
	if (filled)
		tell(r, "no more is noted", "there is too much of it");
}

static bool is_active(struct record *r)
{
	return r && atomic_load_explicit(&r->active, memory_order_relaxed);
}

bool record_wants_reads(struct record *r, uint64_t size)
{
	return is_active(r) && size > CHUNK_SIZE;
}

void record_open(struct record *r, uint64_t ino, uint64_t size)
{
	if (is_active(r) && size <= CHUNK_SIZE)
		note(r, ino, RECORD_WHOLE);
}

void record_read(struct record *r, uint64_t ino, uint64_t file_size, int64_t offset, size_t size)
{
	uint64_t at = (uint64_t)offset;

	if (!is_active(r) || size == 0 || offset < 0 || at >= file_size)
		return;
	size = (size_t)MIN((uint64_t)size, file_size - at);
	if (file_size <= CHUNK_SIZE) {
		note(r, ino, RECORD_WHOLE);
		return;
	}
	for (uint64_t part = at / CHUNK_SIZE; part <= (at + size - 1) / CHUNK_SIZE && part < RECORD_DIRECTORY; part++)
		note(r, ino, (uint32_t)part);
}

void record_directory(struct record *r, uint64_t ino)
{
	if (is_active(r))
		note(r, ino, RECORD_DIRECTORY);
}

/* What there is goes into the file. */
static errint_t write_out(struct record *r)
{
	_cleanup_free_ struct record_event *events = NULL;
	_cleanup_free_ char *text = NULL, *path = NULL;
	size_t count, size;
	errint_t e = 0;

	pthread_mutex_lock(&r->write_lock);
	pthread_mutex_lock(&r->lock);
	count = r->count;
	path = r->path ? strdup(r->path) : NULL;
	events = malloc((count + 1) * sizeof(*events));
	if (!path || !events)
		e = -ENOMEM;
	else if (count > 0)
		memcpy(events, r->events, count * sizeof(*events));
	pthread_mutex_unlock(&r->lock);
	if (e == 0)
		e = record_format(r->snapshot, events, count, &text, &size);
	if (e == 0)
		e = broker_write_file(path, 0644, text, size);
	pthread_mutex_lock(&r->lock);
	/* Also after an error: the next change brings another attempt. */
	r->written = count;
	if (r->count > r->written)
		r->first_unwritten = clock_now();
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_unlock(&r->write_lock);
	return e;
}

static void *run(void *context)
{
	struct record *r = context;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		int64_t due = MIN(r->last_change + QUIET, r->first_unwritten + LATEST);
		if (r->count == r->written) {
			pthread_cond_wait(&r->changed, &r->lock);
			continue;
		}
		if (clock_now() < due) {
			clock_cond_wait_until(&r->changed, &r->lock, due);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		errint_t e = write_out(r);
		if (e < 0)
			tell(r, r->path, strerror(-e));
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* control held */
static void forget(struct record *r)
{
	pthread_mutex_lock(&r->lock);
	free(steal_ptr(r->path));
	free(steal_ptr(r->events));
	free(steal_ptr(r->table));
	r->count = r->room = r->written = 0;
	r->stop = r->full = false;
	pthread_mutex_unlock(&r->lock);
}

static errint_t start(struct record *r, const char *path)
{
	errint_t e;

	if (r->path)
		return -EBUSY;
	pthread_mutex_lock(&r->lock);
	r->path = strdup(path);
	pthread_mutex_unlock(&r->lock);
	e = r->path ? write_out(r) : -ENOMEM;
	if (e == 0)
		e = thread_start(&r->thread, run, r);
	if (e < 0)
		forget(r);
	else
		atomic_store(&r->active, true);
	return e;
}

errint_t record_start(struct record *r, const char *path)
{
	errint_t e;

	pthread_mutex_lock(&r->control);
	e = start(r, path);
	pthread_mutex_unlock(&r->control);
	return e;
}

static errint_t stop(struct record *r)
{
	errint_t e = 0;

	if (!r->path)
		return -ENOENT;
	atomic_store(&r->active, false);
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	if (r->count > r->written)
		e = write_out(r);
	forget(r);
	return e;
}

errint_t record_stop(struct record *r)
{
	errint_t e;

	pthread_mutex_lock(&r->control);
	e = stop(r);
	pthread_mutex_unlock(&r->control);
	return e;
}

void record_free(struct record *r)
{
	errint_t e;

	if (!r)
		return;
	e = record_stop(r);
	if (e < 0 && e != -ENOENT)
		tell(r, "the end is lost", strerror(-e));
	pthread_mutex_destroy(&r->control);
	pthread_mutex_destroy(&r->write_lock);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r);
}
