/* SPDX-License-Identifier: MIT */
/* See program.h. */
#include "tests/console/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define END_GRACE_NS (3 * INT64_C(1000000000))

static void take_output(struct program *p)
{
	unsigned char part[16384];
	ssize_t n;

	while (p->from >= 0 && (n = read(p->from, part, sizeof(part))) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				return;
			break;
		}
		screen_add(p->screen, part, (size_t)n);
	}
	if (p->from >= 0)
		close(p->from);
	p->from = -1;
}

static void become(char **argv, int in, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

errint_t program_start(struct program *p, struct screen *screen, char **argv)
{
	int in[2], out[2];
	sigset_t set;

	*p = (struct program){ .screen = screen, .to = -1, .from = -1, .signals = -1 };
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0)
		return -errno;
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid == 0)
		become(argv, in[0], out[1]);
	setpgid(p->pid, p->pid);
	close(in[0]);
	close(out[1]);
	p->to = in[1];
	p->from = out[0];
	fcntl(p->to, F_SETFL, O_NONBLOCK);
	fcntl(p->from, F_SETFL, O_NONBLOCK);
	return 0;
}

errint_t program_send(struct program *p, const char *data, size_t size)
{
	if (p->exited)
		return -EPIPE;
	if (size > sizeof(p->out) - p->out_used)
		return -ENOBUFS;
	memcpy(p->out + p->out_used, data, size);
	p->out_used += size;
	return 0;
}

static void take_signals(struct program *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			p->interrupted = (int)info.ssi_signo;
	if (!p->exited && waitpid(p->pid, &p->status, WNOHANG) == p->pid) {
		p->exited = true;
		take_output(p);
	}
}

static void put_input(struct program *p)
{
	ssize_t n = write(p->to, p->out, p->out_used);

	if (n > 0) {
		memmove(p->out, p->out + n, p->out_used - (size_t)n);
		p->out_used -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		p->out_used = 0;
	}
}

bool program_pump(struct program *p, int64_t deadline_ns)
{
	struct pollfd fds[3] = {
		{ .fd = p->signals, .events = POLLIN },
		{ .fd = p->from, .events = POLLIN },
		{ .fd = p->out_used > 0 ? p->to : -1, .events = POLLOUT },
	};
	int64_t left = deadline_ns - screen_now_ns();

	if (left <= 0)
		return false;
	if (poll(fds, 3, (int)MIN((left + 999999) / 1000000, INT32_MAX)) < 0)
		return true;
	if (fds[1].revents)
		take_output(p);
	if (fds[2].revents)
		put_input(p);
	if (fds[0].revents)
		take_signals(p);
	return true;
}

int program_status(const struct program *p)
{
	return WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 128 + WTERMSIG(p->status);
}

void program_end(struct program *p)
{
	int64_t deadline = screen_now_ns() + END_GRACE_NS;

	if (p->pid <= 0)
		return;
	if (!p->exited)
		kill(-p->pid, SIGTERM);
	while (!p->exited && program_pump(p, deadline))
		;
	kill(-p->pid, SIGKILL);
	if (!p->exited)
		waitpid(p->pid, &p->status, 0);
	p->exited = true;
	take_output(p);
}

int program_run_beside(struct program *p, const char *command, int64_t deadline_ns)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (p->interrupted || !program_pump(p, deadline_ns)) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
	}
	return status;
}
