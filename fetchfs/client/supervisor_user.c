/* SPDX-License-Identifier: MIT */
/*
 * Who the workers of root's mounts are: the user of "user=", else "fetchfs" where there is one, else root without capabilities, which is no confinement as to files. The root file system's is root always:
 * at shutdown systemd spares root's processes only. See supervisor_private.h.
 */
#include "fetchfs/client/supervisor_private.h"
#include "common/message.h"
#include "fetchfs/client/cache_owner.h"
#include "fetchfs/client/sandbox.h"

#include <pwd.h>

#define DEFAULT_USER "fetchfs"

static const struct passwd *find_user(const char *text)
{
	const struct passwd *user = getpwnam(text);
	uint64_t number;

	if (!user && parse_number(text, 0, UINT32_MAX - 1, &number) == 0)
		user = getpwuid((uid_t)number);
	return user;
}

int supervisor_choose_user(struct supervisor *s)
{
	const char *wanted = s->settings->user;
	const struct passwd *user = NULL;
	uint64_t number;

	if (wanted && (geteuid() != 0 || s->settings->root)) {
		message_error("option user: %s", s->settings->root ? "the program of the root file system stays root's, without capabilities"
			      : "only root can have a mount work as another user");
		return EXIT_USAGE;
	}
	if (geteuid() != 0 || s->settings->root)
		return 0;
	user = find_user(wanted ? wanted : DEFAULT_USER);
	s->worker_uid = user ? user->pw_uid : 0;
	s->worker_gid = user ? user->pw_gid : 0;
	/* A number needs no name. */
	if (wanted && !user && parse_number(wanted, 0, UINT32_MAX - 1, &number) == 0) {
		s->worker_uid = (uid_t)number;
		s->worker_gid = (gid_t)number;
	} else if (wanted && !user) {
		message_error("option user: there is no user '%s' on this machine", wanted);
		return EXIT_NO_INPUT;
	}
	s->broker.uid = s->worker_uid;
	s->broker.gid = s->worker_gid;
	return 0;
}

void supervisor_warn_of_root(const struct supervisor *s)
{
	if (geteuid() == 0 && !s->settings->root && !s->settings->user && s->worker_uid == 0)
		message_warning("there is no user '" DEFAULT_USER "': the mount works as root, without capabilities but with all files in view; make that user "
				"(useradd --system " DEFAULT_USER "), or give -o user=NAME (user=0: root, as meant)");
}

int supervisor_give_cache(struct supervisor *s)
{
	errint_t r = geteuid() == 0 && !s->in_memory ? cache_give(s->cache_fd, s->worker_uid, s->worker_gid) : 0;

	/* Where there can be none (Linux before 5.2, containers) workers know: they hide no files. */
	if (geteuid() != 0 || sandbox_detach(s->cache_fd, &s->cache_tree) < 0)
		s->cache_tree = s->cache_fd;
	s->broker.cache = s->cache_tree;
	if (r == 0)
		return 0;
	message_error("cannot give the cache directory %s to user %u, as whom the mount works: %s; give another one with -c DIRECTORY", s->settings->cache,
		      (unsigned)s->worker_uid, strerror(-r));
	return EXIT_CANNOT_CREATE;
}
