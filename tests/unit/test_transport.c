/* SPDX-License-Identifier: MIT */
/* The client's transport and store alone, over file URLs: sizes, mirrors, retries, waiting for what is not there yet, coalescing, and the end. */
#include "common/io.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/store.h"
#include "fetchfs/format/object.h"

#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/spore-test-transport-XXXXXX";
static struct stats stats;
static char *good, *bad;

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s;
	(void)type;
	(void)f;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	memset(&stats, 0, sizeof(stats));
	if (!mkdtemp(directory))
		return -1;
	good = io_format("%s/good %%41", directory);	/* a name that must be escaped */
	bad = io_format("%s/bad", directory);
	return mkdir(good, 0700) + mkdir(bad, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	free(good);
	free(bad);
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct transport *open_transport(const char *first, const char *second)
{
	const char *urls[] = { first, second };
	struct transport_config config = { .urls = urls, .url_count = second ? 2 : 1, .stats = &stats };
	struct transport *t;

	assert_int_equal(transport_open(&config, &t), 0);
	return t;
}

static void write_text(const char *folder, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = io_format("%s/%s", folder, name);

	assert_int_equal(io_write_file(path, 0600, data, size), 0);
}

struct fetch {
	struct transport_request r;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned done;
};

static void fetch_done(struct transport_request *r)
{
	struct fetch *f = (struct fetch *)(void *)r;

	pthread_mutex_lock(&f->lock);
	f->done++;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void start(struct transport *t, struct fetch *f, const char *name, uint64_t min, uint64_t max, bool once)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	clock_cond_init(&f->changed);
	snprintf(f->r.path, sizeof(f->r.path), "%s", name);
	f->r.min_size = min;
	f->r.max_size = max;
	f->r.mirror = -1;
	f->r.once = once;
	f->r.done = fetch_done;
	transport_submit(t, &f->r);
}

static void wait_done(struct fetch *f, unsigned times)
{
	int64_t until = clock_now() + 20 * NS_PER_SECOND;

	pthread_mutex_lock(&f->lock);
	while (f->done < times && clock_now() < until)
		clock_cond_wait_until(&f->changed, &f->lock, until);
	assert_int_equal(f->done, times);
	pthread_mutex_unlock(&f->lock);
}

static errint_t fetch_once(struct transport *t, const char *name, uint64_t min, uint64_t max)
{
	struct fetch f;

	start(t, &f, name, min, max, true);
	wait_done(&f, 1);
	if (f.r.result == 0)
		assert_memory_equal(f.r.data, "hello", 5);
	else
		assert_non_null(strstr(f.r.error, name));
	transport_finish(t, &f.r);
	return f.r.result;
}

static void close_transport(struct transport *t)
{
	transport_stop(t);
	transport_free(t);
}

static void test_once(void **state)
{
	struct transport *t;

	(void)state;
	write_text(good, "file", "hello", 5);
	t = open_transport(good, NULL);
	assert_int_equal(fetch_once(t, "file", 0, 100), 0);
	assert_int_equal(fetch_once(t, "file", 5, 5), 0);
	assert_int_equal(fetch_once(t, "file", 0, 4), -EMSGSIZE);
	assert_int_equal(fetch_once(t, "file", 6, 100), -EMSGSIZE);
	assert_int_equal(fetch_once(t, "missing", 0, 100), -ENOENT);
	close_transport(t);
}

static void test_urls(void **state)
{
	const char *gopher[] = { "gopher://host/x" }, *missing[] = { "/no/such/directory" };
	struct transport_config config = { .urls = gopher, .url_count = 1, .stats = &stats };
	struct transport *t;

	(void)state;
	assert_int_equal(transport_open(&config, &t), -EINVAL);
	config.urls = missing;
	assert_int_equal(transport_open(&config, &t), -ENOENT);
}

/* The first mirror lacks it: the second has it, without a pause in between. */
static void test_second_mirror(void **state)
{
	struct transport *t;
	struct fetch f;
	int64_t begin = clock_now();

	(void)state;
	write_text(good, "file", "hello", 5);
	t = open_transport(bad, good);
	start(t, &f, "file", 5, 5, false);
	wait_done(&f, 1);
	assert_int_equal(f.r.result, 0);
	assert_int_equal(f.r.used_mirror, 1);
	assert_true(clock_now() - begin < NS_PER_SECOND);
	transport_finish(t, &f.r);
	/* From now on the good one is asked first. */
	assert_int_equal(stats_get(&stats, faults), 1);
	start(t, &f, "file", 5, 5, false);
	wait_done(&f, 1);
	assert_int_equal(stats_get(&stats, faults), 1);
	transport_finish(t, &f.r);
	close_transport(t);
}

/* What does not verify is fetched from elsewhere. */
static void test_again(void **state)
{
	struct transport *t;
	struct fetch f;

	(void)state;
	write_text(bad, "file", "HELLO", 5);
	write_text(good, "file", "hello", 5);
	t = open_transport(bad, good);
	start(t, &f, "file", 5, 5, false);
	wait_done(&f, 1);
	assert_memory_equal(f.r.data, "HELLO", 5);
	transport_again(t, &f.r, "wrong");
	wait_done(&f, 2);
	assert_memory_equal(f.r.data, "hello", 5);
	transport_finish(t, &f.r);
	assert_int_equal(stats_get(&stats, bad_objects), 1);
	close_transport(t);
}

/* It waits until the file is there, and ends with the transport where it never comes. */
static void test_waiting(void **state)
{
	struct transport *t = open_transport(good, NULL);
	struct fetch one, two;

	(void)state;
	start(t, &one, "later", 5, 5, false);
	start(t, &two, "never", 5, 5, false);
	usleep(300000);
	assert_int_equal(one.done, 0);
	write_text(good, "later", "hello", 5);
	wait_done(&one, 1);
	assert_int_equal(one.r.result, 0);
	transport_finish(t, &one.r);
	transport_stop(t);
	wait_done(&two, 1);
	assert_int_equal(two.r.result, -ECANCELED);
	transport_finish(t, &two.r);
	transport_free(t);
}

struct waiter {
	struct store_waiter w;
	atomic_int *count;
	atomic_int *result;
};

static void waiter_ready(struct store_waiter *w, errint_t r, const void *data, size_t size)
{
	struct waiter *i = (struct waiter *)(void *)w;

	if (r == 0 && (size != 5 || memcmp(data, "hello", 5) != 0))
		r = -EBADMSG;
	atomic_store(i->result, r);
	atomic_fetch_add(i->count, 1);
}

/* Holds up the store's one worker until it is let go. */
struct blocker {
	struct store_waiter w;
	sem_t held, go;
};

static void block(struct store_waiter *w, errint_t r, const void *data, size_t size)
{
	struct blocker *b = (struct blocker *)(void *)w;

	(void)r;
	(void)data;
	(void)size;
	sem_post(&b->held);
	sem_wait(&b->go);
}

static struct store *open_store(struct transport *t, struct cache *c, unsigned timeout)
{
	struct store_config config = { .transport = t, .cache = c, .stats = &stats, .workers = 1, .timeout = timeout };
	struct store *s;

	assert_int_equal(store_open(&config, &s), 0);
	return s;
}

static void put_object(const char *folder, const char *content, size_t size, struct store_object *ret, bool write)
{
	char path[OBJECT_PATH_SIZE];
	_cleanup_free_ char *whole = NULL;
	_cleanup_free_ void *stored = NULL;
	size_t stored_size;

	memset(ret, 0, sizeof(*ret));
	digest_of(content, size, &ret->digest);
	assert_int_equal(object_pack(content, size, 3, &stored, &stored_size), 0);
	ret->size = (uint32_t)size;
	ret->stored_size = (uint32_t)stored_size;
	object_path(&ret->digest, path);
	whole = io_format("%s/%s", folder, path);
	*strrchr(whole, '/') = '\0';
	assert_int_equal(io_mkdir_p(whole, 0700), 0);
	if (write)
		write_text(folder, path, stored, stored_size);
}

static void wait_count(atomic_int *count, int wanted)
{
	for (int i = 0; i < 2000 && atomic_load(count) < wanted; i++)
		usleep(10000);
	assert_int_equal(atomic_load(count), wanted);
}

/* However many ask for an object, it is fetched once; and who asks for one that never comes is told in time, or at the end. */
static void test_store(void **state)
{
	enum { WAITERS = 20 };
	struct transport *t = open_transport(good, NULL);
	_cleanup_free_ char *path = io_format("%s/cache", directory);
	struct cache_config config = { .path = path, .stats = &stats };
	struct waiter waiters[WAITERS], late;
	struct blocker blocker = { .w = { .ready = block } };
	struct store_object o, first, never;
	atomic_int count = 0, result = 1, late_count = 0, late_result = 1;
	unsigned long long before = stats_get(&stats, requests);
	struct cache *c;
	struct store *s;
	void *data;

	(void)state;
	assert_int_equal(cache_open(&config, &c), 0);
	s = open_store(t, c, 5);
	put_object(good, "hello", 5, &o, true);
	put_object(good, "first", 5, &first, true);
	put_object(good, "absent", 6, &never, false);
	sem_init(&blocker.held, 0, 0);
	sem_init(&blocker.go, 0, 0);
	assert_int_equal(store_fetch(s, &first, &blocker.w), 0);
	sem_wait(&blocker.held);
	for (int i = 0; i < WAITERS; i++) {
		waiters[i] = (struct waiter){ .w = { .ready = waiter_ready }, .count = &count, .result = &result };
		assert_int_equal(store_fetch(s, &o, &waiters[i].w), 0);
	}
	sem_post(&blocker.go);
	wait_count(&count, WAITERS);
	assert_int_equal(atomic_load(&result), 0);
	assert_int_equal(stats_get(&stats, requests), before + 2);
	assert_int_equal(store_fetch_now(s, &o, 5, &data, NULL), 0);
	assert_memory_equal(data, "hello", 5);
	free(data);
	/* The time limit. */
	late = (struct waiter){ .w = { .ready = waiter_ready }, .count = &late_count, .result = &late_result };
	assert_int_equal(store_fetch(s, &never, &late.w), 0);
	wait_count(&late_count, 1);
	assert_int_equal(atomic_load(&late_result), -ETIMEDOUT);
	/* The end. */
	assert_int_equal(store_fetch(s, &never, &late.w), 0);
	transport_stop(t);
	store_stop(s);
	assert_int_equal(atomic_load(&late_count), 2);
	assert_int_equal(atomic_load(&late_result), -ECANCELED);
	store_free(s);
	transport_free(t);
	cache_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_urls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_mirror, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_store, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
