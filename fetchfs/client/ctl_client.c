/* SPDX-License-Identifier: MIT */
/* See ctl_client.h. */
#include "fetchfs/client/ctl_client.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/mounts.h"
#include "fetchfs/client/unix_path.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>

#define BUSY_PAUSE (10 * NS_PER_MS)
#define PATIENCE (30 * NS_PER_SECOND)	/* a verb may have to list a large cache */

void ctl_answer_done(struct ctl_answer *a)
{
	json_decref(a->object);
	free(a->text);
	*a = (struct ctl_answer){ .object = NULL };
}

static int __attribute__((format(printf, 3, 4))) refuse(char error[CTL_ERROR_SIZE], int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, CTL_ERROR_SIZE, format, args);
	va_end(args);
	return code;
}

void ctl_place_done(struct ctl_place *p)
{
	free(p->mountpoint);
	free(p->socket);
	free(p->pid);
	*p = (struct ctl_place){ .mountpoint = NULL };
}

int ctl_find(const char *place, struct ctl_place *ret, char error[CTL_ERROR_SIZE])
{
	errint_t r;

	*ret = (struct ctl_place){ .mountpoint = NULL };
	r = mounts_find(place, &ret->mountpoint);
	if (r == -ENODATA)
		return refuse(error, EXIT_NO_INPUT, "%.300s is not on a fetchfs mount", place);
	if (r < 0)
		return refuse(error, r == -EACCES ? EXIT_NO_PERMISSION : EXIT_NO_INPUT, "cannot look at %.300s: %s%s", place, strerror(-r),
			      r == -ENOTCONN ? "; the mount's program has died: fetchfs umount it" : "");
	(void)mounts_attribute(ret->mountpoint, "pid", &ret->pid);
	r = mounts_attribute(ret->mountpoint, "socket", &ret->socket);
	if (r == 0 && *ret->socket)
		return 0;
	ctl_place_done(ret);
	return refuse(error, EXIT_UNAVAILABLE, "the mount at %.300s has no control socket (option control=off, or an older fetchfs)", place);
}

/* The daemon may have another root directory or mount namespace than we have. */
static errint_t try_to_connect(const struct ctl_place *p, int *ret)
{
	_cleanup_free_ char *inside = NULL;
	errint_t r = unix_path_connect(p->socket, SOCK_STREAM, ret);

	if ((r != -ENOENT && r != -ECONNREFUSED && r != -ENOTDIR) || !p->pid)
		return r;
	inside = io_format("/proc/%s/root%s", p->pid, p->socket);
	return inside && unix_path_connect(inside, SOCK_STREAM, ret) == 0 ? 0 : r;
}

/* While many others wait to be let in the socket refuses at once, and nothing tells when it does no longer. */
static errint_t connect_to(const struct ctl_place *p, int64_t deadline, int *ret)
{
	const struct timespec pause = { .tv_nsec = BUSY_PAUSE };
	errint_t r;

	while ((r = try_to_connect(p, ret)) == -EAGAIN && clock_now() < deadline)
		nanosleep(&pause, NULL);
	return r;
}

/* Until the descriptor is ready, at most until the deadline. */
static errint_t wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - clock_now();
		int n = left <= 0 ? 0 : poll(&p, 1, (int)(left / NS_PER_MS) + 1);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static errint_t send_all(int fd, const char *data, size_t size, int64_t deadline)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			errint_t r = wait_for(fd, POLLOUT, deadline);
			if (r < 0)
				return r;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* One read; 0 at the end. */
