/* SPDX-License-Identifier: MIT */
/* The supervisor's life; see supervisor.h and takeover.h. */
#include "fetchfs/client/supervisor_private.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/cache_trouble.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/journal.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/open_modes.h"
#include "fetchfs/client/settings_pack.h"
#include "fetchfs/client/state.h"
#include "fetchfs/client/stats.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

static struct supervisor the_supervisor;

static errint_t open_directory(const char *path, int *ret_fd)
{
	errint_t r = io_mkdir_p(path, 0700);

	if (r < 0)
		return r;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int open_cache(struct supervisor *s)
{
	const char *path = s->settings->cache;
	errint_t r = s->in_memory ? 0 : open_directory(path, &s->cache_fd);

	if (r < 0 && cache_can_be_memory(path, r)) {
		s->in_memory = true;
		r = 0;
	}
	if (r == 0 && s->in_memory)
		r = broker_ram(&s->broker, &s->cache_fd);
	return r == 0 ? 0 : cache_refuse(s->in_memory ? NULL : path, NULL, r);
}

static errint_t make_shared(struct supervisor *s)
{
	errint_t r = broker_init(&s->broker, s->settings);

	if (r == 0)
		r = settings_pack(s->settings, &s->settings_fd);
	if (r == 0)
		r = journal_make(&s->journal_fd);
	if (r == 0)
		r = state_make(&s->state_fd);
	if (r == 0)
		r = stats_make(&s->stats_fd);
	if (r == 0)
		r = open_modes_make(&s->modes_fd);
	if (r < 0)
		return r;
	s->program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return s->program < 0 ? -errno : 0;
}

static int open_all(struct supervisor *s)
{
	errint_t r = make_shared(s);
	int code;

	if (r < 0) {
		message_error("cannot start: %s%s", strerror(-r), r == -ENOENT ? " (is /proc mounted?)" : "");
		return EXIT_SOFTWARE;
	}
	s->in_memory = s->settings->in_memory;
	code = supervisor_choose_user(s);
	if (code == 0)
		code = open_cache(s);
	if (code == 0)
		code = supervisor_give_cache(s);
	if (code == 0)
		code = control_make(s->settings->control, s->settings->metrics, s->in_memory ? NULL : s->settings->cache, &s->sockets);
	return code;
}

static void close_all(struct supervisor *s)
{
	supervisor_unmount(s);
	control_unmake(&s->sockets);
	supervisor_close_worker(&s->worker);
	supervisor_close_worker(&s->upgrade.candidate);
	broker_done(&s->broker);
}

static int start_first(struct supervisor *s)
{
	errint_t r = supervisor_start_worker(s, s->program, &s->worker);

	if (r == 0)
		return 0;
	message_error("cannot start a worker: %s", strerror(-r));
	return EXIT_SOFTWARE;
}

static void begin_logging(struct supervisor *s)
{
	const struct settings *settings = s->settings;

	if (settings->log_level)
		log_set_level(settings->log_level);
	log_set_field("FETCHFS_MOUNT", settings->mountpoint);
	if (!settings->foreground)
		daemon_detach(daemon_open_null(), !log_open(settings->log, settings->root));
	else if (settings->log != LOG_TO_DEFAULT)
		(void)log_open(settings->log, settings->root);
	daemon_ready(s->daemon);
}

/* -1: goes on; else an exit code. */
static int on_prepared(struct supervisor *s)
{
	int code = s->mount.session ? 0 : supervisor_mount(s);

	if (code)
		return code;
	s->worker.state = WORKER_PREPARED;
	s->broker.device = s->settings->passthrough ? s->mount.device : -1;
	/* One that cannot be told is about to end, which is noticed. */
	(void)supervisor_send_go(s, &s->worker);
	return -1;
}

static void on_serving(struct supervisor *s)
{
	s->worker.state = WORKER_SERVING;
	if (!s->is_mounted) {
		supervisor_warn_of_root(s);
		begin_logging(s);
	} else if (s->upgrade.is_going) {
		supervisor_upgrade_done(s);
	} else {
		log_note("%s: worker %ld has taken over", s->settings->mountpoint, (long)s->worker.pid);
	}
	s->is_mounted = true;
	if (s->is_stopping)
		supervisor_send_stop(&s->worker);
	else
		supervisor_upgrade_on_serving(s);
}

static int on_message(struct supervisor *s)
{
	struct channel_message m;
	errint_t r = channel_receive(s->worker.channel, &m);

	if (r == -EAGAIN)
		return -1;
	if (r < 0) {
		/* It is ending: its exit tells how. */
		close(steal_fd(&s->worker.channel));
		return -1;
	}
	channel_message_done(&m);
	if (m.type == TAKEOVER_PREPARED && s->worker.state == WORKER_STARTED)
		return on_prepared(s);
	if (m.type == TAKEOVER_SERVING && s->worker.state == WORKER_PREPARED)
		on_serving(s);
	if (m.type != TAKEOVER_STOPPED)
		return -1;
	s->worker.state = WORKER_STOPPED;
	if (!s->is_stopping && !supervisor_is_unmounted(s) && supervisor_upgrade_go(s))
		return -1;
	/* Whoever waits for an answer need not wait until the cache is in order. */
	if (s->is_stopping)
		supervisor_unmount(s);
	return -1;
}

static void on_question(struct supervisor *s, struct supervisor_worker *w)
{
	errint_t r = broker_answer(&s->broker, w->broker);

	if (r < 0 && r != -EAGAIN)
		close(steal_fd(&w->broker));
}

/* Not in order, but an end. */
static void kill_workers(struct supervisor *s)
{
	if (s->worker.pid > 0)
		kill(s->worker.pid, SIGKILL);
	if (s->retiring.pid > 0)
		kill(s->retiring.pid, SIGKILL);
}

static void stop(struct supervisor *s)
{
	int64_t now = clock_now();

	/* A terminal that is closed may bring two at once. */
	if (s->is_stopping && now - s->stopping_since >= NS_PER_SECOND)
		kill_workers(s);
	if (s->is_stopping)
		return;
	s->is_stopping = true;
	s->stopping_since = now;
	supervisor_upgrade_fail(s, "the mount ends");
	if (s->worker.state == WORKER_SERVING && s->worker.channel >= 0)
		supervisor_send_stop(&s->worker);
	else if (s->worker.state != WORKER_NONE && s->worker.state != WORKER_STOPPED)
		kill(s->worker.pid, SIGKILL);
}

/* One that has been told to stop and does not. While it brings the cache in order afterwards it has all the time that it needs. */
static bool is_awaited(const struct supervisor *s)
{
	return s->is_stopping && s->worker.pid > 0 && s->worker.state != WORKER_STOPPED;
}

static void stop_on_time(struct supervisor *s)
{
	if (!is_awaited(s) || clock_now() - s->stopping_since < SUPERVISOR_STOP_NS)
		return;
	kill(s->worker.pid, SIGKILL);
	s->stopping_since = clock_now();
}

static void hear(struct supervisor *s, int signals)
{
	struct signalfd_siginfo info;
	int status;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && !s->settings->root)
			stop(s);
	if (s->retiring.pid > 0 && waitpid(s->retiring.pid, &status, WNOHANG) == s->retiring.pid)
		supervisor_close_worker(&s->retiring);
}

