/* SPDX-License-Identifier: MIT */
/* See journal.h. The table of slots is in shared memory; what leads to them (a free list, a hash of unique numbers) is made anew by each worker. */
#include "fetchfs/client/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC 0x4a464653u		/* "SFFJ" */
#define VERSION 1
#define PAGE 4096
#define BUCKETS 1024
#define NONE UINT32_MAX

enum { SLOT_FREE, SLOT_TAKEN };

/* linux/fuse.h: struct fuse_in_header as far as it is needed, and requests that get no reply. */
struct in_header {
	uint32_t len, opcode;
	uint64_t unique;
};
enum { OPCODE_FORGET = 2, OPCODE_INTERRUPT = 36, OPCODE_BATCH_FORGET = 42 };

struct slot {
	atomic_uint state;
	uint32_t crashes;		/* workers that crashed while it was in their hands */
	uint64_t order;
};

struct head {
	uint32_t magic, version;
	atomic_ullong answered;
	uint64_t order;			/* of the last request */
	uint32_t used;			/* slots that were ever used: those below. The others have no memory yet */
	atomic_uint agreed;
	uint32_t agreed_size;
	uint8_t agreed_reply[JOURNAL_INIT_MAX];
};

#define SLOTS_AT PAGE
#define DATA_AT (SLOTS_AT + align_up(JOURNAL_CAPACITY * sizeof(struct slot), PAGE))
#define TOTAL (DATA_AT + (size_t)JOURNAL_CAPACITY * JOURNAL_REQUEST_MAX)

struct journal {
	struct head *head;
	struct slot *slots;
	uint8_t *data;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	uint32_t first_free;
	uint32_t next[JOURNAL_CAPACITY];	/* of the free list, or of a bucket */
	uint32_t buckets[BUCKETS];
};

errint_t journal_make(int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("fetchfs-requests", MFD_CLOEXEC);
	struct head h = { .magic = MAGIC, .version = VERSION };

	if (fd < 0 || ftruncate(fd, (off_t)TOTAL) < 0 || pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

uint64_t journal_answered_count(int fd)
{
	uint64_t count = 0;

	return pread(fd, &count, sizeof(count), offsetof(struct head, answered)) == (ssize_t)sizeof(count) ? count : 0;
}

static struct in_header *request_of(struct journal *j, uint32_t slot)
{
	return (struct in_header *)(void *)(j->data + (size_t)slot * JOURNAL_REQUEST_MAX);
}

static bool wants_reply(uint32_t opcode)
{
	return opcode != OPCODE_FORGET && opcode != OPCODE_BATCH_FORGET && opcode != OPCODE_INTERRUPT;
}

/* A worker may have ended between reading something that gets no reply and letting go of its slot. */
static bool is_waiting(struct journal *j, uint32_t slot)
{
	const struct in_header *request = request_of(j, slot);

	return atomic_load(&j->slots[slot].state) == SLOT_TAKEN && request->len >= sizeof(*request) && wants_reply(request->opcode);
}

static uint32_t *bucket_of(struct journal *j, uint64_t unique)
{
	/* The kernel counts in twos. */
	return &j->buckets[(unique >> 1) % BUCKETS];
}

/* lock held */
static void file_request(struct journal *j, uint32_t slot)
{
	uint32_t *bucket = bucket_of(j, request_of(j, slot)->unique);

	j->next[slot] = *bucket;
	*bucket = slot;
}

/* lock held */
static void free_slot(struct journal *j, uint32_t slot)
{
	atomic_store(&j->slots[slot].state, SLOT_FREE);
	j->next[slot] = j->first_free;
	j->first_free = slot;
}

/* What was left stays where it is. */
static void index_slots(struct journal *j)
{
	j->first_free = NONE;
	for (uint32_t i = 0; i < BUCKETS; i++)
		j->buckets[i] = NONE;
	for (uint32_t i = MIN(j->head->used, JOURNAL_CAPACITY); i-- > 0;) {
		if (is_waiting(j, i))
			file_request(j, i);
		else
			free_slot(j, i);
	}
}

static errint_t check_head(int fd)
{
	struct head h;
	struct stat st;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || fstat(fd, &st) < 0)
		return -EIO;
	return h.magic == MAGIC && h.version == VERSION && st.st_size == (off_t)TOTAL ? 0 : -EPROTONOSUPPORT;
}

errint_t journal_open(int fd, struct journal **ret)
{
	struct journal *j;
	uint8_t *map;
	errint_t r = check_head(fd);

	if (r < 0)
		return r;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	map = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		r = -errno;
		free(j);
		return r;
	}
	j->head = (struct head *)(void *)map;
	j->slots = (struct slot *)(void *)(map + SLOTS_AT);
	j->data = map + DATA_AT;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->freed, NULL);
	index_slots(j);
	*ret = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	munmap(j->head, TOTAL);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->freed);
	free(j);
}

