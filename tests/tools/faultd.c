/* SPDX-License-Identifier: MIT */
/*
 * A web server that does wrong what it is told to do wrong, for tests: serves a directory over HTTP/1.1 with connections kept open, one thread each.
 *
 * usage: faultd [-a ADDRESS] [-p PORT] [-P PORTFILE] [-l LOGFILE] [-s SEED] [-x DIRECTORY] [-R URL] [-r RULES] DIRECTORY
 *
 *   -a ADDRESS   127.0.0.1 (default) or ::1
 *   -p PORT      0 (default): any free one
 *   -P PORTFILE  the port is written there once the server listens
 *   -l LOGFILE   one line a request: "FAULT PATH", and " secret" behind it where it came with an Authorization header or one that begins with X-Secret
 *   -s SEED      of the dice. What a request gets depends on the seed, its path, and how often that was asked for; not on threads.
 *   -x DIRECTORY what the fault "other" serves instead (an old, expired or foreign manifest)
 *   -R URL       where the fault "redirect-away" sends to: another of these servers
 *   -r RULES     FAULT:PERCENT:PATTERN, several with commas between; the pattern (fnmatch, * also crosses slashes) is held against the path. FAULT is one
 *                of the table below, or "fast": any of those that cost no time
 *
 * Control: GET /.faultd/rules/RULES replaces the rules (nothing behind the slash: none); GET /.faultd/counts lists "FAULT COUNT". A first component
 * /mNUMBER of a path is dropped, so that one server can be many mirrors. Below /.plain/ nothing is done wrong. Ends at SIGTERM.
 */
#include "common/io.h"
#include "common/message.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <zlib.h>

#define MAX_HEAD 16384
#define MAX_BODY ((size_t)128 << 20)
#define MAX_RULES 64
#define PATHS 65536		/* slots that count how often a path was asked for */
#define LONGEST_HANG_MS 300000
#define SLOW_US 150000

struct connection {
	int fd;
	char head[MAX_HEAD + 1];
	size_t used;		/* of head; what is behind the end of one request belongs to the next */
};

/* One request and what there is to answer it with. */
struct exchange {
	struct connection *c;
	const char *path;	/* without the mirror's component */
	const char *asked;	/* with it */
	char *body;
	size_t size;
	uint64_t dice;
	bool found;
};

struct rule {
	const struct fault *fault;	/* NULL: any fast one */
	unsigned percent;
	char *pattern;
};

struct fault {
	const char *name;
	bool fast;		/* wrong, and known to be so at once */
	bool (*run)(struct exchange *x);	/* true: the connection stays */
};

static const char *root, *other_root, *away = "";
static FILE *log_file;
static uint64_t seed = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* for all below */
static struct rule rules[MAX_RULES];
static size_t rule_count;
static uint32_t asked_count[PATHS];
static char *last_body;		/* of another request, for swapping */
static size_t last_size;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t hash_of(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h;
}

static bool send_all(const struct exchange *x, const void *data, size_t size)
{
	return io_write_full(x->c->fd, data, size) == 0;
}

static bool send_text(const struct exchange *x, const char *text)
{
	return send_all(x, text, strlen(text));
}

/* extra: further header lines, each with its end. */
static bool send_head(const struct exchange *x, const char *status, const char *extra, size_t length)
{
	_cleanup_free_ char *head = io_format("HTTP/1.1 %s\r\nServer: faultd\r\n%sContent-Length: %zu\r\n\r\n", status, extra, length);

	return head && send_text(x, head);
}

static bool send_whole(const struct exchange *x, const char *status, const char *extra, const void *body, size_t size)
{
	return send_head(x, status, extra, size) && send_all(x, body, size);
}

static bool send_status(const struct exchange *x, const char *status, const char *extra)
{
	return send_whole(x, status, extra, "no\n", 3);
}

