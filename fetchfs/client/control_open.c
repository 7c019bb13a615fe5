/* SPDX-License-Identifier: MIT */
/* The control socket of a mount: where it is made, and what is said where that fails. See control.h. */
#include "fetchfs/client/control.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/log.h"

#define RUN_DIRECTORY "/run/fetchfs"

/* The first of the usual places that can be written to. */
static errint_t listen_somewhere(struct ctl *c, const struct control *what)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *in_runtime = runtime && *runtime == '/' ? io_format("%s/fetchfs", runtime) : NULL;
	_cleanup_free_ char *in_cache = io_format("%s/control", what->cache_path);
	const char *first = geteuid() == 0 ? RUN_DIRECTORY : in_runtime;

	if (first && ctl_listen(c, first) == 0)
		return 0;
	return in_cache ? ctl_listen(c, in_cache) : -ENOMEM;
}

static int listen_for_metrics(struct ctl *c, const char *where)
{
	errint_t r = ctl_listen_metrics(c, where);

	if (r == 0)
		return 0;
	message_error("cannot offer metrics at %s%s: %s%s", *where == '/' ? "" : "port ", where, strerror(-r),
		      r == -EADDRINUSE ? "; another mount or program has it: choose another one" : "");
	return r == -EACCES || r == -EPERM ? EXIT_NO_PERMISSION : EXIT_CANNOT_CREATE;
}

int control_open(struct control *what, const char *directory, const char *metrics, struct ctl **ret)
{
	bool wanted = !directory || strcmp(directory, "off") != 0;
	errint_t r;

	if (!wanted && !metrics)
		return 0;
	r = ctl_new(ret);
	if (r == 0)
		r = ctl_add(*ret, control_verbs, what);
	if (r < 0) {
		message_error("cannot start: %s", strerror(-r));
		return EXIT_SOFTWARE;
	}
	ctl_set_metrics(*ret, control_metrics, what);
	if (wanted && directory) {
		r = ctl_listen(*ret, directory);
		if (r < 0) {
			message_error("cannot make the control socket in %s: %s", directory, strerror(-r));
			return EXIT_CANNOT_CREATE;
		}
	}
	/* Nobody asked for it: the mount is worth more. */
	if (wanted && !directory && (r = listen_somewhere(*ret, what)) < 0)
		log_warning("no control socket can be made: %s; fetchfs ctl will not reach this mount", strerror(-r));
	return metrics ? listen_for_metrics(*ret, metrics) : 0;
}
