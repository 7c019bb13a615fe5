/* SPDX-License-Identifier: MIT */
/* The worker's life: what its supervisor gives it, the moment when it takes over, the end. See worker.h and takeover.h. */
#include "fetchfs/client/worker.h"
#include "common/message.h"
#include "fetchfs/client/broker.h"
#include "fetchfs/client/daemon.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/sandbox.h"
#include "fetchfs/client/settings_pack.h"
#include "fetchfs/client/thread.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static struct mount the_worker;

bool worker_is_wanted(int argc, char **argv)
{
	return argc >= 2 && strncmp(argv[1], TAKEOVER_ARGUMENT, strlen(TAKEOVER_ARGUMENT)) == 0;
}

/* Ends with the supervisor, which may have ended already. */
static bool tie_to_supervisor(const struct mount *w)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return getppid() == w->start.supervisor;
}

static int take_start(struct mount *w)
{
	struct channel_message m;
	errint_t r = channel_receive(w->channel, &m);
	size_t wanted = TAKEOVER_FDS;

	if (r == 0 && (m.type != TAKEOVER_START || m.size != sizeof(w->start)))
		r = -EPROTO;
	if (r == 0) {
		memcpy(&w->start, m.data, sizeof(w->start));
		wanted += w->start.has_control + w->start.has_metrics;
		r = w->start.version == TAKEOVER_VERSION && m.fd_count == wanted ? 0 : -EPROTO;
	}
	if (r < 0) {
		message_error("cannot work for this mount: %s", r == -EPROTO ? "its program is of another version; mount it anew" : strerror(-r));
		return EXIT_SOFTWARE;
	}
	for (size_t i = 0; i < TAKEOVER_FDS; i++)
		w->fds[i] = m.fds[i];
	w->control_fd = w->start.has_control ? m.fds[TAKEOVER_FDS] : -1;
	w->metrics_fd = w->start.has_metrics ? m.fds[m.fd_count - 1] : -1;
	w->start.control_path[sizeof(w->start.control_path) - 1] = '\0';
	return 0;
}

