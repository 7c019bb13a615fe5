/* SPDX-License-Identifier: MIT */
/* The control protocol's lines and replies, what is printed of them, the counters' table, and the journal's records: all in memory. */
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/control.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/mounts.h"
#include "fetchfs/client/top_view.h"
#include "tests/unit/hexdump.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DOCUMENT "docs/format-ctl.md"

static errint_t parse(const char *text, struct ctl_request *ret, char room[CTL_REQUEST_MAX])
{
	size_t size = strlen(text);

	memcpy(room, text, size);
	return ctl_request_parse(room, size, ret);
}

static void test_requests(void **state)
{
	char *arguments[] = { (char *)"a b", (char *)"100%\n\xff" }, room[CTL_REQUEST_MAX];
	_cleanup_free_ char *line = NULL;
	struct ctl_request r;

	(void)state;
	assert_int_equal(ctl_request_format("pin", 1, arguments, &line), 0);
	assert_true(hexdump_matches(DOCUMENT, "request", line, strlen(line)));
	free(line);
	assert_int_equal(ctl_request_format("pin", 2, arguments, &line), 0);
	assert_int_equal(ctl_request_parse(line, strlen(line) - 1, &r), 0);
	assert_string_equal(r.verb, "pin");
	assert_int_equal(r.count, 2);
	assert_string_equal(r.arguments[0], "a b");
	assert_string_equal(r.arguments[1], "100%\n\xff");

	assert_int_equal(parse("fetchfs-ctl 1 stats", &r, room), 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(parse("fetchfs-ctl 2 stats", &r, room), -EPROTONOSUPPORT);
	assert_int_equal(parse("fetchfs-ctl 1 a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", &r, room), -E2BIG);
}

static void test_malformed_requests(void **state)
{
	static const char *const texts[] = { "", " ", "fetchfs-ctl", "fetchfs-ctl 1", "fetchfs-ctl 1 ", "fetchfs-ctl  1 stats", "fetchfs-ctl 1 Stats",
		"fetchfs-ctl 1 stats ", "fetchfs-ctl 1 stats  a", "fetchfs-ctl x stats", "fetchfs-ctl 1 a %", "fetchfs-ctl 1 a %4",
		"fetchfs-ctl 1 a %zz", "fetchfs-ctl 1 a %00b", "fetchfs-ctl 1 a\tb", "fetchfs-ctl 1 a\r", "GET / HTTP/1.0", "fetchfs-ctl 1 \xff",
		"fetchfs-ctl 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	char room[CTL_REQUEST_MAX];
	char *empty[] = { (char *)"" }, *line = NULL, *huge[1];
	_cleanup_free_ char *many = calloc(1, CTL_REQUEST_MAX + 1);
	struct ctl_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(texts[i], &r, room), -EINVAL);
	assert_int_equal(ctl_request_format("pin", 1, empty, &line), -EINVAL);
	assert_int_equal(ctl_request_format("a b", 0, NULL, &line), -EINVAL);
	memset(many, ' ', CTL_REQUEST_MAX / 3 + 1);
	huge[0] = many;
	assert_int_equal(ctl_request_format("pin", 1, huge, &line), -EMSGSIZE);
}

static void test_heads(void **state)
{
	char head[CTL_HEAD_MAX], all[CTL_HEAD_MAX + 16];
	size_t n, size;
	enum ctl_kind kind;

	(void)state;
	n = ctl_head_format(CTL_JSON, 8, head);
	snprintf(all, sizeof(all), "%s{\"a\": 1}", head);
	assert_true(hexdump_matches(DOCUMENT, "reply", all, strlen(all)));
	for (int k = CTL_JSON; k <= CTL_ERROR; k++) {
		n = ctl_head_format((enum ctl_kind)k, 12345, head);
		assert_int_equal(ctl_head_parse(head, n - 1, &kind, &size), 0);
		assert_int_equal(kind, k);
		assert_int_equal(size, 12345);
	}
#define REFUSED(text, error) assert_int_equal(ctl_head_parse(text, strlen(text), &kind, &size), error)
	REFUSED("fetchfs-ctl 1 json 16777216", 0);
	REFUSED("fetchfs-ctl 1 json 16777217", -EMSGSIZE);
	REFUSED("fetchfs-ctl 1 json -1", -EINVAL);
	REFUSED("fetchfs-ctl 1 json 1 2", -EINVAL);
	REFUSED("fetchfs-ctl 1 json", -EINVAL);
	REFUSED("fetchfs-ctl 1 yaml 1", -EINVAL);
	REFUSED("fetchfs-ctl 2 json 1", -EPROTONOSUPPORT);
	REFUSED("fetchfs-ctl 1 json 0000000000000000000000000000000000000000000000000000000000000001", -EINVAL);
}

static void check_http(const char *text, bool complete, int status, bool head)
{
	struct ctl_http h;

	ctl_http_parse(text, strlen(text), &h);
	assert_int_equal(h.complete, complete);
	if (!complete)
		return;
	assert_int_equal(h.status, status);
	if (status == 200)
		assert_int_equal(h.head, head);
}

static void test_http(void **state)
{
	_cleanup_free_ char *endless = malloc(CTL_HTTP_MAX + 1);

	(void)state;
	check_http("GET /metrics HTTP/1.0\r\n\r\n", true, 200, false);
	check_http("GET /metrics HTTP/1.1\nHost: x\n\n", true, 200, false);
	check_http("HEAD /metrics?a=b HTTP/1.1\r\nA: b\r\n\r\n", true, 200, true);
	check_http("GET /metrics HTTP/1.0\r\n", false, 0, false);
	check_http("GET", false, 0, false);
	check_http("", false, 0, false);
	check_http("GET / HTTP/1.0\r\n\r\n", true, 404, false);
	check_http("GET /metricsx HTTP/1.0\r\n\r\n", true, 404, false);
	check_http("POST /metrics HTTP/1.1\r\n\r\n", true, 405, false);
	check_http("GET /metrics\r\n\r\n", true, 400, false);
	check_http("GET /metrics HTTP/2.0\r\n\r\n", true, 400, false);
	check_http("GET http://x/metrics HTTP/1.0\r\n\r\n", true, 400, false);
	check_http("\r\n\r\n", true, 400, false);
	memset(endless, 'a', CTL_HTTP_MAX);
	endless[CTL_HTTP_MAX] = '\0';
	check_http(endless, true, 400, false);
}

/* What ctl_print prints (free). */
static char *printed(const json_t *object)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	ctl_print(object, f);
	fclose(f);
	return text;
}

