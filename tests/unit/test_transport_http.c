/* SPDX-License-Identifier: MIT */
/*
 * The transport over HTTP against a server in this process that answers each request with a text of the test's: what is measured, races, deadlines,
 * Retry-After, and answers that only look like one.
 */
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"
#include "fetchfs/client/transport.h"
#include "common/io.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define HANG NULL
#define MAX_ANSWERS 8

/* The n-th request gets the n-th answer, further ones the last. */
struct server {
	int fd;
	char url[64];
	const char *answers[MAX_ANSWERS];
	size_t answer_count;
	size_t padding;		/* bytes of body behind the last answer */
	atomic_uint asked;
	char last_request[2048];
	pthread_t thread;
	int clients[64];
	pthread_t client_threads[64];
	atomic_uint client_count;
};

struct client {
	struct server *server;
	int fd;
};

static struct stats stats;

static void *serve(void *context)
{
	struct client *c = context;
	struct server *s = c->server;
	char request[2048];
	ssize_t n;

	while ((n = recv(c->fd, request, sizeof(request) - 1, 0)) > 0) {
		size_t number = atomic_fetch_add(&s->asked, 1), i = MIN(number, s->answer_count - 1);
		request[n] = '\0';
		strcpy(s->last_request, request);
		if (!s->answers[i])
			continue;
		io_write_full(c->fd, s->answers[i], strlen(s->answers[i]));
		for (size_t left = s->padding; left > 0 && i == s->answer_count - 1; left--)
			io_write_full(c->fd, "x", 1);
	}
	close(c->fd);
	free(c);
	return NULL;
}

static void *accept_all(void *context)
{
	struct server *s = context;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct client *c = malloc(sizeof(*c));
		unsigned i = atomic_load(&s->client_count);
		*c = (struct client){ .server = s, .fd = fd };
		s->clients[i] = fd;
		pthread_create(&s->client_threads[i], NULL, serve, c);
		atomic_store(&s->client_count, i + 1);
	}
	return NULL;
}

static void start_server(struct server *s, const char *first, const char *then)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->answers[0] = first;
	s->answers[1] = then;
	s->answer_count = 2;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &length), 0);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
}

static void stop_server(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (unsigned i = 0; i < s->client_count; i++) {
		shutdown(s->clients[i], SHUT_RDWR);
		pthread_join(s->client_threads[i], NULL);
	}
}

struct fetch {
	struct transport_request r;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int64_t took;
};

static void fetch_done(struct transport_request *r)
{
	struct fetch *f = (struct fetch *)(void *)r;

	pthread_mutex_lock(&f->lock);
	f->done = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void start(struct transport *t, struct fetch *f, uint64_t min, uint64_t max, bool once, int64_t until)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	clock_cond_init(&f->changed);
	f->took = -clock_now();
	f->r = (struct transport_request){ .path = "file", .min_size = min, .max_size = max, .mirror = -1, .once = once, .until = until, .done = fetch_done };
	transport_submit(t, &f->r);
}

static errint_t finish(struct transport *t, struct fetch *f)
{
	int64_t until = clock_now() + 20 * NS_PER_SECOND;

	pthread_mutex_lock(&f->lock);
	while (!f->done && clock_now() < until)
		clock_cond_wait_until(&f->changed, &f->lock, until);
	assert_true(f->done);
	pthread_mutex_unlock(&f->lock);
	f->took += clock_now();
	if (f->r.result == 0)
		assert_memory_equal(f->r.data, "hello", 5);
	transport_finish(t, &f->r);
	return f->r.result;
}

static struct transport *open_transport(const char *first, const char *second)
{
	const char *urls[] = { first, second };
	struct transport_config config = { .urls = urls, .url_count = second ? 2 : 1, .stats = &stats, .proxy = "DIRECT" };
	char error[TRANSPORT_ERROR_SIZE];
	struct transport *t;

	memset(&stats, 0, sizeof(stats));
	assert_int_equal(transport_open(&config, &t, error), 0);
	return t;
}

static void close_transport(struct transport *t)
{
	transport_stop(t);
	transport_free(t);
}

/* One attempt that gets this answer. */
static errint_t answered(const char *answer, uint64_t min, uint64_t max, char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct transport *t;
	struct server s;
	struct fetch f;
	errint_t r;

	start_server(&s, answer, answer);
	t = open_transport(s.url, NULL);
	start(t, &f, min, max, true, 0);
	r = finish(t, &f);
	strcpy(ret_error, f.r.error);
	close_transport(t);
	stop_server(&s);
	return r;
}

