/* SPDX-License-Identifier: MIT */
/* The transport's small parts: proxies' notation and choice, credentials, headers, URLs with passwords, files that others may read. */
#include "common/io.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/transport_proxy.h"
#include "fetchfs/client/transport_secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static void test_proxy_notation(void **state)
{
	struct proxy_list l;
	char error[160];

	(void)state;
	assert_int_equal(proxy_list_parse("http://a:3128|b:80; http://u:p%40%3A@[::1]:3128 ;DIRECT", &l, error), 0);
	assert_int_equal(l.count, 4);
	assert_string_equal(l.proxies[0].url, "http://a:3128");
	assert_string_equal(l.proxies[1].url, "http://b:80");
	assert_int_equal(l.proxies[1].group, 0);
	assert_string_equal(l.proxies[2].url, "http://[::1]:3128");
	assert_string_equal(l.proxies[2].name, "u");
	assert_string_equal(l.proxies[2].password, "p@:");
	assert_int_equal(l.proxies[2].group, 1);
	assert_string_equal(l.proxies[3].url, "");
	assert_int_equal(l.proxies[3].group, 2);
	proxy_list_done(&l);
}

static void test_proxy_errors(void **state)
{
	static const char *const wrong[] = { "", ";", "a;", "|a", "a||b", "ftp://a", "http://", "http://a/path", "a b", "http://u:secret@/x" };
	struct proxy_list l;
	char error[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		memset(error, 0, sizeof(error));
		assert_int_equal(proxy_list_parse(wrong[i], &l, error), -EINVAL);
		assert_true(error[0]);
		assert_null(strstr(error, "secret"));
	}
}

/* Each member of a group comes first now and then; groups keep their order. */
static void test_proxy_shuffle(void **state)
{
	unsigned first_is_a = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct proxy_list l;
		char error[160];
		assert_int_equal(proxy_list_parse("a|b|c;d|e;DIRECT", &l, error), 0);
		proxy_list_shuffle(&l, seed * UINT64_C(0x9e3779b97f4a7c15));
		for (size_t i = 1; i < l.count; i++)
			assert_true(l.proxies[i].group >= l.proxies[i - 1].group);
		first_is_a += strcmp(l.proxies[0].url, "http://a") == 0;
		proxy_list_done(&l);
	}
	assert_in_range(first_is_a, 15, 60);
}

static void test_proxy_failover(void **state)
{
	int64_t now = 1000 * NS_PER_SECOND;
	struct proxy_list l;
	char error[160];

	(void)state;
	assert_int_equal(proxy_list_parse("a|b;c;DIRECT", &l, error), 0);
	assert_int_equal(proxy_choose(&l, -1, now), 0);
	assert_int_equal(proxy_choose(&l, 0, now), 1);
	proxy_failed(&l, 0, true, now);
	assert_int_equal(proxy_choose(&l, -1, now), 1);
	proxy_failed(&l, 1, true, now);
	assert_int_equal(proxy_choose(&l, -1, now), 2);
	/* What may be the server's fault counts only in a row. */
	for (int i = 0; i < 3; i++)
		proxy_failed(&l, 2, false, now);
	assert_int_equal(proxy_choose(&l, -1, now), 2);
	proxy_failed(&l, 2, false, now);
	assert_int_equal(proxy_choose(&l, -1, now), 3);
	/* After a while one request tries the first again; the next does not wait for it. */
	now += 10 * NS_PER_SECOND;
	assert_int_equal(proxy_choose(&l, -1, now), 0);
	assert_int_equal(proxy_choose(&l, -1, now), 1);
	assert_true(proxy_worked(&l, 0));
	assert_int_equal(proxy_choose(&l, -1, now), 0);
	assert_int_equal(proxy_choose(&l, -1, now), 0);
	proxy_list_done(&l);
	assert_int_equal(proxy_choose(&l, -1, now), -1);
}