static void test_printing(void **state)
{
	struct ctl_reply r;
	_cleanup_free_ char *text = NULL, *json = NULL;
	json_t *list;

	(void)state;
	assert_int_equal(ctl_reply_init(&r), 0);
	ctl_text(r.root, "name", "a\\b\x1b[2J\xff\xc3\xa4\xc2\x9b");
	ctl_number(r.root, "usage_bytes", 1536);
	ctl_number(r.root, "bad_seconds", 3725);
	ctl_number(r.root, "mounted_time", 86400);
	ctl_number(r.root, "fill_percent", 7);
	ctl_flag(r.root, "offline", true);
	list = ctl_list(r.root, "mirrors");
	for (int i = 0; i < 2; i++) {
		json_t *item = ctl_item(list);
		ctl_text(item, "url", i ? "http://second/" : "x");
		ctl_number(item, "faults", (uint64_t)i);
	}
	json = json_dumps(r.root, JSON_COMPACT);
	assert_string_equal(json, "{\"name\":\"a\\\\x5cb\\\\x1b[2J\\\\xff\xc3\xa4\\\\xc2\\\\x9b\",\"usage_bytes\":1536,\"bad_seconds\":3725,"
				  "\"mounted_time\":86400,\"fill_percent\":7,\"offline\":true,"
				  "\"mirrors\":[{\"url\":\"x\",\"faults\":0},{\"url\":\"http://second/\",\"faults\":1}]}");
	text = printed(r.root);
	assert_string_equal(text, "name          a\\x5cb\\x1b[2J\\xff\xc3\xa4\\xc2\\x9b\n"
				  "usage_bytes   1.5 KiB\n"
				  "bad_seconds   62 min 05 s\n"
				  "mounted_time  1970-01-02 00:00:00 UTC\n"
				  "fill_percent  7 %\n"
				  "offline       yes\n"
				  "\nmirrors:\n"
				  "url             faults\n"
				  "x               0\n"
				  "http://second/  1\n");
	ctl_reply_done(&r);
}

