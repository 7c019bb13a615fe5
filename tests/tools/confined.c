/* SPDX-License-Identifier: MIT */
/*
 * Does from within the worker's sandbox what a worker never does, for tests: usage: confined WHAT. Prints "refused" where that fails with EPERM, "allowed" where it
 * works, or ends by SIGSYS.
 */
#include "common/base.h"
#include "fetchfs/client/sandbox.h"

#include <pthread.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
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
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(attempts); i++) {
		if (strcmp(attempts[i].name, argv[1]) != 0)
			continue;
		if (sandbox_enter(geteuid(), getegid()) < 0)
			return 70;
		puts(attempts[i].run() >= 0 ? "allowed" : errno == EPERM ? "refused" : strerror(errno));
		return 0;
	}
	fprintf(stderr, "usage: confined WHAT\n");
	return 64;
}