static ssize_t receive(int fd, char *data, size_t room, int64_t deadline)
{
	for (;;) {
		ssize_t n = recv(fd, data, room, 0);
		errint_t r;
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n < 0 ? -errno : n;
		r = wait_for(fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
}

/* Byte by byte is good enough for one short line. */
static errint_t receive_head(int fd, int64_t deadline, enum ctl_kind *ret_kind, size_t *ret_size)
{
	char line[CTL_HEAD_MAX];

	for (size_t used = 0; used < sizeof(line); used++) {
		ssize_t n = receive(fd, line + used, 1, deadline);
		if (n <= 0)
			return n < 0 ? (errint_t)n : -ECONNRESET;
		if (line[used] == '\n')
			return ctl_head_parse(line, used, ret_kind, ret_size);
	}
	return -EINVAL;
}

static errint_t receive_body(int fd, int64_t deadline, size_t size, char **ret)
{
	_cleanup_free_ char *body = malloc(size + 1);

	if (!body)
		return -ENOMEM;
	for (size_t used = 0; used < size;) {
		ssize_t n = receive(fd, body + used, size - used, deadline);
		if (n <= 0)
			return n < 0 ? (errint_t)n : -ECONNRESET;
		used += (size_t)n;
	}
	body[size] = '\0';
	*ret = steal_ptr(body);
	return 0;
}

static errint_t exchange(int fd, const char *request, int64_t deadline, enum ctl_kind *ret_kind, char **ret_body, size_t *ret_size)
{
	errint_t r = send_all(fd, request, strlen(request), deadline);

	if (r == 0)
		r = receive_head(fd, deadline, ret_kind, ret_size);
	return r < 0 ? r : receive_body(fd, deadline, *ret_size, ret_body);
}

static int understand(enum ctl_kind kind, char *body, size_t size, struct ctl_answer *ret, char error[CTL_ERROR_SIZE])
{
	const char *text;
	json_int_t code;

	if (kind == CTL_TEXT) {
		ret->text = strdup(body);
		return ret->text ? 0 : refuse(error, EXIT_SOFTWARE, "out of memory");
	}
	ret->object = json_loadb(body, size, 0, NULL);
	if (!json_is_object(ret->object))
		return refuse(error, EXIT_DATA, "the mount's reply is malformed");
	if (kind == CTL_JSON)
		return 0;
	text = json_string_value(json_object_get(ret->object, "error"));
	code = json_integer_value(json_object_get(ret->object, "code"));
	return refuse(error, code > 0 && code < 256 ? (int)code : EXIT_SOFTWARE, "%.400s", text ? text : "the mount refuses, and does not say why");
}

int ctl_ask_at(const struct ctl_place *p, int64_t patience, const char *verb, size_t count, char *const *arguments, struct ctl_answer *ret,
	       char error[CTL_ERROR_SIZE])
{
	_cleanup_free_ char *request = NULL, *body = NULL;
	_cleanup_close_ int fd = -1;
	enum ctl_kind kind;
	size_t size;
	int code;
	int64_t deadline = clock_now() + patience;
	errint_t r = ctl_request_format(verb, count, arguments, &request);

	*ret = (struct ctl_answer){ .object = NULL };
	if (r == -ENOMEM)
		return refuse(error, EXIT_SOFTWARE, "out of memory");
	if (r < 0)
		return refuse(error, EXIT_USAGE, r == -EINVAL ? "'%.200s' is no verb, or an argument is empty" : "%.200s: the arguments are too many or too long", verb);
	r = connect_to(p, deadline, &fd);
	if (r < 0)
		return refuse(error, r == -EACCES || r == -EPERM ? EXIT_NO_PERMISSION : EXIT_UNAVAILABLE,
			      "cannot reach the mount at %.200s by its socket %.200s: %s%s", p->mountpoint, p->socket, strerror(-r),
			      r == -EACCES || r == -EPERM ? "; root and who mounted may" : "");
	r = exchange(fd, request, deadline, &kind, &body, &size);
	if (r < 0)
		return refuse(error, r == -EINVAL || r == -EPROTONOSUPPORT ? EXIT_DATA : EXIT_UNAVAILABLE, "the mount at %.300s does not answer: %s",
			      p->mountpoint, r == -EPROTONOSUPPORT ? "it speaks another version of the protocol"
					     : r == -EINVAL ? "its reply is malformed" : strerror(-r));
	code = understand(kind, body, size, ret, error);
	if (code)
		ctl_answer_done(ret);
	return code;
}

int ctl_ask(const char *place, const char *verb, size_t count, char *const *arguments, struct ctl_answer *ret, char error[CTL_ERROR_SIZE])
{
	struct ctl_place p;
	int code = ctl_find(place, &p, error);

	*ret = (struct ctl_answer){ .object = NULL };
	if (code)
		return code;
	code = ctl_ask_at(&p, PATIENCE, verb, count, arguments, ret, error);
	ctl_place_done(&p);
	return code;
}
