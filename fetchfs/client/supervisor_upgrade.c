/* SPDX-License-Identifier: MIT */
/*
 * Another program in the place of the one that runs. A worker of it prepares itself beside the old one; only when it is ready does that one stop, and it goes on where that was.
 * What goes wrong before leaves the old one as it was. Who asks brings the program as an open file, at a socket that no worker has: so only root and who
 * mounted say what is run.
 */
#include "fetchfs/client/supervisor_private.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#define PATIENCE (60 * NS_PER_SECOND)
#define ASKER_MS 1000

static void answer(int asker, int code, pid_t pid, const char *error)
{
	struct takeover_upgraded u = { .code = code, .pid = pid };

	snprintf(u.error, sizeof(u.error), "%.500s", error);
	(void)channel_send(asker, TAKEOVER_UPGRADED, &u, sizeof(u), NULL, 0);
}

void supervisor_upgrade_init(struct supervisor *s)
{
	ssize_t n = readlink("/proc/self/exe", s->program_path, sizeof(s->program_path) - 1);

	s->program_path[n > 0 ? n : 0] = '\0';
	s->upgrade = (struct supervisor_upgrade){ .asker = -1, .program = -1, .candidate = { .pid = -1, .channel = -1, .broker = -1 } };
	s->retiring = (struct supervisor_worker){ .pid = -1, .channel = -1, .broker = -1 };
}

static void finish(struct supervisor *s, int code, pid_t pid, const char *error)
{
	struct supervisor_upgrade *u = &s->upgrade;

	if (u->asker >= 0) {
		answer(u->asker, code, pid, error);
		close(steal_fd(&u->asker));
	}
	if (u->program >= 0)
		close(steal_fd(&u->program));
	u->is_going = false;
	u->deadline = 0;
}

void supervisor_upgrade_fail(struct supervisor *s, const char *why)
{
	struct supervisor_upgrade *u = &s->upgrade;

	if (u->program < 0)
		return;
	log_warning("%s: no upgrade: %s", s->settings->mountpoint, why);
	/* Its end is awaited where all are. */
	if (u->candidate.pid > 0)
		kill(u->candidate.pid, SIGKILL);
	finish(s, EXIT_UNAVAILABLE, 0, why);
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == 0 || who.uid == getuid());
}

/* The program that comes with the question, or the one that is installed now. */
static errint_t take_question(struct supervisor *s, int asker, int *ret_program)
{
	struct pollfd p = { .fd = asker, .events = POLLIN };
	struct channel_message m;
	/* fetchfs ctl has sent it when it has connected. */
	errint_t r = poll(&p, 1, ASKER_MS) == 1 ? channel_receive(asker, &m) : -ETIMEDOUT;

	if (r < 0)
		return r;
	if (m.type == TAKEOVER_UPGRADE && m.fd_count == 1)
		*ret_program = steal_fd(&m.fds[0]);
	else if (m.type == TAKEOVER_UPGRADE && m.fd_count == 0)
		*ret_program = open(s->program_path, O_RDONLY | O_CLOEXEC);
	else
		r = -EBADMSG;
	if (r == 0 && *ret_program < 0)
		r = -errno;
	channel_message_done(&m);
	return r;
}

static void begin(struct supervisor *s, int asker, int program)
{
	struct supervisor_upgrade *u = &s->upgrade;
	errint_t r;

	u->asker = asker;
	u->program = program;
	u->deadline = clock_now() + PATIENCE;
	r = supervisor_start_worker(s, program, &u->candidate);
	if (r < 0)
		supervisor_upgrade_fail(s, strerror(-r));
}

static bool can_begin(const struct supervisor *s)
{
	return s->worker.state == WORKER_SERVING && s->upgrade.candidate.pid < 0 && s->upgrade.program < 0 && !s->is_stopping;
}

void supervisor_upgrade_ask(struct supervisor *s)
{
	_cleanup_close_ int asker = accept4(s->sockets.supervisor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char error[512];
	int program = -1;
	errint_t r;

	if (asker < 0 || !may_ask(asker))
		return;
	r = take_question(s, asker, &program);
	if (r == 0 && can_begin(s)) {
		begin(s, steal_fd(&asker), program);
		return;
	}
	if (program >= 0)
		close(program);
	if (r < 0)
		snprintf(error, sizeof(error), "cannot open %.400s: %s", s->program_path, strerror(-r));
	else
		snprintf(error, sizeof(error), "another upgrade, or a restart of the worker, is under way; try again");
	answer(asker, r < 0 ? EXIT_NO_INPUT : EXIT_UNAVAILABLE, 0, error);
}

void supervisor_upgrade_on_message(struct supervisor *s)
{
	struct supervisor_worker *c = &s->upgrade.candidate;
	struct channel_message m;
	errint_t r = channel_receive(c->channel, &m);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		close(steal_fd(&c->channel));
		return;
	}
	channel_message_done(&m);
	if (m.type != TAKEOVER_PREPARED || c->state != WORKER_STARTED)
		return;
	c->state = WORKER_PREPARED;
	s->upgrade.deadline = 0;
	if (s->worker.state == WORKER_SERVING)
		supervisor_upgrade_on_serving(s);
	else if (s->worker.state == WORKER_NONE)
		(void)supervisor_upgrade_go(s);
}

void supervisor_upgrade_on_serving(struct supervisor *s)
{
	if (s->upgrade.program < 0 || s->upgrade.candidate.state != WORKER_PREPARED)
		return;
	supervisor_send_stop(&s->worker);
	s->upgrade.deadline = clock_now() + SUPERVISOR_STOP_NS;
}

/* From STOP on there is no way back: a worker that does not stop is killed, and what it leaves in the journal goes on with the new one, which is ready. */
void supervisor_upgrade_on_time(struct supervisor *s)
{
	struct supervisor_upgrade *u = &s->upgrade;

	if (u->candidate.pid < 0 || u->program < 0 || u->deadline == 0 || clock_now() < u->deadline)
		return;
	if (u->candidate.state != WORKER_PREPARED) {
		supervisor_upgrade_fail(s, "the new program was not ready in time; the old one goes on");
		return;
	}
	log_warning("%s: worker %ld does not stop, and is killed for the upgrade", s->settings->mountpoint, (long)s->worker.pid);
	u->deadline = 0;
	if (s->worker.pid > 0)
		kill(s->worker.pid, SIGKILL);
}

bool supervisor_upgrade_go(struct supervisor *s)
{
	struct supervisor_upgrade *u = &s->upgrade;

	if (u->program < 0 || u->candidate.state != WORKER_PREPARED || u->is_going)
		return false;
	if (s->worker.pid > 0) {
		supervisor_close_worker(&s->retiring);
		s->retiring = s->worker;
	}
	s->worker = u->candidate;
	s->worker.answered = UINT64_MAX;
	s->next_start = 0;
	u->candidate = (struct supervisor_worker){ .pid = -1, .channel = -1, .broker = -1 };
	u->is_going = true;
	(void)supervisor_send_go(s, &s->worker);
	return true;
}

void supervisor_upgrade_done(struct supervisor *s)
{
	close(s->program);
	s->program = steal_fd(&s->upgrade.program);
	log_note("%s: upgraded; worker %ld has taken over", s->settings->mountpoint, (long)s->worker.pid);
	finish(s, 0, s->worker.pid, "");
}
