/* SPDX-License-Identifier: MIT */
/*
 * fetchfs mount: the command line, and the way to the background. Also the program as mount(8) calls it.
 */
#include "fetchfs/client/client.h"
#include "common/message.h"
#include "fetchfs/client/daemon.h"
#include "fetchfs/client/settings.h"
#include "fetchfs/client/supervisor.h"

#include <signal.h>
#include <sys/stat.h>

/* The command line of a mount. */
struct mount_command {
	struct settings settings;
	struct daemon daemon;
};

static struct mount_command the_mount;

/* An absolute path, since the daemon leaves the working directory. */
static int find_mountpoint(struct settings *s)
{
	struct stat st;
	char *path;

	/* A dead mount at the place cannot be looked at: that is worth saying. */
	if (stat(s->mountpoint, &st) < 0) {
		message_error("cannot mount at %s: %s%s", s->mountpoint, strerror(errno),
			      errno == ENOTCONN ? "; something died there: fetchfs umount it first" : "");
		return EXIT_NO_INPUT;
	}
	if (!S_ISDIR(st.st_mode)) {
		message_error("cannot mount at %s: not a directory", s->mountpoint);
		return EXIT_NO_INPUT;
	}
	path = realpath(s->mountpoint, NULL);
	if (!path) {
		message_error("cannot mount at %s: %s", s->mountpoint, strerror(errno));
		return EXIT_NO_INPUT;
	}
	s->mountpoint = path;
	return 0;
}

/* systemd leaves processes alone whose name begins with '@'. */
static const char *worker_name(void)
{
	const char *slash = strrchr(program_invocation_name, '/');

	return (slash ? slash[1] : *program_invocation_name) == '@' ? "@fetchfs" : "fetchfs";
}

static int run_mount(struct mount_command *m)
{
	struct settings *s = &m->settings;
	int code = settings_finish(s);

	m->daemon.ready_fd = -1;
	if (code == 0)
		code = find_mountpoint(s);
	if (code)
		return code;
	if (!s->foreground) {
		code = daemon_fork(&m->daemon);
		if (code >= 0)
			return code;
	}
	signal(SIGPIPE, SIG_IGN);
	daemon_raise_limits();
	if (s->root)
		daemon_carry_root();
	return supervise(s, &m->daemon, worker_name());
}

enum { ID_TIMEOUT = 256, ID_RECORD };

static const struct option_spec mount_options_table[] = {
	{ 'K', "key", "KEY.pub", "trust this root key; may be repeated", 0 },
	{ 'c', "cache", "DIRECTORY", "keep fetched files here (default: ~/.cache/fetchfs, as root /var/cache/fetchfs)", 0 },
	{ 'q', "quota", "SIZE", "let the cache take at most so much, as 20G or 50% (default: 50% of the file system)", 0 },
	{ 't', "tag", "TAG", "mount the revision of this tag, not the latest", 0 },
	{ 'o', "options", "OPTIONS", "mount options, separated by commas (see fetchfs(1))", 0 },
	{ 0, "record", "FILE", "note in FILE what is read, in order: a profile for 'publish --profile'", ID_RECORD },
	{ 'f', "foreground", NULL, "stay in the foreground", 0 },
	{ 0, "proxy", "PROXIES", "fetch through these, as 'http://a:80|http://b:80;DIRECT' (default: http_proxy, https_proxy and no_proxy)", SETTINGS_ID_PROXY },
	{ 0, "timeout", "SECONDS", "fail reads that wait longer (default: 0, wait without end)", ID_TIMEOUT },
	{ 0 }
};

static int on_mount_option(void *context, int id, const char *value)
{
	struct mount_command *m = context;
	struct settings *s = &m->settings;
	uint64_t number;

	switch (id) {
	case 'f':
		s->foreground = true;
		return 0;
	case ID_RECORD:
		free(s->record);
		s->record = strdup(value);
		return s->record ? 0 : EXIT_SOFTWARE;
	case ID_TIMEOUT:
		if (parse_number(value, 0, 1000000, &number) < 0) {
			message_error("--timeout: expected a number of seconds, not '%s'", value);
			return EXIT_USAGE;
		}
		s->timeout = (unsigned)number;
		return 0;
	}
	return settings_on_option(s, id, value);
}

static int mount_command_run(void *context, int operands, char **operand)
{
	struct mount_command *m = context;
	/* Mirrors of -o come behind the URLs of the command line. */
	size_t mirror_count = m->settings.url_count;
	int code = 0;

	for (int i = 0; code == 0 && i < operands - 1; i++)
		code = settings_add_url(&m->settings, operand[i]);
	settings_turn_urls(&m->settings, mirror_count);
	m->settings.mountpoint = operand[operands - 1];
	if (m->settings.mount_timeout == 0)
		m->settings.mount_timeout = SETTINGS_DEFAULT_MOUNT_TIMEOUT;
	return code ? code : run_mount(m);
}

const struct command client_mount_command = {
	.name = "mount",
	.operands = "URL... MOUNTPOINT",
	.summary = "mount a published repository; several URLs are mirrors of one another",
	.options = mount_options_table,
	.on_option = on_mount_option,
	.min_operands = 2,
	.max_operands = TRANSPORT_MAX_MIRRORS + 1,
	.run = mount_command_run,
	.context = &the_mount,
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	return *base == '@' ? base + 1 : base;
}

bool client_is_mount_helper(int argc, char **argv)
{
	const char *name = argc > 0 ? base_name(argv[0]) : "";

	if (strcmp(name, "mount.fetchfs") == 0 || strcmp(name, "mount.fuse.fetchfs") == 0)
		return true;
	/* No verb has a slash in it. */
	return argc >= 3 && strchr(argv[1], '/') && argv[1][0] != '-' && strchr(argv[2], '/');
}

/* SPEC DIRECTORY [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]: mount(8), "External helpers". */
int client_mount_helper(int argc, char **argv)
{
	struct settings *s = &the_mount.settings;
	int option, code = 0;

	message_init("mount.fetchfs");
	settings_init(s);
	optind = 0;
	while (code == 0 && (option = getopt(argc, argv, "sfnvN:o:t:")) != -1) {
		if (option == 'o')
			code = settings_parse_options(s, optarg);
		else if (option == 'f')
			return 0;	/* "fake": do everything but mount */
		else if (option == '?')
			return EXIT_USAGE;
	}
	if (code == 0 && argc - optind != 2) {
		message_error("expected a URL and a directory, as mount(8) gives them");
		code = EXIT_USAGE;
	}
	if (code)
		return code;
	return mount_command_run(&the_mount, 2, argv + optind);
}
