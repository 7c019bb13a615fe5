/* SPDX-License-Identifier: MIT */
/* The mount itself. libfuse makes it (mount(2), or fusermount3 for a user) and takes it away; the session is never served. See supervisor_private.h. */
#include "fetchfs/client/supervisor_private.h"
#include "common/io.h"
#include "common/message.h"

#include <fuse_lowlevel.h>
#include <poll.h>

/* Commas end an option. */
static char *escape_commas(const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *to = out;

	for (; out && *text; text++) {
		if (*text == ',' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	if (out)
		*to = '\0';
	return out;
}

static char *mount_options(const struct settings *s)
{
	bool other = !s->no_allow_other && (s->allow_other || geteuid() == 0);
	_cleanup_free_ char *name = escape_commas(s->urls[0]);

	if (!name)
		return NULL;
	return io_format("ro,default_permissions,fsname=%s,subtype=fetchfs%s%s%s%s", name, other ? ",allow_other" : "", s->root ? ",suid,dev" : "",
			 s->kernel_options ? "," : "", s->kernel_options ? s->kernel_options : "");
}

static errint_t make_session(const char *options, struct fuse_session **ret)
{
	static const struct fuse_lowlevel_ops none;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	errint_t r = 0;

	if (!options || fuse_opt_add_arg(&args, "fetchfs") < 0 || fuse_opt_add_arg(&args, "-o") < 0 || fuse_opt_add_arg(&args, options) < 0)
		r = -ENOMEM;
	if (r == 0) {
		*ret = fuse_session_new(&args, &none, sizeof(none), NULL);
		r = *ret ? 0 : -EINVAL;
	}
	fuse_opt_free_args(&args);
	return r;
}

/* FUSE_INIT: the first thing that the kernel says on a connection, and once. */
static errint_t read_init(struct supervisor_mount *m)
{
	ssize_t n;

	do
		n = read(m->device, m->init, sizeof(m->init));
	while (n < 0 && (errno == EINTR || errno == EAGAIN));
	m->init_size = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : n == 0 ? -ENODEV : 0;
}

int supervisor_mount(struct supervisor *s)
{
	_cleanup_free_ char *options = mount_options(s->settings);
	const char *mountpoint = s->settings->mountpoint;
	errint_t r = make_session(options, &s->mount.session);

	/* libfuse tells on standard error what was wrong. */
	if (r == 0 && fuse_session_mount(s->mount.session, mountpoint) != 0)
		r = -EPERM;
	if (r == 0) {
		s->mount.device = fuse_session_fd(s->mount.session);
		r = read_init(&s->mount);
	}
	if (r == 0)
		return 0;
	message_error("cannot mount at %s%s", mountpoint, geteuid() == 0 ? "; is there /dev/fuse?"
		      : ": mounting as a user needs fusermount3 (package fuse3), /dev/fuse, and a directory of one's own");
	return r == -ENOMEM ? EXIT_SOFTWARE : EXIT_NO_PERMISSION;
}

bool supervisor_is_unmounted(const struct supervisor *s)
{
	struct pollfd p = { .fd = s->mount.device };

	return s->mount.device >= 0 && poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

void supervisor_unmount(struct supervisor *s)
{
	if (s->mount.device < 0)
		return;
	fuse_session_unmount(s->mount.session);
	fuse_session_destroy(s->mount.session);
	s->mount.session = NULL;
	s->mount.device = -1;
}

void supervisor_abort(struct supervisor *s)
{
	/* With its last descriptor the connection ends. Of libfuse nothing more is wanted: it would unmount. */
	if (s->mount.device >= 0)
		close(steal_fd(&s->mount.device));
}