static int take_settings(struct mount *w)
{
	errint_t r;

	w->null_fd = daemon_open_null();
	settings_init(&w->settings);
	r = settings_unpack(w->fds[TAKEOVER_SETTINGS], &w->settings);
	if (r == 0)
		r = stats_map(w->fds[TAKEOVER_STATS], &w->stats);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

/* The first one has people to talk to until the mount can be used. */
static void begin_logging(struct mount *w)
{
	const struct settings *s = &w->settings;

	if (!s->foreground)
		daemon_detach(steal_fd(&w->null_fd), !log_open(s->log, s->root));
	else if (s->log != LOG_TO_DEFAULT)
		(void)log_open(s->log, s->root);
}

/* glibc's programs load libraries while they run: only one that has all in itself can live without files. */
static bool can_live_without_files(const struct settings *s)
{
#ifdef __GLIBC__
	(void)s;
	return false;
#else
	for (size_t i = 0; i < s->url_count; i++)
		if (strncmp(s->urls[i], "http", 4) != 0)
			return false;
	return true;
#endif
}

/* What needs privileges is done, and no thread is there yet. */
static int confine(struct mount *w)
{
	errint_t r;

	log_prepare(w->settings.log, w->settings.root);
	/* From a directory that has something above it there would be a way out. */
	if (w->settings.root && can_live_without_files(&w->settings) && sandbox_is_detached(w->fds[TAKEOVER_CACHE]))
		(void)sandbox_hide_files();
	r = sandbox_enter(w->start.worker_uid, w->start.worker_gid);
	/* The change of user has undone it. */
	if (r == 0 && !tie_to_supervisor(w))
		r = -ESRCH;
	if (r < 0)
		message_error("cannot give up privileges: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

static int prepare(struct mount *w)
{
	int code = take_settings(w);

	if (code)
		return code;
	w->talks = !w->start.first;
	if (!w->start.first)
		begin_logging(w);
	broker_set_channel(w->fds[TAKEOVER_BROKER]);
	daemon_tune_memory();
	if (w->settings.root)
		daemon_carry_root();
	code = confine(w);
	if (code == 0)
		code = mount_open_layers(w);
	return code == 0 ? worker_open_fs(w) : code;
}

/* Until the supervisor has something to say. -EPIPE: it wants nothing any more. */
static errint_t wait_for_go(struct mount *w, struct channel_message *ret)
{
	errint_t r = channel_send(w->channel, TAKEOVER_PREPARED, NULL, 0, NULL, 0);

	if (r == 0)
		r = channel_receive(w->channel, ret);
	if (r == 0 && (ret->type != TAKEOVER_GO || ret->fd_count != 1))
		r = -EPIPE;
	return r;
}

static int take_over(struct mount *w)
{
	struct channel_message m;
	errint_t r = wait_for_go(w, &m);
	int code;

	if (r < 0)
		return EXIT_SOFTWARE;
	w->talks = true;
	code = worker_refresh_snapshot(w);
	if (code)
		return code;
	r = journal_open(w->fds[TAKEOVER_JOURNAL], &w->journal);
	if (r == 0)
		code = worker_start(w);
	if (r == 0 && code == 0)
		r = fs_take_over(w->fs, w->journal, m.fds[0], m.data, m.size, w->start.crashed);
	if (r == 0 && code == 0)
		return worker_follow(w);
	if (r < 0) {
		log_warning("%s: cannot take the mount over: %s", w->settings.mountpoint,
			    r == -EPROTO ? "this program would have agreed on something else with the kernel" : strerror(-r));
		code = EXIT_SOFTWARE;
	}
	return code;
}

/* The supervisor's word while the loop runs: only one is expected. */
static void *listen_to_supervisor(void *context)
{
	struct mount *w = context;
	struct channel_message m;

	if (channel_receive(w->channel, &m) < 0)
		return NULL;
	channel_message_done(&m);
	if (m.type == TAKEOVER_STOP)
		fs_stop(w->fs);
	return NULL;
}

static int serve(struct mount *w)
{
	pthread_t listener;
	errint_t r;

	if (w->start.first)
		log_note("mounted %s revision %llu at %s%s", w->snapshot.name, (unsigned long long)w->snapshot.revision, w->settings.mountpoint,
			 w->offline ? " from the cache, since no server answers" : w->kept ? " as pinned earlier" : "");
	if (w->start.first)
		begin_logging(w);
	r = channel_send(w->channel, TAKEOVER_SERVING, NULL, 0, NULL, 0);
	if (r == 0)
		r = thread_start(&listener, listen_to_supervisor, w);
	if (r < 0)
		return EXIT_SOFTWARE;
	r = fs_run(w->fs);
	if (r < 0)
		log_warning("%s: the mount ends: %s", w->settings.mountpoint, strerror(-r));
	mount_stop(w);
	(void)channel_send(w->channel, TAKEOVER_STOPPED, NULL, 0, NULL, 0);
	(void)shutdown(w->channel, SHUT_RD);
	pthread_join(listener, NULL);
	return r < 0 ? EXIT_SOFTWARE : 0;
}

int worker_main(int argc, char **argv)
{
	struct mount *w = &the_worker;
	uint64_t channel;
	int code;

	(void)argc;
	message_init("fetchfs");
	/* As people find it in lists of processes; it was executed by a descriptor. */
	(void)prctl(PR_SET_NAME, argv[0], 0, 0, 0);
	if (parse_number(argv[1] + strlen(TAKEOVER_ARGUMENT), 3, INT32_MAX, &channel) < 0) {
		message_error(TAKEOVER_ARGUMENT ": only fetchfs mount starts a worker");
		return EXIT_USAGE;
	}
	w->channel = (int)channel;
	code = take_start(w);
	if (code)
		return code;
	if (!tie_to_supervisor(w))
		return EXIT_SOFTWARE;
	code = prepare(w);
	if (code == 0)
		code = take_over(w);
	if (code == 0)
		code = serve(w);
	mount_close(w);
	settings_done(&w->settings);
	return code;
}