static void test_answers(void **state)
{
	static const struct {
		const char *answer, *error;
		errint_t r;
	} cases[] = {
		{ GOOD, "", 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", "", 0 },
		/* A server that calls everything HTML, and is right otherwise. */
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello", "", 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Encoding: gz\x1bip\r\nContent-Length: 5\r\n\r\nhello", "Content-Encoding 'gz?ip'", -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n <html", "captive portal", -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\xef\xbb\xbf\n<!D", "captive portal", -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nyou", "captive portal", -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n< a", "size", -EMSGSIZE },
		{ "HTTP/1.1 511 Login\r\nContent-Length: 0\r\n\r\n", "captive portal", -EIO },
		{ "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "HTTP status 404", -ENOENT },
		{ "HTTP/1.1 206 Part\r\nContent-Length: 5\r\n\r\nhello", "HTTP status 206", -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", "size", -EMSGSIZE },
		{ "HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "redirect to nowhere", -EIO },
		{ "HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n", "redirect to nowhere", -EIO },
		{ "HTTP/1.1 302 Go\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n", "more than 5 redirects", -EIO },
	};
	char error[TRANSPORT_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(answered(cases[i].answer, 5, 20, error), cases[i].r);
		if (!strstr(error, cases[i].error))
			fail_msg("case %zu: '%s'", i, error);
	}
}

static void test_measured(void **state)
{
	struct transport_mirror_info m;
	struct transport *t;
	struct server s;
	struct fetch f;

	(void)state;
	start_server(&s, "HTTP/1.1 200 OK\r\nContent-Length: 100005\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 100005\r\n\r\nhello");
	s.answer_count = 1;
	s.padding = 100000;
	t = open_transport(s.url, NULL);
	start(t, &f, 100005, 100005, true, 0);
	assert_int_equal(finish(t, &f), 0);
	transport_mirror_info(t, 0, &m);
	assert_string_equal(m.url, s.url);
	assert_true(m.preferred);
	assert_int_equal(m.requests, 1);
	assert_int_equal(m.faults, 0);
	assert_int_equal(m.bytes, 100005);
	assert_true(m.latency > 0 && m.latency < NS_PER_SECOND);
	assert_true(m.throughput > 1000);
	close_transport(t);
	stop_server(&s);
}

/* Respected, but not for a week. */
static void test_retry_after(void **state)
{
	struct transport_mirror_info m;
	struct transport *t;
	struct server s;
	struct fetch f;

	(void)state;
	start_server(&s, "HTTP/1.1 429 Later\r\nRetry-After: 604800\r\nContent-Length: 0\r\n\r\n", GOOD);
	t = open_transport(s.url, NULL);
	start(t, &f, 5, 5, false, 0);
	transport_mirror_info(t, 0, &m);
	for (int i = 0; i < 500 && m.faults == 0; i++) {
		usleep(10000);
		transport_mirror_info(t, 0, &m);
	}
	assert_int_equal(m.faults, 1);
	assert_in_range(m.retry_in, 50 * NS_PER_SECOND, 60 * NS_PER_SECOND);
	/* Longer than the first pauses otherwise are. */
	usleep(800000);
	assert_int_equal(atomic_load(&s.asked), 1);
	transport_stop(t);
	assert_int_equal(finish(t, &f), -ECANCELED);
	transport_free(t);
	stop_server(&s);
}

/* With one server alone: another connection. */
static void test_race(void **state)
{
	struct transport *t;
	struct server s;
	struct fetch f;

	(void)state;
	start_server(&s, HANG, GOOD);
	t = open_transport(s.url, NULL);
	start(t, &f, 5, 5, false, 0);
	assert_int_equal(finish(t, &f), 0);
	assert_true(f.took < 5 * NS_PER_SECOND);
	assert_int_equal(stats_get(&stats, hedges), 1);
	assert_int_equal(stats_get(&stats, hedges_won), 1);
	assert_int_equal(atomic_load(&s.client_count), 2);
	close_transport(t);
	stop_server(&s);
}

static void test_race_of_mirrors(void **state)
{
	struct transport_mirror_info m;
	struct server dead, well;
	struct transport *t;
	struct fetch f;

	(void)state;
	start_server(&dead, HANG, HANG);
	start_server(&well, GOOD, GOOD);
	t = open_transport(dead.url, well.url);
	for (int i = 0; i < 20; i++) {
		start(t, &f, 5, 5, false, 0);
		assert_int_equal(finish(t, &f), 0);
	}
	/* It was found out once, or twice when it was tried again. */
	assert_in_range(stats_get(&stats, hedges), 1, 3);
	assert_in_range(atomic_load(&dead.asked), 1, 3);
	transport_mirror_info(t, 1, &m);
	assert_true(m.preferred);
	close_transport(t);
	stop_server(&dead);
	stop_server(&well);
}

static void test_until(void **state)
{
	struct transport *t;
	struct server s;
	struct fetch f;

	(void)state;
	start_server(&s, HANG, HANG);
	t = open_transport(s.url, NULL);
	start(t, &f, 5, 5, true, clock_now() + NS_PER_SECOND / 2);
	assert_int_equal(finish(t, &f), -ETIMEDOUT);
	assert_true(f.took < 2 * NS_PER_SECOND);
	close_transport(t);
	stop_server(&s);
}

/* What a URL holds of secrets is sent, and not shown. */
static void test_password(void **state)
{
	_cleanup_free_ char *url = NULL;
	struct transport *t;
	struct server s;
	struct fetch f;

	(void)state;
	start_server(&s, GOOD, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	url = io_format("http://Aladdin:open%%20sesame@%s", s.url + 7);
	t = open_transport(url, NULL);
	assert_string_equal(transport_url(t, 0), s.url);
	start(t, &f, 5, 5, true, 0);
	assert_int_equal(finish(t, &f), 0);
	assert_non_null(strstr(s.last_request, "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
	start(t, &f, 5, 5, true, 0);
	assert_int_equal(finish(t, &f), -EIO);
	assert_null(strstr(f.r.error, "sesame"));
	close_transport(t);
	stop_server(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_measured),	 cmocka_unit_test(test_retry_after), cmocka_unit_test(test_race),
		cmocka_unit_test(test_until),	cmocka_unit_test(test_race_of_mirrors), cmocka_unit_test(test_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
