/* SPDX-License-Identifier: MIT */
/* Following without a kernel: checks on demand, what they bring, what they refuse, and the choice for the next mount where it is pinned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/follow.h"
#include "fetchfs/publish/publish.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#define TTL 100000

static char directory[64];
static char *repository, *source, *cache_path, *key, *pin;
static struct signify_public root;
static struct stats stats;
static struct transport *transport;
static struct cache *cache;
static struct store *store;
static unsigned told;
static atomic_int telling_fails;	/* -errno of the next one */

/* As the program does it, in a process of its own: its settings are for one run. */
static void run_command(const struct command *c, const char *file, int option, const char *value, int more, const char *more_value)
{
	char *operands[] = { repository, source };
	int status;
	pid_t pid;

	if (file) {
		_cleanup_free_ char *path = io_format("%s/%s", source, file);
		assert_int_equal(io_write_file(path, 0644, file, strlen(file)), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		c->on_option(c->context, option, value);
		c->on_option(c->context, more, more_value);
		_exit(c->run(c->context, c->min_operands, operands));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void publish(const char *file)
{
	run_command(&publish_command, file, 'k', key, 'q', NULL);
}

static int set_up(void **state)
{
	char error[TRANSPORT_ERROR_SIZE];
	_cleanup_free_ char *public = NULL, *secret_path = NULL;
	struct signify_secret secret;

	(void)state;
	message_init("test");
	message_set_quiet(true);
	strcpy(directory, "/tmp/spore-test-follow-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	repository = io_format("%s/repository", directory);
	source = io_format("%s/source", directory);
	cache_path = io_format("%s/cache", directory);
	key = io_format("%s/key", directory);
	pin = io_format("%s/pin", directory);
	public = io_format("%s.pub", key);
	secret_path = io_format("%s.sec", key);
	assert_int_equal(signify_generate(&root, &secret), 0);
	assert_int_equal(signify_write_public(public, "test", &root), 0);
	assert_int_equal(signify_write_secret(secret_path, "test", &secret, NULL), 0);
	assert_int_equal(io_mkdir_p(source, 0755), 0);
	run_command(&init_command, NULL, 'n', "test", 'k', key);
	publish("one");

	const char *urls[] = { repository };
	struct transport_config t = { .urls = urls, .url_count = 1, .stats = &stats };
	struct cache_config c = { .path = cache_path, .stats = &stats };
	assert_int_equal(transport_open(&t, &transport, error), 0);
	assert_int_equal(cache_open(&c, &cache), 0);
	struct store_config o = { .transport = transport, .cache = cache, .stats = &stats };
	assert_int_equal(store_open(&o, &store), 0);
	return 0;
}

static int tear_down(void **state)
{
	_cleanup_free_ char *command = io_format("rm -rf %s", directory);

	(void)state;
	transport_stop(transport);
	store_stop(store);
	store_free(store);
	transport_free(transport);
	cache_close(cache);
	free(repository);
	free(source);
	free(cache_path);
	free(key);
	free(pin);
	return system(command);
}

static struct chain_config chain(void)
{
	return (struct chain_config){ .transport = transport, .cache = cache, .cache_path = cache_path, .keys = &root, .key_count = 1, .limit = 10 };
}

static errint_t tell(void *context, const struct snapshot_change *change)
{
	(void)context;
	(void)change;
	told++;
	return atomic_exchange(&telling_fails, 0);
}

static void report(void *context, bool is_trouble, const char *text)
{
	(void)context;
	(void)is_trouble;
	(void)text;
}

static struct follow *start(const struct chain_config *config, bool follows, struct snapshot *s)
{
	struct chain_trouble trouble = { .exit_code = 0 };
	char error[TRANSPORT_ERROR_SIZE];
	struct chain_choice choice;
	struct follow *f;
	struct follow_config c = { .chain = config, .choice = &choice, .snapshot = s, .tell = tell, .stats = &stats, .follows = follows, .ttl = TTL,
				   .limit = 10, .report = report };

	assert_int_equal(chain_open(config, &choice, &trouble), 0);
	assert_int_equal(snapshot_open(s, &choice.manifest, store, cache, &stats, follows, 10, error), 0);
	assert_int_equal(chain_keep(config, &choice, &trouble), 0);
	assert_int_equal(follow_start(&c, &f), 0);
	return f;
}

static bool has(struct snapshot *s, const char *name)
{
	struct place dir, p;

	SNAPSHOT_INSIDE(s);
	assert_int_equal(snapshot_place(s, 1, &dir), 0);
	assert_int_equal(snapshot_enter(s, &dir, NULL), 0);
	return snapshot_lookup(s, &dir, name, strlen(name), &p) == 0;
}

static void test_update(void **state)
{
	struct chain_config config = chain();
	_cleanup_free_ char *manifest = io_format("%s/manifest", repository), *good = NULL;
	struct follow_state st;
	struct snapshot s;
	struct follow *f = start(&config, true, &s);
	size_t size;

	(void)state;
	assert_int_equal(follow_update_now(f, 10), 0);
	follow_get_state(f, &st);
	assert_true(st.follows);
	assert_int_equal(st.revision, 1);
	assert_int_equal(st.error[0], '\0');
	assert_in_range(st.next_check, time(NULL) + TTL / 2 - 60, time(NULL) + TTL + TTL / 2);
	assert_int_equal(told, 0);

	publish("two");
	assert_false(has(&s, "two"));
	assert_int_equal(follow_update_now(f, 10), 0);
	assert_true(has(&s, "one") && has(&s, "two"));
	assert_true(told > 0);
	follow_get_state(f, &st);
	assert_int_equal(st.revision, 2);

	assert_int_equal(io_read_file(manifest, MANIFEST_MAX_SIZE, &good, &size), 0);
	publish("three");
	assert_int_equal(io_write_file(manifest, 0644, "<html>", 6), 0);
	assert_int_equal(follow_update_now(f, 10), -EIO);
	follow_get_state(f, &st);
	assert_non_null(strstr(st.error, "it is not signed"));
	assert_int_equal(st.revision, 2);
	assert_false(has(&s, "three"));
	assert_int_equal(io_write_file(manifest, 0644, good, size), 0);
	assert_int_equal(follow_update_now(f, 10), 0);
	follow_get_state(f, &st);
	assert_int_equal(st.error[0], '\0');
	follow_free(f);
	snapshot_close(&s);
}

/* What the kernel could not be told is told again, by this process or the next, though what was told after it went well. */
static void test_untold(void **state)
{
	struct chain_config config = chain();
	struct snapshot s;
	struct follow *f = start(&config, true, &s);

	(void)state;
	atomic_store(&telling_fails, -ENOTCONN);
	publish("more");
	assert_int_equal(follow_update_now(f, 10), 0);
	assert_true(has(&s, "more"));
	assert_int_equal(atomic_load(&telling_fails), 0);
	assert_true(s.untold);

	told = 0;
	assert_int_equal(follow_update_now(f, 10), 0);
	assert_true(told > 0);
	assert_false(s.untold);
	told = 0;
	assert_int_equal(follow_update_now(f, 10), 0);
	assert_int_equal(told, 0);
	follow_free(f);
	snapshot_close(&s);
}

static void test_pinned(void **state)
{
	struct chain_config config = chain();
	struct chain_trouble trouble;
	struct chain_choice choice;
	struct follow_state st;
	struct snapshot s;
	struct follow *f;
	uint64_t before;

	(void)state;
	config.pin_file = pin;
	f = start(&config, false, &s);
	before = s.revision;
	publish("four");
	assert_int_equal(follow_update_now(f, 10), 0);
	follow_get_state(f, &st);
	assert_false(st.follows);
	assert_int_equal(st.next_check, 0);
	assert_int_equal(st.revision, before);
	assert_int_equal(st.next_revision, before + 1);
	assert_false(has(&s, "four"));
	follow_free(f);
	snapshot_close(&s);

	assert_int_equal(chain_open(&config, &choice, &trouble), 0);
	assert_true(choice.kept);
	assert_int_equal(choice.manifest.revision, before + 1);
	chain_choice_done(&choice);
}

static void test_nothing_to_update(void **state)
{
	struct chain_config config = chain();
	struct snapshot s;
	struct follow *f;

	(void)state;
	config.revision = 1;
	f = start(&config, false, &s);
	assert_int_equal(s.revision, 1);
	assert_int_equal(follow_update_now(f, 1), -EINVAL);
	follow_free(f);
	snapshot_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_nothing_to_update),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