static int on_signal(struct supervisor *s, int signals)
{
	int status;

	hear(s, signals);
	if (s->upgrade.candidate.pid > 0 && waitpid(s->upgrade.candidate.pid, &status, WNOHANG) == s->upgrade.candidate.pid)
		supervisor_on_candidate_end(s, status);
	if (s->worker.pid > 0 && waitpid(s->worker.pid, &status, WNOHANG) == s->worker.pid)
		return supervisor_on_worker_end(s, status);
	return s->is_stopping && s->worker.state == WORKER_NONE ? 0 : -1;
}

/* Milliseconds until something is due; -1: nothing is. */
static int time_left(const struct supervisor *s)
{
	int64_t next = s->next_start ? s->next_start : INT64_MAX;

	if (s->upgrade.candidate.pid > 0 && s->upgrade.deadline)
		next = MIN(next, s->upgrade.deadline);
	if (is_awaited(s))
		next = MIN(next, s->stopping_since + SUPERVISOR_STOP_NS);
	return next == INT64_MAX ? -1 : (int)(MAX(next - clock_now(), 0) / NS_PER_MS + 1);
}

enum { POLL_SIGNALS, POLL_ASKERS, POLL_WORKER, POLL_BROKER, POLL_RETIRING, POLL_CANDIDATE, POLL_CANDIDATE_BROKER, POLLS };

