/* SPDX-License-Identifier: MIT */
/* fetchfs umount: takes the mount away and waits until its program has brought the cache in order. */
#include "fetchfs/client/client.h"
#include "common/message.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define WAIT_MS 60000

static bool lazy;

static const struct option_spec options[] = {
	{ 'l', "lazy", NULL, "detach now even where files are open, and do not wait for the end", 0 },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	(void)context;
	(void)value;
	if (id == 'l')
		lazy = true;
	return 0;
}

/* The mount's program, by a descriptor that tells when it ends; -1 where it cannot be told (another file system, a dead one, an old kernel). */
static int open_server(const char *path)
{
	char text[32];
	ssize_t n = getxattr(path, "user.fetchfs.pid", text, sizeof(text) - 1);
	uint64_t pid;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	if (parse_number(text, 2, INT32_MAX, &pid) < 0)
		return -1;
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
#else
	return -1;
#endif
}

static int run_fusermount(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", path, (char *)NULL);
		message_error("cannot run fusermount3 (package fuse3): %s", strerror(errno));
		_exit(EXIT_UNAVAILABLE);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EXIT_SOFTWARE;
	return WEXITSTATUS(status) == 1 ? EXIT_UNAVAILABLE : WEXITSTATUS(status);
}

static int take_away(const char *path)
{
	if (umount2(path, lazy ? MNT_DETACH : 0) == 0)
		return 0;
	if (errno == EPERM && geteuid() != 0)
		return run_fusermount(path);
	message_error("cannot unmount %s: %s%s", path, strerror(errno),
		      errno == EBUSY ? "; files there are in use: end what uses them, or detach it with --lazy"
		      : errno == EINVAL ? " (nothing is mounted there)" : "");
	return errno == EBUSY ? EXIT_UNAVAILABLE : errno == EPERM ? EXIT_NO_PERMISSION : EXIT_NO_INPUT;
}

static int umount_run(void *context, int operands, char **operand)
{
	_cleanup_close_ int server = lazy ? -1 : open_server(operand[0]);
	struct pollfd p = { .fd = server, .events = POLLIN };
	int code = take_away(operand[0]);

	(void)context;
	(void)operands;
	if (code == 0 && server >= 0 && poll(&p, 1, WAIT_MS) == 0)
		message_warning("%s is unmounted, but its program still runs after %d seconds", operand[0], WAIT_MS / 1000);
	return code;
}

const struct command client_umount_command = {
	.name = "umount",
	.operands = "MOUNTPOINT",
	.summary = "unmount, and wait until the cache is in order",
	.options = options,
	.on_option = on_option,
	.min_operands = 1,
	.max_operands = 1,
	.run = umount_run,
};
