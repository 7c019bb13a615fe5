/* SPDX-License-Identifier: MIT */
/* The thread of the control socket and of the metrics, and its connections; see ctl.h. */
#include "fetchfs/client/ctl_private.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/thread.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define REQUEST_TIME (5 * NS_PER_SECOND)
#define REPLY_TIME (10 * NS_PER_SECOND)
#define DRAIN_TIME NS_PER_SECOND
#define YIELD_TIME (200 * NS_PER_MS)	/* after which a connection makes room for another */
#define ACCEPT_PAUSE NS_PER_SECOND
#define ALL_CONNECTIONS (CTL_CONNECTIONS + CTL_METRICS_CONNECTIONS)

static size_t room_of(enum ctl_door door)
{
	return door == CTL_DOOR ? CTL_REQUEST_MAX : CTL_HTTP_MAX;
}

static void drop(struct ctl_connection *k)
{
	if (k->fd >= 0)
		close(k->fd);
	free(k->in);
	free(k->out);
	*k = (struct ctl_connection){ .fd = -1 };
}

/* The reply is out. Closing now could take it back from who has sent more than was read: so that is read first. */
static void begin_draining(struct ctl_connection *k)
{
	shutdown(k->fd, SHUT_WR);
	k->state = CTL_DRAINING;
	k->deadline = clock_now() + DRAIN_TIME;
}

static void continue_writing(struct ctl_connection *k)
{
	while (k->out_done < k->out_size) {
		ssize_t n = send(k->fd, k->out + k->out_done, k->out_size - k->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			drop(k);
			return;
		}
		k->out_done += (size_t)n;
	}
	begin_draining(k);
}

static void continue_reading(struct ctl *c, struct ctl_connection *k)
{
	ssize_t n = recv(k->fd, k->in + k->in_used, room_of(k->door) - k->in_used, MSG_DONTWAIT);
	bool complete;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		k->in_used += (size_t)n;
	/* Who ends in the middle of a request wants no answer. */
	if (n <= 0 || ctl_serve(c, k, &complete) < 0) {
		drop(k);
		return;
	}
	if (!complete)
		return;
	k->state = CTL_WRITING;
	k->deadline = clock_now() + REPLY_TIME;
	continue_writing(k);
}

static void continue_draining(struct ctl_connection *k)
{
	char scrap[4096];
	ssize_t n = recv(k->fd, scrap, sizeof(scrap), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(k);
}

static void go_on(struct ctl *c, struct ctl_connection *k)
{
	if (k->state == CTL_READING)
		continue_reading(c, k);
	else if (k->state == CTL_WRITING)
		continue_writing(k);
	else
		continue_draining(k);
}

/* A free place at this door, and the connection that is there for longest. */
static struct ctl_connection *look_for_room(struct ctl *c, enum ctl_door door, struct ctl_connection **ret_oldest)
{
	size_t first = door == CTL_DOOR ? 0 : CTL_CONNECTIONS;
	size_t end = door == CTL_DOOR ? CTL_CONNECTIONS : ALL_CONNECTIONS;
	struct ctl_connection *oldest = &c->connections[first];

	for (size_t i = first; i < end; i++) {
		struct ctl_connection *k = &c->connections[i];
		if (k->fd < 0)
			return k;
		if (k->since < oldest->since)
			oldest = k;
	}
	*ret_oldest = oldest;
	return NULL;
}

/* Root, and who mounted. Whoever comes to the metrics may see them. */
static bool may_enter(const struct ctl *c, int fd, enum ctl_door door)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (door == METRICS_DOOR)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == 0 || who.uid == c->owner);
}

static void let_in(struct ctl *c, enum ctl_door door)
{
	struct ctl_connection *oldest = NULL, *k = look_for_room(c, door, &oldest);
	int fd = accept4(c->listeners[door], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Without descriptors the listener would wake us again and again. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			c->no_accept_before = clock_now() + ACCEPT_PAUSE;
		return;
	}
	if (!may_enter(c, fd, door)) {
		close(fd);
		return;
	}
	if (!k && oldest) {
		drop(oldest);
		k = oldest;
	}
	if (!k || !(k->in = malloc(room_of(door) + 1))) {
		close(fd);
		return;
	}
	k->fd = fd;
	k->door = door;
	k->state = CTL_READING;
	k->since = clock_now();
	k->deadline = k->since + REQUEST_TIME;
	/* Mostly the request is there already. */
	continue_reading(c, k);
}

/* When this door's listener is worth looking at: now (0), or then. */
static int64_t open_from(struct ctl *c, enum ctl_door door)
{
	struct ctl_connection *oldest = NULL;

	if (look_for_room(c, door, &oldest) || !oldest)
		return c->no_accept_before;
	return MAX(c->no_accept_before, oldest->since + YIELD_TIME);
}