static int wait_and_react(struct supervisor *s, int signals)
{
	/* Whoever asks for an upgrade waits until the worker before the present one has brought the cache in order. */
	bool takes_askers = s->is_mounted && s->retiring.pid < 0;
	struct pollfd polls[POLLS] = {
		[POLL_SIGNALS].fd = signals, [POLL_ASKERS].fd = takes_askers ? s->sockets.supervisor : -1, [POLL_WORKER].fd = s->worker.channel,
		[POLL_BROKER].fd = s->worker.broker, [POLL_RETIRING].fd = s->retiring.broker, [POLL_CANDIDATE].fd = s->upgrade.candidate.channel,
		[POLL_CANDIDATE_BROKER].fd = s->upgrade.candidate.broker,
	};
	int code = -1;

	for (size_t i = 0; i < POLLS; i++)
		polls[i].events = POLLIN;
	if (poll(polls, POLLS, time_left(s)) < 0 && errno != EINTR)
		return EXIT_SOFTWARE;
	if (polls[POLL_BROKER].revents)
		on_question(s, &s->worker);
	if (polls[POLL_RETIRING].revents)
		on_question(s, &s->retiring);
	if (polls[POLL_CANDIDATE_BROKER].revents)
		on_question(s, &s->upgrade.candidate);
	if (polls[POLL_CANDIDATE].revents)
		supervisor_upgrade_on_message(s);
	/* What it said last counts before its end. */
	if (polls[POLL_WORKER].revents && s->worker.channel == polls[POLL_WORKER].fd)
		code = on_message(s);
	if (code < 0 && polls[POLL_SIGNALS].revents)
		code = on_signal(s, signals);
	if (code < 0 && polls[POLL_ASKERS].revents)
		supervisor_upgrade_ask(s);
	supervisor_upgrade_on_time(s);
	stop_on_time(s);
	if (code < 0 && s->next_start && s->next_start <= clock_now())
		supervisor_start_successor(s);
	return code;
}

/* It still brings the cache in order; or another signal ends it. */
static void wait_for_retiring(struct supervisor *s, int signals)
{
	for (hear(s, signals); s->retiring.pid > 0; hear(s, signals)) {
		struct pollfd p[] = { { .fd = signals, .events = POLLIN }, { .fd = s->retiring.broker, .events = POLLIN } };
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents)
			on_question(s, &s->retiring);
	}
}

static int listen_to_signals(void)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGCHLD);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervise(struct settings *settings, struct daemon *d, const char *program)
{
	struct supervisor *s = &the_supervisor;
	_cleanup_close_ int signals = listen_to_signals();
	int code;

	*s = (struct supervisor){ .settings = settings, .daemon = d, .name = program, .mount.device = -1, .sockets = { .control = -1, .metrics = -1, .supervisor = -1 },
				  .worker = { .pid = -1, .channel = -1, .broker = -1 }, .since = (int64_t)time(NULL) };
	supervisor_upgrade_init(s);
	code = signals < 0 ? EXIT_SOFTWARE : open_all(s);
	if (code == 0)
		code = start_first(s);
	if (code == 0)
		for (code = -1; code < 0;)
			code = wait_and_react(s, signals);
	/* On an error there may be one left. */
	if (s->worker.pid > 0)
		kill(s->worker.pid, SIGKILL);
	wait_for_retiring(s, signals);
	close_all(s);
	return code;
}