/* A hostile mount's reply: whatever the object holds, no control character reaches the terminal. */
static void test_printing_of_foreign_objects(void **state)
{
	json_t *o = json_loads("{\"a\\u001b[2J\": \"\\u001b]0;x\\u0007\", \"l\": [{\"k\": \"\\n\\u009b\"}, 5, {\"k\": {}}], \"n\": [[1], null]}", 0, NULL);
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_non_null(o);
	text = printed(o);
	for (const char *p = text; *p; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
	assert_null(strstr(text, "\xc2\x9b"));
	json_decref(o);
}

static void test_stats(void **state)
{
	struct stats s = { .requests = 3 };
	struct stats_counter c[STATS_COUNT];
	_cleanup_free_ char *text = stats_to_json(&s);
	json_t *o = json_loads(text, 0, NULL);

	(void)state;
	s.evicted_bytes = 7;
	stats_read(&s, c);
	assert_int_equal(json_object_size(o), STATS_COUNT);
	assert_int_equal(json_integer_value(json_object_get(o, "requests")), 3);
	assert_string_equal(c[0].name, "requests");
	assert_int_equal(c[0].value, 3);
	for (size_t i = 0; i < STATS_COUNT; i++) {
		/* It becomes a sentence in the metrics. */
		assert_true(c[i].help[0] >= 'a' && c[i].help[0] <= 'z');
		assert_int_not_equal(c[i].help[strlen(c[i].help) - 1], '.');
		assert_non_null(json_object_get(o, c[i].name));
	}
	json_decref(o);
}

static void test_journal(void **state)
{
	static const char wanted[] = "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=fetchfs\nFETCHFS_MOUNT=/mnt\nMESSAGE=all is well\n";
	static const char two_lines[] = "MESSAGE\n\5\0\0\0\0\0\0\0a\nb c\n";
	char record[512];
	size_t n;

	(void)state;
	log_set_field("FETCHFS_MOUNT", "/x");
	log_set_field("FETCHFS_MOUNT", "/mnt");
	n = log_journal_record(4, "all is well", record, sizeof(record));
	assert_int_equal(n, sizeof(wanted) - 1);
	assert_memory_equal(record, wanted, n);
	n = log_journal_record(4, "a\nb c", record, sizeof(record));
	assert_true(n > sizeof(two_lines));
	assert_memory_equal(record + n - (sizeof(two_lines) - 1), two_lines, sizeof(two_lines) - 1);
	assert_int_equal(log_journal_record(4, "all is well", record, 90), 0);
}

static void test_log_levels(void **state)
{
	enum log_target target;
	int level;

	(void)state;
	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, 7);
	assert_int_equal(log_parse_level("4", &level), 0);
	assert_string_equal(log_level_name(level), "warning");
	assert_int_equal(log_parse_level("2", &level), -EINVAL);
	assert_int_equal(log_parse_level("loud", &level), -EINVAL);
	assert_int_equal(log_parse_target("journal", &target), 0);
	assert_int_equal(target, LOG_TO_JOURNAL);
	assert_int_equal(log_parse_target("", &target), -EINVAL);
}