static void unlock(void *lock)
{
	pthread_mutex_unlock(lock);
}

static uint32_t take_slot(struct journal *j)
{
	uint32_t slot;

	pthread_mutex_lock(&j->lock);
	pthread_cleanup_push(unlock, &j->lock);
	while (j->first_free == NONE && j->head->used >= JOURNAL_CAPACITY)
		pthread_cond_wait(&j->freed, &j->lock);
	slot = j->first_free;
	if (slot == NONE)
		slot = j->head->used++;
	else
		j->first_free = j->next[slot];
	request_of(j, slot)->len = 0;
	j->slots[slot].crashes = 0;
	j->slots[slot].order = 0;
	atomic_store(&j->slots[slot].state, SLOT_TAKEN);
	pthread_cleanup_pop(1);
	return slot;
}

ssize_t journal_read(struct journal *j, int device, void *buf, size_t size)
{
	uint32_t slot = take_slot(j);
	const struct in_header *request = request_of(j, slot);
	ssize_t n = read(device, j->data + (size_t)slot * JOURNAL_REQUEST_MAX, JOURNAL_REQUEST_MAX);
	int error = errno;
	bool keep = n >= (ssize_t)sizeof(*request) && wants_reply(request->opcode);

	if (n > 0)
		memcpy(buf, request, MIN((size_t)n, size));
	pthread_mutex_lock(&j->lock);
	if (keep) {
		j->slots[slot].order = ++j->head->order;
		file_request(j, slot);
	} else {
		free_slot(j, slot);
		pthread_cond_signal(&j->freed);
	}
	pthread_mutex_unlock(&j->lock);
	errno = error;
	return n;
}

void journal_answered(struct journal *j, uint64_t unique)
{
	uint32_t *link, slot;

	pthread_mutex_lock(&j->lock);
	link = bucket_of(j, unique);
	while (*link != NONE && request_of(j, *link)->unique != unique)
		link = &j->next[*link];
	slot = *link;
	if (slot != NONE) {
		*link = j->next[slot];
		free_slot(j, slot);
		pthread_cond_signal(&j->freed);
		atomic_fetch_add(&j->head->answered, 1);
	}
	pthread_mutex_unlock(&j->lock);
}

static int by_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void replay_one(struct journal *j, uint32_t slot, bool crashed, const struct journal_visitor *v)
{
	const struct in_header *request = request_of(j, slot);

	if (crashed && ++j->slots[slot].crashes >= JOURNAL_TRIES)
		v->give_up(v->context, request->unique);
	else
		v->again(v->context, request, MIN(request->len, JOURNAL_REQUEST_MAX));
}

void journal_replay(struct journal *j, bool crashed, const struct journal_visitor *v)
{
	/* Order and slot of each. */
	uint32_t used = MIN(j->head->used, JOURNAL_CAPACITY);
	uint64_t (*list)[2] = calloc(used + 1, sizeof(*list));
	size_t count = 0;

	for (uint32_t i = 0; i < used; i++) {
		if (atomic_load(&j->slots[i].state) != SLOT_TAKEN)
			continue;
		if (!list) {
			/* Without memory for that, in any order. */
			replay_one(j, i, crashed, v);
			continue;
		}
		list[count][0] = j->slots[i].order;
		list[count++][1] = i;
	}
	if (count > 1)
		qsort(list, count, sizeof(*list), by_order);
	for (size_t i = 0; i < count; i++)
		replay_one(j, (uint32_t)list[i][1], crashed, v);
	free(list);
}

bool journal_agree(struct journal *j, const struct iovec *reply, int count, bool *ret_same)
{
	uint8_t text[JOURNAL_INIT_MAX];
	size_t size = 0;

	for (int i = 0; i < count; i++) {
		size_t n = MIN(reply[i].iov_len, sizeof(text) - size);
		if (n > 0)
			memcpy(text + size, reply[i].iov_base, n);
		size += n;
	}
	if (atomic_load(&j->head->agreed)) {
		*ret_same = size == j->head->agreed_size && memcmp(text, j->head->agreed_reply, size) == 0;
		return false;
	}
	memcpy(j->head->agreed_reply, text, size);
	j->head->agreed_size = (uint32_t)size;
	return true;
}

void journal_agreed(struct journal *j)
{
	atomic_store(&j->head->agreed, 1);
}