static void test_urls(void **state)
{
	char list[] = "key=/k,mirror=http://u:p@h/x,proxy=http://v:q@a|http://w@b", bare[] = "u:p@q@a:80|v:w@b;DIRECT";
	char odd[] = "http://u:;,|=@h/", *url, *user;

	(void)state;
	assert_int_equal(secret_split_url("https://u:p@w@host:1/a@b", &url, &user), 0);
	assert_string_equal(url, "https://host:1/a@b");
	assert_string_equal(user, "u:p@w");
	free(url);
	free(user);
	assert_int_equal(secret_split_url("https://host/a@b", &url, &user), 0);
	assert_string_equal(url, "https://host/a@b");
	assert_null(user);
	free(url);
	secret_hide(list);
	assert_string_equal(list, "key=/k,mirror=http://xxx@h/x,proxy=http://xxx@a|http://x@b");
	secret_hide(bare);
	assert_string_equal(bare, "xxxxx@a:80|xxx@b;DIRECT");
	secret_hide(odd);
	assert_string_equal(odd, "http://xxxxxx@h/");
	assert_int_equal(secret_from_url("Aladdin:open%20sesame", &user), 0);
	assert_string_equal(user, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");	/* RFC 2617, 2 */
	free(user);
}

static void test_credentials(void **state)
{
	static const char *const wrong[] = { "", "\n", "two words", "a:b\nc:d", "tok\ren", ":nobody", "\x01" };
	char error[SECRET_ERROR_SIZE], *line;

	(void)state;
	assert_int_equal(secret_parse_credentials("Aladdin:open sesame\r\n", 21, &line, error), 0);
	assert_string_equal(line, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	free(line);
	assert_int_equal(secret_parse_credentials("abc.def\n", 8, &line, error), 0);
	assert_string_equal(line, "Authorization: Bearer abc.def");
	free(line);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(secret_parse_credentials(wrong[i], strlen(wrong[i]), &line, error), -EINVAL);
}

static void test_headers(void **state)
{
	static const char *const wrong[] = { "no colon", ": x", "A B: c", "Host: x", "content-LENGTH: 3", "X: \x01", "X:", "X:  " };
	char error[SECRET_ERROR_SIZE], many[1024] = "";
	struct secret_headers h;

	(void)state;
	assert_int_equal(secret_parse_headers("# c\nX-A: 1\r\n\nX-B:2", 18, &h, error), 0);
	assert_int_equal(h.count, 2);
	assert_string_equal(h.lines[0], "X-A: 1");
	assert_string_equal(h.lines[1], "X-B:2");
	secret_headers_done(&h);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(secret_parse_headers(wrong[i], strlen(wrong[i]), &h, error), -EINVAL);
	for (int i = 0; i < SECRET_MAX_HEADERS + 1; i++)
		strcat(many, "X-A: 1\n");
	assert_int_equal(secret_parse_headers(many, strlen(many), &h, error), -EINVAL);
	assert_non_null(strstr(error, "line 33"));
}

static void test_files(void **state)
{
	static const mode_t open_modes[] = { 0604, 0602, 0640, 0620 };
	char path[] = "/tmp/spore-test-network-XXXXXX", error[SECRET_ERROR_SIZE], *text;
	int fd = mkstemp(path);
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, "token\n", 6), 0);
	assert_int_equal(secret_read_file(path, true, &text, &size, error), 0);
	assert_int_equal(size, 6);
	assert_string_equal(text, "token\n");
	free(text);
	for (size_t i = 0; i < ARRAY_SIZE(open_modes); i++) {
		assert_int_equal(fchmod(fd, open_modes[i]), 0);
		assert_int_equal(secret_read_file(path, true, &text, &size, error), -EPERM);
		assert_non_null(strstr(error, "chmod 600"));
	}
	assert_int_equal(secret_read_file(path, false, &text, &size, error), 0);
	free(text);
	close(fd);
	unlink(path);
	assert_int_equal(secret_read_file(path, true, &text, &size, error), -ENOENT);
	assert_int_equal(secret_read_file("/tmp", true, &text, &size, error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proxy_notation), cmocka_unit_test(test_proxy_errors), cmocka_unit_test(test_proxy_shuffle),
		cmocka_unit_test(test_proxy_failover), cmocka_unit_test(test_urls),	    cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_headers),	       cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
