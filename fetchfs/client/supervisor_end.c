/* SPDX-License-Identifier: MIT */
/* Ends of workers: which are in order, who follows, after what pause, and when it is enough. See supervisor_private.h. */
#include "fetchfs/client/supervisor_private.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/journal.h"
#include "fetchfs/client/log.h"

#include <signal.h>
#include <sys/wait.h>

#define FAILURES_MAX 10		/* workers in a row that answered nothing, within the time below */
#define FAILURES_NS (60 * NS_PER_SECOND)
#define FIRST_PAUSE (100 * NS_PER_MS)
#define LONGEST_PAUSE (10 * NS_PER_SECOND)

static bool is_fault(int status)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	return signal != 0 && signal != SIGKILL && signal != SIGTERM;
}

/* After this many failures in a row. */
static int64_t pause_for(unsigned failures)
{
	int64_t pause = FIRST_PAUSE;

	for (unsigned i = 1; i < failures && pause < LONGEST_PAUSE; i++)
		pause *= 2;
	return MIN(pause, LONGEST_PAUSE);
}

/* How long to wait before the next one; -1: no more. */
static int64_t pause_after(struct supervisor *s)
{
	if (journal_answered_count(s->journal_fd) != s->worker.answered || clock_now() - s->first_failure > FAILURES_NS)
		s->failures = 0;
	if (s->failures == 0)
		s->first_failure = clock_now();
	if (s->failures++ == 0)
		return 0;
	return s->failures > FAILURES_MAX ? -1 : pause_for(s->failures - 1);
}

void supervisor_start_successor(struct supervisor *s)
{
	errint_t r = supervisor_start_worker(s, s->program, &s->worker);
	int64_t pause;

	s->next_start = 0;
	if (r == 0) {
		s->failed_starts = 0;
		return;
	}
	pause = pause_for(++s->failed_starts);
	log_warning("%s: cannot start another worker: %s; every access waits, and it is tried again in %lld ms", s->settings->mountpoint, strerror(-r),
		    (long long)(pause / NS_PER_MS));
	/* The end of one that was not told what to do is awaited where all are. */
	if (s->worker.pid < 0)
		s->next_start = clock_now() + pause;
}

static void describe(int status, char ret[64])
{
	if (WIFSIGNALED(status))
		snprintf(ret, 64, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(ret, 64, "exit code %d", WEXITSTATUS(status));
}

static int give_up(struct supervisor *s)
{
	supervisor_upgrade_fail(s, "the mount is given up");
	log_warning("%s: %u workers in a row have ended without answering anything: the mount is given up, and every access fails; unmount it "
		    "(fetchfs umount) and mount it again", s->settings->mountpoint, s->failures - 1);
	supervisor_abort(s);
	return EXIT_SOFTWARE;
}

static int on_startup_failure(int status)
{
	char how[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	describe(status, how);
	message_error("the mount's worker ended while it started: %s", how);
	return EXIT_SOFTWARE;
}

/* The mount is over, but the cache was not brought in order. */
static int on_bad_end(struct supervisor *s, int status)
{
	char how[64];

	describe(status, how);
	log_warning("%s: the last worker has ended with %s: the next mount verifies what is in the cache", s->settings->mountpoint, how);
	return EXIT_SOFTWARE;
}

/* -1: goes on; else an exit code. */
int supervisor_on_worker_end(struct supervisor *s, int status)
{
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	pid_t pid = s->worker.pid;
	int64_t pause;
	char how[64];

	if (!s->is_mounted) {
		supervisor_close_worker(&s->worker);
		return s->is_stopping ? 0 : on_startup_failure(status);
	}
	/* One that has stopped for a candidate that is there no more has ended in order too, but the mount has not. */
	if (s->is_stopping || supervisor_is_unmounted(s)) {
		supervisor_close_worker(&s->worker);
		return in_order ? 0 : on_bad_end(s, status);
	}
	s->crashed = is_fault(status);
	pause = pause_after(s);
	supervisor_close_worker(&s->worker);
	describe(status, how);
	if (supervisor_upgrade_go(s))
		return -1;
	if (s->upgrade.is_going)
		supervisor_upgrade_fail(s, "the new program ended when it was to take over; the old one goes on");
	log_warning("%s: worker %ld has ended: %s; another one takes over", s->settings->mountpoint, (long)pid, how);
	if (pause < 0)
		return give_up(s);
	s->restarts++;
	if (pause > 0)
		s->next_start = clock_now() + pause;
	else
		supervisor_start_successor(s);
	return -1;
}

void supervisor_on_candidate_end(struct supervisor *s, int status)
{
	bool was_ready = s->upgrade.candidate.state == WORKER_PREPARED;
	char why[160], how[64];

	supervisor_close_worker(&s->upgrade.candidate);
	describe(status, how);
	snprintf(why, sizeof(why), WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "it cannot be executed"
		 : was_ready ? "it ended with %s before it took over (the log says more); the old program goes on"
			     : "it ended with %s before it was ready (the log says more); the old program goes on", how);
	supervisor_upgrade_fail(s, why);
}