static bool good(struct exchange *x)
{
	return x->found ? send_whole(x, "200 OK", "", x->body, x->size) : send_status(x, "404 Not Found", "");
}

/* Until the client goes. */
static bool hold(struct exchange *x)
{
	char dust[512];
	struct pollfd p = { .fd = x->c->fd, .events = POLLIN };

	while (poll(&p, 1, LONGEST_HANG_MS) > 0 && recv(x->c->fd, dust, sizeof(dust), 0) > 0)
		;
	return false;
}

static bool reset_connection(struct exchange *x)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(x->c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	return false;
}

static bool fault_truncate(struct exchange *x)
{
	send_head(x, "200 OK", "", x->size);
	send_all(x, x->body, x->size / 2);
	return false;
}

static bool fault_short(struct exchange *x)
{
	return send_whole(x, "200 OK", "", x->body, x->size / 2);
}

static bool fault_long(struct exchange *x)
{
	char more[100] = "";

	return send_head(x, "200 OK", "", x->size + sizeof(more)) && send_all(x, x->body, x->size) && send_all(x, more, sizeof(more));
}

static bool fault_flip(struct exchange *x)
{
	if (x->size > 0)
		x->body[x->dice % x->size] ^= (char)(1 << (x->dice >> 40) % 8);
	return good(x);
}

static bool fault_zero(struct exchange *x)
{
	memset(x->body, 0, x->size);
	return good(x);
}

/* Another object's bytes, made to fit: only the digest tells. */
static bool fault_swap(struct exchange *x)
{
	pthread_mutex_lock(&lock);
	for (size_t at = 0; last_size > 0 && at < x->size; at += last_size)
		memcpy(x->body + at, last_body, MIN(last_size, x->size - at));
	if (x->size > 0 && last_size == 0)
		x->body[0] ^= 1;
	pthread_mutex_unlock(&lock);
	if (x->size > 0)
		x->body[x->size / 2] ^= 1;	/* also where the last one was this one */
	return good(x);
}

