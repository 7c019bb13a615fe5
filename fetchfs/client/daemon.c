/* SPDX-License-Identifier: MIT */
/* Background, limits, and carrying the root file system; see daemon.h. */
#include "fetchfs/client/daemon.h"
#include "common/message.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WANTED_FILES 1048576
#define MMAP_THRESHOLD (256 * 1024)
#define MAX_ARENAS 2

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57	/* linux/prctl.h */
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4		/* asm-generic/mman.h */
#endif

int daemon_fork(struct daemon *d)
{
	int pipe_fds[2], status;
	char byte;
	ssize_t n;
	pid_t pid;

	d->ready_fd = -1;
	pid = pipe2(pipe_fds, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid < 0) {
		message_error("cannot go to the background: %s", strerror(errno));
		return EXIT_SOFTWARE;
	}
	if (pid == 0) {
		close(pipe_fds[0]);
		d->ready_fd = pipe_fds[1];
		setsid();
		return -1;
	}
	close(pipe_fds[1]);
	do
		n = read(pipe_fds[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(pipe_fds[0]);
	if (n == 1)
		return 0;
	/* It ended without a word to us; it has told the people why. */
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	message_error("the mount's process ended unexpectedly");
	return EXIT_SOFTWARE;
}

int daemon_open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

void daemon_detach(int null, bool keep_error)
{
	if (chdir("/") < 0)
		return;
	for (int fd = 0; null >= 0 && fd <= (keep_error ? 1 : 2); fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

void daemon_ready(struct daemon *d)
{
	if (d->ready_fd < 0 || write(d->ready_fd, "", 1) != 1)
		return;
	close(d->ready_fd);
	d->ready_fd = -1;
}

void daemon_raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	if (l.rlim_max < WANTED_FILES) {
		struct rlimit higher = { .rlim_cur = WANTED_FILES, .rlim_max = WANTED_FILES };
		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return;
	}
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* Objects of some megabytes come and go in several threads; glibc would keep the largest of each. musl does not. */
void daemon_tune_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_ARENA_MAX, MAX_ARENAS);
#endif
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0) {
		/* Refused: see daemon.h. */
	}
	close(fd);
}

/* Pages are locked as they are used: what was never needed need not be in memory. */
static void lock_memory(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

void daemon_carry_root(void)
{
	const struct rlimit unlimited = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	static const int deaf_to[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < ARRAY_SIZE(deaf_to); i++)
		signal(deaf_to[i], SIG_IGN);
	/* With a limit, memory would end there once the right to lock more has been given away. */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0)
		lock_memory();
	write_text("/proc/self/oom_score_adj", "-1000\n");
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	if (chdir("/") < 0)
		return;
}
