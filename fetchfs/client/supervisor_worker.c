/* SPDX-License-Identifier: MIT */
/*
 * Starting workers. Each is a new execution of the program and not a copy of this process: its memory is laid out anew, so that who has crashed one learns nothing
 * for the next attempt, and an upgrade is no special case.
 */
#include "fetchfs/client/supervisor_private.h"
#include "fetchfs/client/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* In the new process. */
static void __attribute__((noreturn)) execute(const struct supervisor *s, int program, int channel, pid_t supervisor)
{
	static const int deaf_to[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	char argument[64];
	char *argv[] = { (char *)(uintptr_t)s->name, argument, (char *)(uintptr_t)s->settings->mountpoint, NULL };
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != supervisor)
		_exit(1);
	/* What a terminal or an init system sends to all is the supervisor's affair. */
	for (size_t i = 0; i < ARRAY_SIZE(deaf_to); i++)
		signal(deaf_to[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(argument, sizeof(argument), TAKEOVER_ARGUMENT "%d", channel);
	(void)fcntl(channel, F_SETFD, 0);
	(void)syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

/* A candidate follows no crash: what is under way then was not to blame. */
static errint_t send_start(const struct supervisor *s, const struct supervisor_worker *w, int broker)
{
	struct takeover_start t = {
		.version = TAKEOVER_VERSION, .generation = s->generation, .supervisor = getpid(), .owner = getuid(),
		.worker_uid = s->worker_uid, .worker_gid = s->worker_gid, .first = !s->is_mounted,
		.crashed = s->crashed && w != &s->upgrade.candidate, .in_memory = s->in_memory, .has_control = s->sockets.control >= 0, .has_metrics = s->sockets.metrics >= 0,
		.since = s->since, .restarts = s->restarts,
	};
	int fds[TAKEOVER_FDS + 2];
	size_t count = TAKEOVER_FDS;

	fds[TAKEOVER_SETTINGS] = s->settings_fd;
	fds[TAKEOVER_JOURNAL] = s->journal_fd;
	fds[TAKEOVER_STATE] = s->state_fd;
	fds[TAKEOVER_STATS] = s->stats_fd;
	fds[TAKEOVER_MODES] = s->modes_fd;
	fds[TAKEOVER_BROKER] = broker;
	fds[TAKEOVER_CACHE] = s->cache_tree;
	if (t.has_control)
		fds[count++] = s->sockets.control;
	if (t.has_metrics)
		fds[count++] = s->sockets.metrics;
	if (s->sockets.path)
		snprintf(t.control_path, sizeof(t.control_path), "%s", s->sockets.path);
	return channel_send(w->channel, TAKEOVER_START, &t, sizeof(t), fds, count);
}

/* The supervisor never waits for a worker. */
static errint_t make_channels(int ours[2], int theirs[2])
{
	for (unsigned i = 0; i < 2; i++) {
		int pair[2];
		errint_t r = channel_pair(pair);
		if (r < 0)
			return r;
		ours[i] = pair[0];
		theirs[i] = pair[1];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	return 0;
}

errint_t supervisor_start_worker(struct supervisor *s, int program, struct supervisor_worker *w)
{
	int ours[2] = { -1, -1 }, theirs[2] = { -1, -1 };
	errint_t r = make_channels(ours, theirs);
	pid_t self = getpid();

	*w = (struct supervisor_worker){ .state = WORKER_NONE, .pid = -1, .channel = -1, .broker = -1 };
	if (r == 0) {
		w->pid = fork();
		r = w->pid < 0 ? -errno : 0;
		if (w->pid == 0)
			execute(s, program, theirs[0], self);
	}
	s->generation++;
	if (r == 0) {
		w->state = WORKER_STARTED;
		w->channel = steal_fd(&ours[0]);
		w->broker = steal_fd(&ours[1]);
		w->answered = journal_answered_count(s->journal_fd);
		r = send_start(s, w, theirs[1]);
		if (r < 0)
			kill(w->pid, SIGKILL);
	}
	for (unsigned i = 0; i < 2; i++) {
		if (ours[i] >= 0)
			close(ours[i]);
		if (theirs[i] >= 0)
			close(theirs[i]);
	}
	return r;
}

errint_t supervisor_send_go(struct supervisor *s, struct supervisor_worker *w)
{
	return channel_send(w->channel, TAKEOVER_GO, s->mount.init, s->mount.init_size, &s->mount.device, 1);
}

void supervisor_send_stop(struct supervisor_worker *w)
{
	if (w->channel >= 0)
		(void)channel_send(w->channel, TAKEOVER_STOP, NULL, 0, NULL, 0);
}

void supervisor_close_worker(struct supervisor_worker *w)
{
	if (w->channel >= 0)
		close(w->channel);
	if (w->broker >= 0)
		close(w->broker);
	*w = (struct supervisor_worker){ .state = WORKER_NONE, .pid = -1, .channel = -1, .broker = -1 };
}