static bool fault_403(struct exchange *x) { return send_status(x, "403 Forbidden", ""); }
static bool fault_404(struct exchange *x) { return send_status(x, "404 Not Found", ""); }
static bool fault_500(struct exchange *x) { return send_status(x, "500 Internal Server Error", ""); }
static bool fault_503(struct exchange *x) { return send_status(x, "503 Service Unavailable", ""); }
static bool fault_retry(struct exchange *x) { return send_status(x, "503 Service Unavailable", "Retry-After: 2\r\n"); }
static bool fault_retry_long(struct exchange *x) { return send_status(x, "429 Too Many Requests", "Retry-After: 999999999\r\n"); }
static bool fault_retry_date(struct exchange *x) { return send_status(x, "503 Service Unavailable", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"); }
static bool fault_204(struct exchange *x) { return send_text(x, "HTTP/1.1 204 No Content\r\n\r\n"); }

static bool fault_206(struct exchange *x)
{
	return send_whole(x, "206 Partial Content", "Content-Range: bytes 0-99/100\r\n", x->body, x->size);
}

static bool fault_reset(struct exchange *x) { return reset_connection(x); }

static bool fault_reset_middle(struct exchange *x)
{
	send_head(x, "200 OK", "", x->size);
	send_all(x, x->body, x->size / 2);
	return reset_connection(x);
}

static bool fault_hang(struct exchange *x) { return hold(x); }

static bool fault_hang_middle(struct exchange *x)
{
	send_head(x, "200 OK", "", x->size);
	send_all(x, x->body, x->size / 2);
	return hold(x);
}

/* 100 bytes a second: more than what counts as standing still. */
static bool fault_drip(struct exchange *x)
{
	bool on = send_head(x, "200 OK", "", x->size);

	for (size_t at = 0; on && at < x->size; at++) {
		on = send_all(x, x->body + at, 1);
		usleep(10000);
	}
	return on;
}

static bool fault_loop(struct exchange *x)
{
	_cleanup_free_ char *location = io_format("Location: %s\r\n", x->asked);

	return location && send_whole(x, "302 Found", location, "elsewhere\n", 10);
}

/* To another server (-R). */
static bool fault_redirect_away(struct exchange *x)
{
	_cleanup_free_ char *location = io_format("Location: %s/.plain%s\r\n", away, x->path);

	return location && send_whole(x, "302 Found", location, "elsewhere\n", 10);
}

static bool fault_slow(struct exchange *x)
{
	usleep(SLOW_US);
	return good(x);
}

/* Nothing wrong with it. */
static bool fault_redirect(struct exchange *x)
{
	_cleanup_free_ char *location = io_format("Location: /.plain%s\r\n", x->path);

	return location && send_whole(x, "307 Temporary Redirect", location, "elsewhere\n", 10);
}

static bool fault_portal(struct exchange *x)
{
	static const char page[] = "\r\n<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please log in.</body></html>\n";

	return send_whole(x, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", page, sizeof(page) - 1);
}

/* A page of exactly the right size. */
static bool fault_portal_sized(struct exchange *x)
{
	static const char page[] = "<html><body>Please log in.</body></html>\n";

	memset(x->body, ' ', x->size);
	memcpy(x->body, page, MIN(sizeof(page) - 1, x->size));
	return send_whole(x, "200 OK", "Content-Type: text/html\r\n", x->body, x->size);
}

static bool fault_portal_redirect(struct exchange *x)
{
	return send_whole(x, "302 Found", "Location: /.portal/login?session=1234\r\n", "", 0);
}

static bool fault_endless(struct exchange *x)
{
	static const char chunk[] = "1000\r\n";
	char data[0x1000];
	bool on = send_text(x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");

	memset(data, 'x', sizeof(data));
	while (on)
		on = send_text(x, chunk) && send_all(x, data, sizeof(data)) && send_text(x, "\r\n");
	return false;
}

static bool fault_endless_head(struct exchange *x)
{
	bool on = send_text(x, "HTTP/1.1 200 OK\r\n");

	while (on)
		on = send_text(x, "X-More: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
	return false;
}

/* Says half, sends all, and keeps the connection: the rest comes where the next answer is expected. */
static bool fault_small_length(struct exchange *x)
{
	return send_head(x, "200 OK", "", x->size / 2) && send_all(x, x->body, x->size);
}

static bool fault_big_length(struct exchange *x)
{
	send_head(x, "200 OK", "", 2 * x->size + 1);
	send_all(x, x->body, x->size);
	return hold(x);
}

static bool fault_gzip(struct exchange *x)
{
	uLongf size = compressBound(x->size) + 32;
	_cleanup_free_ Bytef *packed = malloc(size);
	z_stream z = { .next_in = (Bytef *)x->body, .avail_in = (uInt)x->size, .next_out = packed, .avail_out = (uInt)size };

	if (!packed || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return send_whole(x, "200 OK", "Content-Encoding: gzip\r\n", packed, z.total_out);
}

static bool fault_gzip_lie(struct exchange *x)
{
	return send_whole(x, "200 OK", "Content-Encoding: gzip\r\n", x->body, x->size);
}

static bool send_chunk(struct exchange *x, size_t at, size_t size, const char *extension)
{
	char line[64];

	snprintf(line, sizeof(line), "%zX%s\r\n", size, extension);
	return send_text(x, line) && send_all(x, x->body + at, size) && send_text(x, "\r\n");
}

/* Odd, and right. */
static bool fault_chunked(struct exchange *x)
{
	bool on = send_text(x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n");
	size_t step = 1;

	for (size_t at = 0, n; on && at < x->size; at += n, step = 3 * step + 1) {
		n = MIN(step, x->size - at);
		on = send_chunk(x, at, n, step == 4 ? ";name=\"value\"" : "");
	}
	return on && send_text(x, "000\r\nX-End: yes\r\n\r\n");
}

static bool fault_chunk_bad(struct exchange *x)
{
	send_text(x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	send_chunk(x, 0, x->size / 2, "");
	send_text(x, "zz\r\nxx\r\n0\r\n\r\n");
	return false;
}

static bool fault_chunk_cut(struct exchange *x)
{
	send_text(x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	send_chunk(x, 0, x->size / 2, "");
	return false;
}

/* The connection seems to stay, and goes. */
static bool fault_close(struct exchange *x)
{
	good(x);
	return false;
}

static bool fault_close_early(struct exchange *x)
{
	(void)x;
	return false;
}

static bool fault_garbage(struct exchange *x)
{
	char dust[200];

	for (size_t i = 0; i < sizeof(dust); i++)
		dust[i] = (char)mix(x->dice + i);
	send_all(x, dust, sizeof(dust));
	return false;
}

static bool fault_interim(struct exchange *x)
{
	return send_text(x, "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n") && good(x);
}

static char *read_below(const char *folder, const char *path, size_t *ret_size)
{
	_cleanup_free_ char *whole = strstr(path, "..") || !folder ? NULL : io_format("%s%s", folder, path);
	char *data = NULL;

	if (!whole || io_read_file(whole, MAX_BODY, &data, ret_size) < 0)
		return NULL;
	return data;
}

static bool fault_other(struct exchange *x)
{
	free(x->body);
	x->size = 0;
	x->body = read_below(other_root, x->path, &x->size);
	x->found = x->body;
	return good(x);
}

static const struct fault faults[] = {
	{ "good", false, good },
	/* Right, though unusual. */
	{ "redirect", false, fault_redirect },
	{ "redirect-away", false, fault_redirect_away },
	{ "slow", false, fault_slow },
	{ "chunked", false, fault_chunked },
	{ "close", false, fault_close },
	{ "interim", false, fault_interim },
	/* Wrong for as long as it takes. */
	{ "retry", false, fault_retry },
	{ "retry-long", false, fault_retry_long },
	{ "hang", false, fault_hang },
	{ "hang-middle", false, fault_hang_middle },
	{ "drip", false, fault_drip },
	{ "other", false, fault_other },
	/* Wrong at once. */
	{ "truncate", true, fault_truncate },
	{ "short", true, fault_short },
	{ "long", true, fault_long },
	{ "flip", true, fault_flip },
	{ "zero", true, fault_zero },
	{ "swap", true, fault_swap },
	{ "403", true, fault_403 },
	{ "404", true, fault_404 },
	{ "500", true, fault_500 },
	{ "503", true, fault_503 },
	{ "retry-date", true, fault_retry_date },
	{ "204", true, fault_204 },
	{ "206", true, fault_206 },
	{ "reset", true, fault_reset },
	{ "reset-middle", true, fault_reset_middle },
	{ "loop", true, fault_loop },
	{ "portal", true, fault_portal },
	{ "portal-sized", true, fault_portal_sized },
	{ "portal-redirect", true, fault_portal_redirect },
	{ "endless", true, fault_endless },
	{ "endless-head", true, fault_endless_head },
	{ "small-length", true, fault_small_length },
	{ "big-length", true, fault_big_length },
	{ "gzip", true, fault_gzip },
	{ "gzip-lie", true, fault_gzip_lie },
	{ "chunk-bad", true, fault_chunk_bad },
	{ "chunk-cut", true, fault_chunk_cut },
	{ "close-early", true, fault_close_early },
	{ "garbage", true, fault_garbage },
};

static atomic_ulong counts[ARRAY_SIZE(faults)];

static const struct fault *fault_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (strcmp(faults[i].name, name) == 0)
			return &faults[i];
	return NULL;
}

static const struct fault *any_fast(uint64_t dice)
{
	size_t count = 0, first = 0;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (faults[i].fast && count++ == 0)
			first = i;
	return &faults[first + dice % count];
}

/* False: not a list of rules. lock held. */
static bool set_rules(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *next = copy, *one;

	while (rule_count > 0)
		free(rules[--rule_count].pattern);
	while ((one = strsep(&next, ",")) && *one) {
		struct rule *r = &rules[rule_count];
		char *percent = strchr(one, ':'), *pattern = percent ? strchr(percent + 1, ':') : NULL;
		uint64_t number;
		if (!pattern || rule_count == MAX_RULES)
			return false;
		*percent++ = *pattern++ = '\0';
		r->fault = fault_named(one);
		if ((!r->fault && strcmp(one, "fast") != 0) || parse_number(percent, 0, 100, &number) < 0)
			return false;
		r->percent = (unsigned)number;
		r->pattern = strdup(pattern);
		rule_count++;
	}
	return true;
}

static const struct fault *choose(struct exchange *x)
{
	uint64_t key = hash_of(x->asked);
	const struct fault *f = &faults[0];
	unsigned roll;

	if (strncmp(x->path, "/.plain/", 8) == 0)
		return f;
	pthread_mutex_lock(&lock);
	x->dice = mix(seed * 0x9e3779b9 + key + ((uint64_t)asked_count[key % PATHS]++ << 48));
	roll = (unsigned)(x->dice % 100);
	for (size_t i = 0; i < rule_count; i++) {
		if (fnmatch(rules[i].pattern, x->path, 0) != 0)
			continue;
		if (roll < rules[i].percent) {
			f = rules[i].fault ? rules[i].fault : any_fast(mix(x->dice));
			break;
		}
		roll -= rules[i].percent;
	}
	pthread_mutex_unlock(&lock);
	return f;
}

static void remember_body(const struct exchange *x)
{
	char *copy = malloc(x->size + 1);

	if (!copy)
		return;
	memcpy(copy, x->body, x->size);
	pthread_mutex_lock(&lock);
	free(last_body);
	last_body = copy;
	last_size = x->size;
	pthread_mutex_unlock(&lock);
}

static bool control(struct exchange *x)
{
	bool ok = true;

	if (strcmp(x->path, "/.faultd/counts") == 0) {
		_cleanup_free_ char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);
		for (size_t i = 0; f && i < ARRAY_SIZE(faults); i++)
			fprintf(f, "%s %lu\n", faults[i].name, atomic_load(&counts[i]));
		if (f)
			fclose(f);
		return send_whole(x, "200 OK", "", text ? text : "", size);
	}
	pthread_mutex_lock(&lock);
	ok = strncmp(x->path, "/.faultd/rules/", 15) == 0 && set_rules(x->path + 15);
	pthread_mutex_unlock(&lock);
	return send_status(x, ok ? "200 OK" : "400 Bad Request", "");
}

static const char *skip_mirror(const char *path)
{
	const char *p = path + 2;

	if (strncmp(path, "/m", 2) != 0)
		return path;
	p += strspn(p, "0123456789");
	return p > path + 2 && *p == '/' ? p : path;
}

static void note(const struct fault *f, const struct exchange *x, const char *headers)
{
	bool secret = strcasestr(headers, "\nAuthorization:") || strcasestr(headers, "\nX-Secret");

	atomic_fetch_add(&counts[f - faults], 1);
	if (!log_file)
		return;
	pthread_mutex_lock(&lock);
	fprintf(log_file, "%s %s%s\n", f->name, x->asked, secret ? " secret" : "");
	fflush(log_file);
	pthread_mutex_unlock(&lock);
}

static bool answer(struct connection *c, const char *path, const char *headers)
{
	struct exchange x = { .c = c, .asked = path, .path = skip_mirror(path) };
	const struct fault *f;
	bool keep;

	if (strncmp(x.path, "/.faultd/", 9) == 0)
		return control(&x);
	if (strncmp(x.path, "/.portal/", 9) == 0)
		return fault_portal(&x);
	f = choose(&x);
	x.body = read_below(root, strncmp(x.path, "/.plain/", 8) == 0 ? x.path + 7 : x.path, &x.size);
	x.found = x.body;
	if (!x.body && !(x.body = strdup("")))
		return false;
	note(f, &x, headers);
	keep = f->run(&x);
	if (f == &faults[0] && x.found)
		remember_body(&x);
	free(x.body);
	return keep;
}

/* One request. False: the connection is done for. */
static bool serve_one(struct connection *c)
{
	char *end, *path, *version;
	size_t whole;
	bool keep;

	while (!(end = memmem(c->head, c->used, "\r\n\r\n", 4))) {
		ssize_t n = c->used < MAX_HEAD ? recv(c->fd, c->head + c->used, MAX_HEAD - c->used, 0) : 0;
		if (n <= 0)
			return false;
		c->used += (size_t)n;
	}
	end[2] = '\0';
	whole = (size_t)(end - c->head) + 4;
	path = strchr(c->head, ' ');
	version = path ? strchr(path + 1, ' ') : NULL;
	if (strncmp(c->head, "GET ", 4) != 0 || !version)
		return false;
	*version = '\0';
	keep = answer(c, path + 1, version + 1);
	memmove(c->head, c->head + whole, c->used - whole);
	c->used -= whole;
	return keep;
}

static void *serve(void *context)
{
	struct connection *c = context;

	while (serve_one(c))
		;
	close(c->fd);
	free(c);
	return NULL;
}

static void start_connection(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	pthread_attr_t attributes;
	pthread_t thread;
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	if (c) {
		c->fd = fd;
		if (pthread_create(&thread, &attributes, serve, c) == 0)
			c = NULL;
		else
			close(fd);
	} else {
		close(fd);
	}
	free(c);
	pthread_attr_destroy(&attributes);
}

static int listen_on(const char *address, unsigned port, const char *port_file)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	bool six = strchr(address, ':');
	struct sockaddr *a = six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
	socklen_t length = six ? sizeof(a6) : sizeof(a4);
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char text[16];

	if (fd < 0 || inet_pton(a->sa_family, address, six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, a, length) < 0 || listen(fd, 128) < 0 || getsockname(fd, a, &length) < 0)
		return -1;
	snprintf(text, sizeof(text), "%u\n", (unsigned)ntohs(six ? a6.sin6_port : a4.sin_port));
	if (port_file && io_write_file(port_file, 0644, text, strlen(text)) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	const char *port_file = NULL, *address = "127.0.0.1", *first_rules = "";
	uint64_t port = 0;
	int option, fd;

	message_init("faultd");
	while ((option = getopt(argc, argv, "a:p:P:l:s:x:R:r:")) != -1) {
		if ((option == 'p' && parse_number(optarg, 0, 65535, &port) < 0) || (option == 's' && parse_number(optarg, 0, UINT32_MAX, &seed) < 0) ||
		    option == '?')
			return EXIT_USAGE;
		if (option == 'a')
			address = optarg;
		if (option == 'P')
			port_file = optarg;
		if (option == 'l')
			log_file = fopen(optarg, "ae");
		if (option == 'x')
			other_root = optarg;
		if (option == 'R')
			away = optarg;
		if (option == 'r')
			first_rules = optarg;
	}
	if (optind + 1 != argc || !set_rules(first_rules)) {
		message_error("one directory is needed, and rules as FAULT:PERCENT:PATTERN");
		return EXIT_USAGE;
	}
	root = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	fd = listen_on(address, (unsigned)port, port_file);
	if (fd < 0) {
		message_error("cannot listen on %s port %u: %s", address, (unsigned)port, strerror(errno));
		return EXIT_UNAVAILABLE;
	}
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			start_connection(client);
	}
}
