/* SPDX-License-Identifier: MIT */
/*
 * Clients that a server would rather not have, on a Unix socket or a port of 127.0.0.1 (for the tests of the control socket).
 *
 *   hostile WHERE silent N     connects N times, says "ready" when no more connections are taken, and holds them until its input ends
 *   hostile WHERE flood N      connects N times, sends half a line each time, and leaves; ends when all are done
 *   hostile WHERE send         sends its input, half-closes, prints what comes back
 *   hostile WHERE deaf         sends its input again and again (one connection each) and never reads a reply, 64 times; holds them until killed
 */
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/unix_path.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define INPUT_MAX (64 * KIB)
#define DEAF 64

/* -1 where the server does not take it (now). */
static int connect_to(const char *where)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint64_t port;
	int fd = -1;

	if (*where == '/')
		return unix_path_connect(where, SOCK_STREAM, &fd) == 0 ? fd : -1;
	if (parse_number(where, 1, UINT16_MAX, &port) < 0)
		return -1;
	address.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A full backlog of a Unix socket refuses for a moment. */
static int connect_patiently(const char *where)
{
	for (int i = 0; i < 200; i++) {
		int fd = connect_to(where);
		if (fd >= 0)
			return fd;
		poll(NULL, 0, 10);
	}
	return -1;
}

static int silent(const char *where, unsigned n)
{
	char byte;
	unsigned made = 0;

	while (made < n && connect_to(where) >= 0)
		made++;
	printf("ready %u\n", made);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

static int flood(const char *where, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = connect_patiently(where);
		if (fd < 0)
			return EXIT_UNAVAILABLE;
		if (i % 3 && send(fd, "fetchfs-ctl 1 st", 16, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
			return EXIT_SOFTWARE;
		close(fd);
	}
	return 0;
}

static size_t read_input(char *ret)
{
	ssize_t n = io_read_full(STDIN_FILENO, ret, INPUT_MAX);

	return n < 0 ? 0 : (size_t)n;
}

static int send_and_print(const char *where)
{
	static char data[INPUT_MAX];
	size_t size = read_input(data);
	int fd = connect_patiently(where);
	ssize_t n;

	if (fd < 0)
		return EXIT_UNAVAILABLE;
	fcntl(fd, F_SETFL, 0);
	for (size_t sent = 0; sent < size; sent += (size_t)n) {
		n = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
		if (n < 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, data, sizeof(data))) > 0)
		if (io_write_full(STDOUT_FILENO, data, (size_t)n) < 0)
			return EXIT_CANNOT_CREATE;
	return 0;
}

static int deaf(const char *where)
{
	static char data[INPUT_MAX];
	size_t size = read_input(data);

	for (int i = 0; i < DEAF; i++) {
		int fd = connect_patiently(where), small = 1;
		if (fd < 0)
			return EXIT_UNAVAILABLE;
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		(void)send(fd, data, size, MSG_NOSIGNAL);
	}
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit many = { .rlim_cur = 8192, .rlim_max = 8192 };
	unsigned n = argc > 3 ? (unsigned)atoi(argv[3]) : 0;

	message_init("hostile");
	(void)setrlimit(RLIMIT_NOFILE, &many);
	if (argc > 2 && strcmp(argv[2], "silent") == 0)
		return silent(argv[1], n);
	if (argc > 2 && strcmp(argv[2], "flood") == 0)
		return flood(argv[1], n);
	if (argc > 2 && strcmp(argv[2], "send") == 0)
		return send_and_print(argv[1]);
	if (argc > 2 && strcmp(argv[2], "deaf") == 0)
		return deaf(argv[1]);
	message_error("usage: hostile PATH|PORT silent N|flood N|send|deaf");
	return EXIT_USAGE;
}
