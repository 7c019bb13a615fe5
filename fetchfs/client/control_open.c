/* SPDX-License-Identifier: MIT */
/* The control socket of a mount: where it is made, and what is said where that fails. See control.h. */
#include "fetchfs/client/control.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/log.h"

#define RUN_DIRECTORY "/run/fetchfs"

/* The first of the usual places that can be written to. */
static errint_t listen_somewhere(struct control_sockets *s, const char *cache_path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *in_runtime = runtime && *runtime == '/' ? io_format("%s/fetchfs", runtime) : NULL;
	_cleanup_free_ char *in_cache = cache_path ? io_format("%s/control", cache_path) : NULL;
	const char *first = geteuid() == 0 ? RUN_DIRECTORY : in_runtime;
	errint_t r = first ? ctl_make(first, &s->path, &s->control) : -ENOENT;

	return r < 0 && in_cache ? ctl_make(in_cache, &s->path, &s->control) : r;
}

static int listen_for_metrics(struct control_sockets *s, const char *where)
{
	errint_t r = ctl_make_metrics(where, &s->metrics_path, &s->metrics);

	if (r == 0)
		return 0;
	message_error("cannot offer metrics at %s%s: %s%s", *where == '/' ? "" : "port ", where, strerror(-r),
		      r == -EADDRINUSE ? "; another mount or program has it: choose another one" : "");
	return r == -EACCES || r == -EPERM ? EXIT_NO_PERMISSION : EXIT_CANNOT_CREATE;
}

int control_make(const char *directory, const char *metrics, const char *cache_path, struct control_sockets *ret)
{
	bool wanted = !directory || strcmp(directory, "off") != 0;
	errint_t r;

	*ret = (struct control_sockets){ .control = -1, .metrics = -1, .supervisor = -1 };
	if (wanted && directory) {
		r = ctl_make(directory, &ret->path, &ret->control);
		if (r < 0) {
			message_error("cannot make the control socket in %s: %s", directory, strerror(-r));
			return EXIT_CANNOT_CREATE;
		}
	}
	/* Nobody asked for it: the mount is worth more. */
	if (wanted && !directory && (r = listen_somewhere(ret, cache_path)) < 0)
		log_warning("no control socket can be made: %s; fetchfs ctl will not reach this mount", strerror(-r));
	if (ret->path && (r = ctl_make_supervisors(ret->path, &ret->supervisor_path, &ret->supervisor)) < 0)
		log_warning("no socket of the supervisor's can be made: %s; fetchfs ctl cannot upgrade this mount", strerror(-r));
	return metrics ? listen_for_metrics(ret, metrics) : 0;
}

static void unmake(int *fd, char **path)
{
	if (*fd >= 0)
		close(steal_fd(fd));
	if (*path)
		(void)unlink(*path);
	free(steal_ptr(*path));
}

void control_unmake(struct control_sockets *s)
{
	unmake(&s->control, &s->path);
	unmake(&s->metrics, &s->metrics_path);
	unmake(&s->supervisor, &s->supervisor_path);
}
