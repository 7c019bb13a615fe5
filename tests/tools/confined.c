/* SPDX-License-Identifier: MIT */
/*
 * Does from within the worker's sandbox what a worker never does, for tests: usage: confined WHAT. Prints "refused" where that fails with EPERM, "allowed" where it
 * works, or ends by SIGSYS. Some are tried without files, with the working directory, which has a folder "files", as the cache that was opened before.
 */
#include "common/base.h"
#include "fetchfs/client/sandbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <sys/ioctl.h>

static long try_execve(void)
{
	char *argv[] = { (char *)(uintptr_t)"true", NULL };

	return execve("/bin/true", argv, argv + 1);
}

static long try_fork(void)
{
	return syscall(SYS_clone, 17 /* SIGCHLD */, NULL, NULL, NULL, NULL);
}

static long try_mount(void)
{
	return mount("none", "/proc", "tmpfs", 0, NULL);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long try_unknown(void)
{
	return syscall(SYS_syslog, 10, NULL, 0);
}

static long try_tiocsti(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static long try_signal(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long try_thread_signal(void)
{
	return syscall(SYS_tkill, getppid(), SIGCONT);
}

static long try_signal_by_descriptor(void)
{
	return fcntl(0, F_SETOWN, getppid());
}

static long try_limits(void)
{
	struct rlimit l;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &l);
}

static long try_scheduler(void)
{
	struct sched_param none = { .sched_priority = 0 };

	return sched_setscheduler(getppid(), SCHED_OTHER, &none);
}

/* What a worker does to itself. */
static long try_own(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) == 0 && pthread_kill(pthread_self(), 0) == 0 && fcntl(0, F_GETFD) >= 0 && syscall(SYS_tgkill, getpid(), gettid(), 0) == 0 ? 0 : -1;
}

/* What holds the cache of a worker that has no files. */
static int directory = -1;

/* Up from there. */
static long try_above(void)
{
	static const char *const ways[] = { "..", "../..", "../../../../../../etc/passwd", "files/../.." };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int fd = openat(directory, ways[i], O_RDONLY);
		if (fd >= 0 && (i == 2 || faccessat(fd, "files", F_OK, 0) < 0))
			return 0;
	}
	errno = EPERM;
	return -1;
}

/* Within it all goes on as elsewhere. */
static long try_within(void)
{
	int fd = openat(directory, "files/new", O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || linkat(directory, "files/new", directory, "linked", 0) < 0)
		return -1;
	return renameat(directory, "files/new", directory, "renamed");
}

static long try_file(void)
{
	int fd = open("/etc/passwd", O_RDONLY);

	if (fd < 0 && errno == ENOENT)
		errno = EPERM;
	return fd;
}

static void *nothing(void *context)
{
	return context;
}

/* What a worker does do. */
static long try_thread(void)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, nothing, NULL);

	errno = error;
	return error ? -1 : pthread_join(t, NULL);
}

static const struct attempt {
	const char *name;
	long (*run)(void);
} attempts[] = {
	{ "execve", try_execve }, { "fork", try_fork }, { "mount", try_mount }, { "ptrace", try_ptrace }, { "setuid", try_setuid },
	{ "packet-socket", try_packet_socket }, { "unknown", try_unknown }, { "tiocsti", try_tiocsti }, { "thread", try_thread },
	{ "signal", try_signal }, { "thread-signal", try_thread_signal }, { "signal-by-descriptor", try_signal_by_descriptor }, { "limits", try_limits },
	{ "scheduler", try_scheduler }, { "own", try_own },
}, without_files[] = {
	{ "above", try_above }, { "within", try_within }, { "file", try_file },
};

/* As the supervisor and its worker do. */
static bool leave_files(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && sandbox_detach(fd, &directory) == 0 && close(fd) == 0 && sandbox_is_detached(directory) && sandbox_hide_files() == 0;
}

static const struct attempt *find(const struct attempt *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct attempt *blind = argc == 2 ? find(without_files, ARRAY_SIZE(without_files), argv[1]) : NULL;
	const struct attempt *a = blind || argc != 2 ? blind : find(attempts, ARRAY_SIZE(attempts), argv[1]);

	if (!a) {
		fprintf(stderr, "usage: confined WHAT\n");
		return 64;
	}
	if (blind && !leave_files())
		return 71;
	if (sandbox_enter(geteuid(), getegid()) < 0)
		return 70;
	puts(a->run() >= 0 ? "allowed" : errno == EPERM ? "refused" : strerror(errno));
	return 0;
}
