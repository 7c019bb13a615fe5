/* SPDX-License-Identifier: MIT */
/*
 * A small metadata server for tests: serves a directory on 127.0.0.1, with EC2's tokens (version 2) for everything but /openstack.
 *
 * usage: imds [-p PORT] [-P PORTFILE] [-l LOGFILE] [-1] [-f COUNT] DIRECTORY
 *
 *   -p PORT      0 (default): any free one
 *   -P PORTFILE  the port is written there once the server listens
 *   -l LOGFILE   one line a request: "METHOD PATH STATUS"
 *   -1           version 1 only: the token's path is 404, no token is asked for
 *   -f COUNT     the first COUNT requests are answered with 503, as of a service that is not ready
 *
 * PUT /latest/api/token gives a token (the header for its time to live is required). GET of a directory lists it, one name a line, directories with a slash, unless
 * it holds a file named .index, which is sent instead. Ends at SIGTERM.
 */
#include "common/io.h"
#include "common/message.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define TOKEN "c3BvcmUtdGVzdC10b2tlbg=="
#define MAX_REQUEST 8192
#define MAX_BODY ((size_t)16 << 20)

struct imds {
	const char *dir;
	FILE *log;
	bool version1;
	unsigned failures;	/* still to come */
};

struct request {
	char text[MAX_REQUEST + 1];
	char *method, *path, *headers;
};

static const char *header_value(const char *headers, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = headers; p && *p;) {
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " ");
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return NULL;
}

/* Reads the head of one request. False: the client closed, or sent something else. */
static bool read_request(int fd, struct request *q)
{
	size_t used = 0;
	char *end, *version;

	for (;;) {
		ssize_t n = recv(fd, q->text + used, MAX_REQUEST - used, 0);

		if (n <= 0)
			return false;
		used += (size_t)n;
		q->text[used] = '\0';
		if (strstr(q->text, "\r\n\r\n"))
			break;
		if (used == MAX_REQUEST)
			return false;
	}
	q->method = q->text;
	q->path = strchr(q->text, ' ');
	end = strstr(q->text, "\r\n");
	if (!q->path || q->path > end)
		return false;
	*q->path++ = '\0';
	version = strchr(q->path, ' ');
	if (!version || version > end)
		return false;
	*version = '\0';
	q->headers = end + 2;
	return true;
}

static void reply(int fd, int status, const char *body, size_t size)
{
	const char *reason = status == 200 ? "OK" : status == 401 ? "Unauthorized" : status == 404 ? "Not Found" : "Error";
	_cleanup_free_ char *head = io_format("HTTP/1.1 %d %s\r\nServer: imds\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, reason, size);

	if (head && io_write_full(fd, head, strlen(head)) == 0)
		io_write_full(fd, body, size);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *list_directory(const char *path)
{
	char *names[256], *text = NULL;
	size_t count = 0, size = 0;
	DIR *d = opendir(path);
	FILE *f = d ? open_memstream(&text, &size) : NULL;
	struct dirent *e;

	while (f && (e = readdir(d)) && count < ARRAY_SIZE(names))
		if (e->d_name[0] != '.')
			names[count++] = io_format("%s%s", e->d_name, e->d_type == DT_DIR ? "/" : "");
	if (d)
		closedir(d);
	if (!f)
		return NULL;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++) {
		fprintf(f, "%s%s", i ? "\n" : "", names[i]);
		free(names[i]);
	}
	fclose(f);
	return text;
}

static int serve_path(const struct imds *s, const char *url, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *path = io_format("%s%s", s->dir, url), *index = io_format("%s%s/.index", s->dir, url);
	struct stat st;

	if (strstr(url, "..") || !path || !index || stat(path, &st) < 0)
		return 404;
	if (S_ISDIR(st.st_mode) && io_read_file(index, MAX_BODY, ret, ret_size) < 0) {
		*ret = list_directory(path);
		*ret_size = *ret ? strlen(*ret) : 0;
	} else if (!S_ISDIR(st.st_mode) && io_read_file(path, MAX_BODY, ret, ret_size) < 0) {
		return 404;
	}
	return *ret ? 200 : 404;
}

static int answer(struct imds *s, const struct request *q, char **ret, size_t *ret_size)
{
	const char *token = header_value(q->headers, "X-aws-ec2-metadata-token");
	bool openstack = strncmp(q->path, "/openstack", 10) == 0;

	if (s->failures) {
		s->failures--;
		return 503;
	}
	if (strcmp(q->method, "PUT") == 0) {
		if (s->version1 || strcmp(q->path, "/latest/api/token") != 0)
			return 404;
		if (!header_value(q->headers, "X-aws-ec2-metadata-token-ttl-seconds"))
			return 400;
		*ret = strdup(TOKEN);
		*ret_size = strlen(TOKEN);
		return 200;
	}
	if (strcmp(q->method, "GET") != 0)
		return 405;
	if (!s->version1 && !openstack && (!token || strncmp(token, TOKEN "\r", sizeof TOKEN) != 0))
		return 401;
	return serve_path(s, q->path, ret, ret_size);
}

static void serve_one(struct imds *s, int fd)
{
	struct timeval patience = { .tv_sec = 5 };
	_cleanup_free_ char *body = NULL;
	struct request q;
	size_t size = 0;
	int status;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (!read_request(fd, &q))
		return;
	status = answer(s, &q, &body, &size);
	if (s->log) {
		fprintf(s->log, "%s %s %d\n", q.method, q.path, status);
		fflush(s->log);
	}
	reply(fd, status, body ? body : "", size);
	/* Lets the client read all of it before the connection goes. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, q.text, MAX_REQUEST, 0) > 0)
		;
}

static int listen_on(unsigned port, const char *port_file)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char text[16];

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&a, &length) < 0)
		return -1;
	snprintf(text, sizeof text, "%u\n", (unsigned)ntohs(a.sin_port));
	if (port_file && io_write_file(port_file, 0644, text, strlen(text)) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	struct imds s = { .dir = NULL };
	const char *port_file = NULL;
	uint64_t port = 0, failures = 0;
	int option, fd;

	message_init("imds");
	while ((option = getopt(argc, argv, "p:P:l:1f:")) != -1) {
		if ((option == 'p' && parse_number(optarg, 0, 65535, &port) < 0) || (option == 'f' && parse_number(optarg, 0, 1000, &failures) < 0) ||
		    option == '?')
			return EXIT_USAGE;
		if (option == 'P')
			port_file = optarg;
		if (option == 'l')
			s.log = fopen(optarg, "ae");
		s.version1 |= option == '1';
	}
	if (optind + 1 != argc) {
		message_error("one directory is needed");
		return EXIT_USAGE;
	}
	s.dir = argv[optind];
	s.failures = (unsigned)failures;
	signal(SIGPIPE, SIG_IGN);
	fd = listen_on((unsigned)port, port_file);
	if (fd < 0) {
		message_error("cannot listen on 127.0.0.1 port %u: %s", (unsigned)port, strerror(errno));
		return EXIT_UNAVAILABLE;
	}
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			continue;
		serve_one(&s, client);
		close(client);
	}
}