static void check_url(const char *url, const char *wanted)
{
	_cleanup_free_ char *public = control_public_url(url);

	assert_string_equal(public, wanted);
}

static void test_urls(void **state)
{
	(void)state;
	check_url("http://user:secret@host:80/repo", "http://host:80/repo");
	check_url("http://a@b@host/x@y: HTTP status 401", "http://host/x@y: HTTP status 401");
	check_url("http://host/a@b", "http://host/a@b");
	check_url("file:///a@b", "file:///a@b");
	check_url("no url", "no url");
}

static void test_mountinfo(void **state)
{
	char good[] = "36 35 0:50 / /mnt\\040one rw,noatime shared:1 master:2 - overlay spore rw,lowerdir=/a\\134b\n";
	char none[] = "36 35 0:50 / /mnt ro - fuse.fetchfs http://x/ ro\n";
	char bad[] = "36 35 0:50 / /mnt rw", empty[] = "";
	struct mounts_line l;

	(void)state;
	assert_int_equal(mounts_parse(good, &l), 0);
	assert_string_equal(l.path, "/mnt one");
	assert_string_equal(l.type, "overlay");
	assert_string_equal(l.options, "rw,lowerdir=/a\\b");
	assert_int_equal(mounts_parse(none, &l), 0);
	assert_string_equal(l.type, "fuse.fetchfs");
	assert_int_equal(mounts_parse(bad, &l), -EINVAL);
	assert_int_equal(mounts_parse(empty, &l), -EINVAL);
}

static json_t *status(unsigned requests, unsigned bytes, unsigned hits, unsigned misses, unsigned mirror_bytes)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:[{s:s, s:s, s:i, s:i}]}", "name", "debian", "revision", 7, "requests", requests,
			 "bytes_fetched", bytes, "cache_hits", hits, "cache_misses", misses, "cache_usage_bytes", 1048576, "cache_quota_bytes",
			 4194304, "mirrors", "url", "http://a\033[2J/", "state", "good", "fetched_bytes", mirror_bytes, "faults", 2);
}

static void test_top(void **state)
{
	json_t *a = status(10, 1000, 5, 5, 100), *b = status(30, 1000 + 4 * 1048576, 14, 6, 100 + 2048);
	struct top_view v = { .mountpoint = "/mnt", .before = a, .now = b, .elapsed = 2 * INT64_C(1000000000) };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	top_view_block(&v, 60, f);
	top_view_line(&v, "12:00:00", f);
	/* Counters that went back: another mount is there now. */
	v.before = b;
	v.now = a;
	top_view_line(&v, "12:00:01", f);
	v.before = v.now = NULL;
	v.error = "gone\n";
	top_view_line(&v, "12:00:02", f);
	fclose(f);
	assert_string_equal(text, "/mnt  debian revision 7\n"
				  "  network     2.0 MiB/s  10 requests/s  0 faults/s  0 waits/\n"
				  "  files           0 B/s  0 reads/s  0 opens/s  0 lookups/s  \n"
				  "  cache    1.0 MiB of 4.0 MiB [######..................] 25 \n"
				  "  mirror   good      1.0 KiB/s  faults 2  http://a?[2J/\n"
				  "12:00:00      2.0 MiB       10        0        0          0 B        0   90 %   25 %  /mnt\n"
				  "12:00:01          0 B        0        0        0          0 B        0      -   25 %  /mnt\n"
				  "12:00:02 /mnt: gone?\n");
	free(text);
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_malformed_requests), cmocka_unit_test(test_heads),
		cmocka_unit_test(test_http), cmocka_unit_test(test_printing), cmocka_unit_test(test_printing_of_foreign_objects),
		cmocka_unit_test(test_stats), cmocka_unit_test(test_journal), cmocka_unit_test(test_log_levels), cmocka_unit_test(test_urls),
		cmocka_unit_test(test_mountinfo), cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
