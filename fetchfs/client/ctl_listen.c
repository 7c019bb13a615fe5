/* SPDX-License-Identifier: MIT */
/* The sockets that a mount listens at. */
#include "fetchfs/client/ctl.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/unix_path.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BACKLOG 64
#define ENDING ".sock"
#define SUPERVISORS_ENDING ".supervisor"

static bool is_supervisors(const char *path)
{
	size_t n = strlen(path), ending = strlen(SUPERVISORS_ENDING);

	return n > ending && strcmp(path + n - ending, SUPERVISORS_ENDING) == 0;
}

/* Whether somebody listens there; what is no socket counts as alive. */
static bool is_dead(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat s;

	if (lstat(path, &s) < 0 || !S_ISSOCK(s.st_mode))
		return false;
	return unix_path_connect(path, is_supervisors(path) ? SOCK_SEQPACKET : SOCK_STREAM, &fd) == -ECONNREFUSED;
}

/* PID-N.sock and PID-N.supervisor, as below: the directory may be shared with other programs. */
static bool is_ours(const char *name)
{
	size_t digits = strspn(name, "0123456789"), more = name[digits] == '-' ? strspn(name + digits + 1, "0123456789abcdef") : 0;

	return digits > 0 && more > 0 && (strcmp(name + digits + 1 + more, ENDING) == 0 || strcmp(name + digits + 1 + more, SUPERVISORS_ENDING) == 0);
}

/* Sockets of mounts that were killed. */
static void clear_dead(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *path = NULL;
		if (!is_ours(e->d_name))
			continue;
		path = io_format("%s/%s", directory, e->d_name);
		if (path && is_dead(path))
			(void)unlink(path);
	}
	if (d)
		closedir(d);
}

/* The mode counts from the first moment. */
static errint_t listen_at(const char *path, mode_t mode, int type, int *ret)
{
	mode_t before = umask(0777 & ~mode);
	_cleanup_close_ int fd = -1;
	errint_t r = unix_path_bind(path, type, &fd);

	umask(before);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		*ret = steal_fd(&fd);
	return r;
}

errint_t ctl_make(const char *directory, char **ret_path, int *ret_fd)
{
	_cleanup_free_ char *path = io_format("%s/%ld-%llx" ENDING, directory, (long)getpid(), (unsigned long long)clock_now());
	/* Others may look for their own mounts' sockets there, so the directory that root makes is open. */
	errint_t r = path ? io_mkdir_p(directory, geteuid() == 0 ? 0755 : 0700) : -ENOMEM;

	if (r < 0)
		return r;
	clear_dead(directory);
	r = listen_at(path, 0600, SOCK_STREAM, ret_fd);
	if (r == 0)
		*ret_path = steal_ptr(path);
	return r;
}

char *ctl_supervisors_path(const char *control_path)
{
	size_t n = strlen(control_path), ending = strlen(ENDING);

	return n > ending ? io_format("%.*s" SUPERVISORS_ENDING, (int)(n - ending), control_path) : NULL;
}

errint_t ctl_make_supervisors(const char *control_path, char **ret_path, int *ret_fd)
{
	_cleanup_free_ char *path = ctl_supervisors_path(control_path);
	errint_t r = path ? listen_at(path, 0600, SOCK_SEQPACKET, ret_fd) : -ENOMEM;

	if (r == 0)
		*ret_path = steal_ptr(path);
	return r;
}

static errint_t listen_at_port(uint16_t port, int *ret)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0)
		return -errno;
	/* Not refused because of connections of a mount before that linger in the kernel. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

errint_t ctl_make_metrics(const char *where, char **ret_path, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	uint64_t port;
	errint_t r;

	if (*where != '/')
		return parse_number(where, 1, UINT16_MAX, &port) < 0 ? -EINVAL : listen_at_port((uint16_t)port, ret_fd);
	path = strdup(where);
	if (!path)
		return -ENOMEM;
	if (is_dead(where))
		(void)unlink(where);
	r = listen_at(where, 0666, SOCK_STREAM, ret_fd);
	if (r == 0)
		*ret_path = steal_ptr(path);
	return r;
}