static void drop_late(struct ctl *c, int64_t now)
{
	for (size_t i = 0; i < ALL_CONNECTIONS; i++)
		if (c->connections[i].fd >= 0 && c->connections[i].deadline <= now)
			drop(&c->connections[i]);
}

/* What poll is to wait for; the time when something is due even if nothing comes. */
static int64_t prepare(struct ctl *c, struct pollfd polls[1 + DOORS + ALL_CONNECTIONS], int64_t now)
{
	int64_t next = INT64_MAX;

	polls[0] = (struct pollfd){ .fd = c->wake_fd, .events = POLLIN };
	for (size_t d = 0; d < DOORS; d++) {
		int64_t then = c->listeners[d] < 0 ? 0 : open_from(c, (enum ctl_door)d);
		polls[1 + d] = (struct pollfd){ .fd = then <= now ? c->listeners[d] : -1, .events = POLLIN };
		if (then > now)
			next = MIN(next, then);
	}
	for (size_t i = 0; i < ALL_CONNECTIONS; i++) {
		const struct ctl_connection *k = &c->connections[i];
		polls[1 + DOORS + i] = (struct pollfd){ .fd = k->fd, .events = k->state == CTL_WRITING ? POLLOUT : POLLIN };
		if (k->fd >= 0)
			next = MIN(next, k->deadline);
	}
	return next;
}

static void *run(void *context)
{
	struct ctl *c = context;
	struct pollfd polls[1 + DOORS + ALL_CONNECTIONS];

	(void)prctl(PR_SET_NAME, "control", 0, 0, 0);
	for (;;) {
		int64_t now = clock_now(), next;
		int timeout;
		drop_late(c, now);
		next = prepare(c, polls, now);
		/* While nobody is connected nothing wakes this thread. */
		timeout = next == INT64_MAX ? -1 : (int)MIN((next - now) / NS_PER_MS + 1, INT_MAX);
		if (poll(polls, ARRAY_SIZE(polls), timeout) < 0 && errno != EINTR)
			return NULL;
		if (polls[0].revents)
			return NULL;
		for (size_t i = 0; i < ALL_CONNECTIONS; i++)
			if (polls[1 + DOORS + i].fd >= 0 && polls[1 + DOORS + i].revents)
				go_on(c, &c->connections[i]);
		for (size_t d = 0; d < DOORS; d++)
			if (polls[1 + d].fd >= 0 && polls[1 + d].revents)
				let_in(c, (enum ctl_door)d);
	}
}

errint_t ctl_new(struct ctl **ret)
{
	struct ctl *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < ALL_CONNECTIONS; i++)
		c->connections[i].fd = -1;
	for (size_t d = 0; d < DOORS; d++)
		c->listeners[d] = -1;
	c->owner = geteuid();
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0) {
		errint_t r = -errno;
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

errint_t ctl_add(struct ctl *c, const struct ctl_verb *verbs, void *context)
{
	if (c->table_count == CTL_TABLES_MAX)
		return -E2BIG;
	c->tables[c->table_count++] = (struct ctl_table){ .verbs = verbs, .context = context };
	return 0;
}

void ctl_set_metrics(struct ctl *c, char *(*text)(void *context), void *context)
{
	c->metrics = text;
	c->metrics_context = context;
}

void ctl_set_owner(struct ctl *c, uid_t owner)
{
	c->owner = owner;
}

errint_t ctl_set_listeners(struct ctl *c, int control, const char *path, int metrics)
{
	c->listeners[CTL_DOOR] = control;
	c->listeners[METRICS_DOOR] = metrics;
	if (control < 0)
		return 0;
	c->path = strdup(path);
	return c->path ? 0 : -ENOMEM;
}

const char *ctl_path(const struct ctl *c)
{
	return c->path;
}

errint_t ctl_start(struct ctl *c)
{
	errint_t r = thread_start(&c->thread, run, c);

	c->started = r == 0;
	return r;
}

void ctl_stop(struct ctl *c)
{
	uint64_t one = 1;

	if (c->started && write(c->wake_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(c->thread, NULL);
	c->started = false;
	for (size_t d = 0; d < DOORS; d++) {
		if (c->listeners[d] >= 0)
			close(c->listeners[d]);
		c->listeners[d] = -1;
	}
}

void ctl_free(struct ctl *c)
{
	if (!c)
		return;
	ctl_stop(c);
	for (size_t i = 0; i < ALL_CONNECTIONS; i++)
		drop(&c->connections[i]);
	close(c->wake_fd);
	free(c->path);
	free(c);
}
