/* SPDX-License-Identifier: MIT */
/* See ctl_upgrade.h. The program goes as an open file: what is run is what this process could open, whatever the mount's process sees under the path. */
#include "fetchfs/client/ctl_upgrade.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/channel.h"
#include "fetchfs/client/ctl.h"
#include "fetchfs/client/takeover.h"
#include "fetchfs/client/unix_path.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#define PATIENCE_MS 100000

/* As for the control socket: the mount's process may have another root directory. */
static errint_t connect_to(const struct ctl_place *p, int *ret)
{
	_cleanup_free_ char *path = ctl_supervisors_path(p->socket);
	_cleanup_free_ char *inside = path && p->pid ? io_format("/proc/%s/root%s", p->pid, path) : NULL;
	errint_t r = path ? unix_path_connect(path, SOCK_SEQPACKET, ret) : -ENOENT;

	if (r < 0 && inside && unix_path_connect(inside, SOCK_SEQPACKET, ret) == 0)
		r = 0;
	return r;
}

static errint_t exchange(int fd, int program, struct takeover_upgraded *ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct channel_message m;
	errint_t r = channel_send(fd, TAKEOVER_UPGRADE, NULL, 0, &program, program >= 0 ? 1 : 0);

	if (r == 0 && poll(&p, 1, PATIENCE_MS) != 1)
		r = -ETIMEDOUT;
	if (r == 0)
		r = channel_receive(fd, &m);
	if (r < 0)
		return r;
	channel_message_done(&m);
	if (m.type != TAKEOVER_UPGRADED || m.size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, m.data, sizeof(*ret));
	ret->error[sizeof(ret->error) - 1] = '\0';
	return 0;
}

static int ask(const struct ctl_place *p, int program, struct ctl_answer *ret, char error[CTL_ERROR_SIZE])
{
	struct takeover_upgraded u;
	_cleanup_close_ int fd = -1;
	errint_t r = connect_to(p, &fd);

	if (r == 0)
		r = exchange(fd, program, &u);
	if (r < 0) {
		snprintf(error, CTL_ERROR_SIZE, "cannot ask the supervisor of %.200s: %s%s", p->mountpoint, strerror(-r),
			 r == -EACCES || r == -EPERM || r == -EPIPE ? "; root and who mounted may" : "");
		return r == -EACCES || r == -EPERM || r == -EPIPE ? EXIT_NO_PERMISSION : EXIT_UNAVAILABLE;
	}
	if (u.code) {
		snprintf(error, CTL_ERROR_SIZE, "not upgraded: %.400s", u.error);
		return u.code > 0 && u.code < 256 ? u.code : EXIT_SOFTWARE;
	}
	ret->object = json_object();
	ctl_number(ret->object, "worker_pid", (uint64_t)u.pid);
	return ret->object ? 0 : EXIT_SOFTWARE;
}

int ctl_upgrade(const char *place, const char *program, struct ctl_answer *ret, char error[CTL_ERROR_SIZE])
{
	_cleanup_close_ int fd = program ? open(program, O_RDONLY | O_CLOEXEC) : -1;
	struct ctl_place p;
	int code;

	*ret = (struct ctl_answer){ .object = NULL };
	if (program && fd < 0) {
		snprintf(error, CTL_ERROR_SIZE, "cannot open %.300s: %s", program, strerror(errno));
		return EXIT_NO_INPUT;
	}
	code = ctl_find(place, &p, error);
	if (code)
		return code;
	code = ask(&p, fd, ret, error);
	ctl_place_done(&p);
	return code;
}
