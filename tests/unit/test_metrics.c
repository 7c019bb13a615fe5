/* SPDX-License-Identifier: MIT */
/* The metrics' text over a real cache and transport: every counter with its help, the mirrors without their passwords, and labels that hold anything. */
#include "common/io.h"
#include "fetchfs/client/control.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char directory[] = "/tmp/spore-test-metrics-XXXXXX";

static bool no_passthrough(void *context)
{
	(void)context;
	return false;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void test_text(void **state)
{
	static struct stats stats = { .requests = 12345678901ULL };
	static struct snapshot snapshot = { .name = "debian", .revision = 7 };
	struct memory memory;
	const char *urls[] = { "http://user:secret@127.0.0.1:1/a\"b\\c", "http://127.0.0.1:1/" };
	struct cache_config cache_config = { .path = directory, .quota = 4 * MIB, .stats = &stats };
	struct transport_config transport_config = { .urls = urls, .url_count = 2, .stats = &stats };
	struct control c = { .mountpoint = "/mnt\n", .cache_path = directory, .snapshot = &snapshot, .stats = &stats, .memory = &memory, .passthrough = no_passthrough,
			     .since = 86400 };
	struct stats_counter counters[STATS_COUNT];
	_cleanup_free_ char *text = NULL;
	char line[256], error[TRANSPORT_ERROR_SIZE];

	(void)state;
	memory_init(&memory, 0);
	assert_int_equal(cache_open(&cache_config, &c.cache), 0);
	assert_int_equal(transport_open(&transport_config, &c.transport, error), 0);
	assert_int_equal(pins_new(&snapshot, NULL, c.cache, &c.pins), 0);
	text = control_metrics(&c);
	assert_non_null(text);
	stats_read(&stats, counters);
	for (size_t i = 0; i < STATS_COUNT; i++) {
		snprintf(line, sizeof(line), "\n# TYPE fetchfs_%s_total counter\nfetchfs_%s_total %llu\n", counters[i].name, counters[i].name,
			 counters[i].value);
		has(text, line);
	}
	has(text, "\n# HELP fetchfs_requests_total Requests sent to servers, repeated ones included.\n");
	has(text, "\nfetchfs_requests_total 12345678901\n");
	has(text, "fetchfs_info{name=\"debian\",mountpoint=\"/mnt?\",hash=\"b2-");
	has(text, "\nfetchfs_revision 7\n");
	has(text, "\nfetchfs_mount_time_seconds 86400\n");
	has(text, "\nfetchfs_cache_quota_bytes 4194304\n");
	has(text, "\nfetchfs_mirror_up{mirror=\"0\",url=\"http://127.0.0.1:1/a\\\"b\\\\c\"} 1\n");
	has(text, "\nfetchfs_mirror_faults_total{mirror=\"1\",url=\"http://127.0.0.1:1\"} 0\n");
	has(text, "\nfetchfs_pins_incomplete 0\n");
	has(text, "\nfetchfs_memory_used_bytes 0\n");
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "process_resident_memory_bytes 0\n"));
	pins_free(c.pins);
	transport_stop(c.transport);
	transport_free(c.transport);
	cache_close(c.cache);
}

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
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
