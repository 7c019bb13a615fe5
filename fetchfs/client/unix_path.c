/* SPDX-License-Identifier: MIT */
/* See unix_path.h. */
#include "fetchfs/client/unix_path.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

/* *ret_directory stays open as long as the address is used; -1 where it is not needed. */
static errint_t make_address(const char *path, struct sockaddr_un *ret, int *ret_directory)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(ret->sun_path)) {
		strcpy(ret->sun_path, path);
		return 0;
	}
	if (!slash || (size_t)(slash - path) >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	*ret_directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_directory < 0)
		return -errno;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d%s", *ret_directory, slash);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

static errint_t open_at(const char *path, int type, int (*what)(int, const struct sockaddr *, socklen_t), int *ret)
{
	struct sockaddr_un address;
	_cleanup_close_ int directory = -1;
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	errint_t r = fd < 0 ? -errno : make_address(path, &address, &directory);

	if (r < 0)
		return r;
	if (what(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

errint_t unix_path_connect(const char *path, int type, int *ret)
{
	return open_at(path, type, connect, ret);
}

errint_t unix_path_bind(const char *path, int type, int *ret)
{
	return open_at(path, type, bind, ret);
}
