/* SPDX-License-Identifier: MIT */
/*
 * fetchfs mount: puts the layers together, tells people what went wrong, and stays until the end of the mount. Also the program as mount(8) calls it.
 */
#include "fetchfs/client/client.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/mount.h"

#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static struct mount the_mount;

void mount_report(void *context, bool is_trouble, const char *text)
{
	const struct mount *m = context;

	/* Before that, the failure says it all. */
	if (!m->talks)
		return;
	if (is_trouble)
		log_warning("%s: %s", m->settings.mountpoint, text);
	else
		log_note("%s: %s", m->settings.mountpoint, text);
}

/* What a full, read-only or broken disk says, in contrast to a wrong name or a missing right. */
static bool can_do_without(errint_t r)
{
	return r == -EROFS || r == -ENOSPC || r == -EDQUOT || r == -EIO;
}

static int open_cache(struct mount *m)
{
	const struct settings *s = &m->settings;
	struct cache_config config = { .path = s->in_memory ? NULL : s->cache, .lower = s->lower, .quota = s->quota, .quota_percent = s->quota_percent,
				       .free = s->free, .free_percent = s->free_percent, .no_free = s->no_free, .stats = &m->stats, .memory = &m->memory };
	errint_t r = cache_open(&config, &m->cache);

	if (config.path && can_do_without(r)) {
		message_warning("cannot use the cache directory %s: %s; the cache is kept in memory and will be lost at the end", s->cache, strerror(-r));
		/* The limits were meant for the disk. */
		config.path = NULL;
		config.quota = config.quota_percent = 0;
		r = cache_open(&config, &m->cache);
	}
	if (r == 0)
		return 0;
	if (!config.path)
		message_error("cannot keep the cache in memory: %s; a tmpfs of its own needs root, /dev/shm must be a tmpfs else", strerror(-r));
	else if (s->lower)
		message_error("cannot use the cache directory %s or one of those beneath (%s): %s", s->cache, s->lower, strerror(-r));
	else
		message_error("cannot use the cache directory %s: %s; give another one with -c DIRECTORY", s->cache, strerror(-r));
	return r == -EACCES || r == -EPERM ? EXIT_NO_PERMISSION : EXIT_CANNOT_CREATE;
}

static int open_transport(struct mount *m)
{
	const struct settings *s = &m->settings;
	struct transport_config config = {
		.urls = (const char *const *)s->secret_urls, .url_count = s->url_count, .proxy = s->proxy, .ca_file = s->ca_file,
		.cert_file = s->cert_file, .key_file = s->key_file, .credentials_file = s->credentials_file, .headers_file = s->headers_file,
		.limits = s->limits, .self_contained = s->root,
		.parallel = s->parallel, .report = mount_report, .report_context = m, .stats = &m->stats, .memory = &m->memory,
	};
	char error[TRANSPORT_ERROR_SIZE];
	errint_t r = transport_open(&config, &m->transport, error);

	if (r == 0)
		return 0;
	if (error[0]) {
		message_error("%s", error);
		return r == -EINVAL ? EXIT_CONFIG : r == -EPERM ? EXIT_NO_PERMISSION : EXIT_NO_INPUT;
	}
	if (r == -EINVAL)
		message_error("cannot mount %s: expected a URL of http, https or file, or a path", s->urls[0]);
	else
		message_error("cannot mount %s: %s", s->urls[0], strerror(-r));
	return r == -ENOENT || r == -ENOTDIR ? EXIT_NO_INPUT : r == -EINVAL ? EXIT_USAGE : EXIT_SOFTWARE;
}

static int open_store(struct mount *m)
{
	struct store_config config = { .transport = m->transport, .cache = m->cache, .stats = &m->stats, .memory = &m->memory, .timeout = m->settings.timeout };
	errint_t r = store_open(&config, &m->store);

	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

static int open_chain(struct mount *m)
{
	const struct settings *s = &m->settings;
	struct chain_trouble trouble;
	errint_t r;

	m->chain = (struct chain_config){
		.transport = m->transport, .cache = m->cache, .cache_path = s->cache, .keys = s->keys, .key_count = s->key_count,
		.limit = s->mount_timeout, .tag = s->tag, .revision = s->revision, .date = s->date, .pin_file = s->pin_file,
	};
	r = chain_open(&m->chain, &m->choice, &trouble);
	if (r == 0) {
		m->offline = m->choice.offline;
		m->kept = m->choice.kept;
		if (m->choice.note[0])
			message_warning("%s", m->choice.note);
		return 0;
	}
	message_error("%s", trouble.text[0] ? trouble.text : strerror(-r));
	return trouble.exit_code ? trouble.exit_code : EXIT_SOFTWARE;
}

/* Only a choice that can be mounted is kept. */
static int keep_choice(struct mount *m)
{
	struct chain_trouble trouble = { .exit_code = 0 };
	errint_t r = m->choice.kept ? 0 : chain_keep(&m->chain, &m->choice, &trouble);

	if (r == 0)
		return 0;
	message_error("%s", trouble.text[0] ? trouble.text : strerror(-r));
	return trouble.exit_code ? trouble.exit_code : EXIT_SOFTWARE;
}

static int open_snapshot(struct mount *m)
{
	const struct settings *s = &m->settings;
	char error[TRANSPORT_ERROR_SIZE] = "";
	errint_t r = snapshot_open(&m->snapshot, &m->choice.manifest, m->store, m->cache, &m->stats, s->follow, s->mount_timeout, error);

	m->has_snapshot = true;
	if (r == -ETIMEDOUT) {
		message_error("cannot fetch the root catalog: %s: no good answer within %u seconds; check the server, or publish again",
			      error[0] ? error : s->urls[0], s->mount_timeout);
		return EXIT_UNAVAILABLE;
	}
	if (r < 0) {
		message_error("cannot use the root catalog of %s: %s", m->choice.manifest.name,
			      r == -EBADMSG ? "it is malformed though it is signed; publish again"
			      : r == -EPROTONOSUPPORT ? "its format is newer than this program; update fetchfs"
						      : strerror(-r));
		return EXIT_DATA;
	}
	return 0;
}

/* In a FUSE thread, when the kernel has begun to talk: from now on the mount can be used. */
static void mounted(void *context)
{
	struct mount *m = context;

	log_note("mounted %s revision %llu at %s%s", m->snapshot.name, (unsigned long long)m->snapshot.revision, m->settings.mountpoint,
		 m->offline ? " from the cache, since no server answers" : m->kept ? " as pinned earlier" : "");
	if (m->daemon.ready_fd >= 0)
		daemon_ready(&m->daemon, !log_open(m->settings.log, m->settings.root));
	else if (m->settings.log != LOG_TO_DEFAULT)
		(void)log_open(m->settings.log, m->settings.root);
}

static bool passes(void *context)
{
	const struct mount *m = context;

	return m->fs && fs_can_pass(m->fs);
}

static int open_control(struct mount *m)
{
	const struct settings *s = &m->settings;

	m->control = (struct control){ .mountpoint = s->mountpoint, .cache_path = s->cache, .snapshot = &m->snapshot, .cache = m->cache,
				       .transport = m->transport, .stats = &m->stats, .memory = &m->memory, .passthrough = passes, .passthrough_context = m,
				       .offline = m->offline, .since = time(NULL) };
	if (s->log_level)
		log_set_level(s->log_level);
	log_set_field("FETCHFS_MOUNT", s->mountpoint);
	log_set_field("FETCHFS_REPOSITORY", m->snapshot.name);
	return control_open(&m->control, s->control, s->metrics, &m->ctl);
}

static int start_pins(struct mount *m)
{
	const char *error = NULL;
	errint_t r = pins_new(&m->snapshot, m->files, m->cache, &m->pins);

	m->control.pins = m->pins;
	if (r == 0)
		pins_start(m->pins, &error);
	if (error)
		log_warning("%s: the list of pins in the cache cannot be used: %s", m->settings.mountpoint, error);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

/* When all that can be asked is there. */
static int start_control(struct mount *m)
{
	errint_t r = m->ctl ? ctl_add(m->ctl, pins_verbs, m->pins) : 0;

	if (r == 0 && m->ctl)
		r = ctl_add(m->ctl, record_verbs, m->record);
	if (r == 0 && m->ctl)
		r = ctl_add(m->ctl, follow_verbs, m->follow);
	if (r == 0 && m->ctl)
		r = ctl_add(m->ctl, scrub_verbs, &m->scrub);
	if (r == 0 && m->ctl)
		r = ctl_start(m->ctl);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

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

static int open_record(struct mount *m)
{
	const char *file = m->settings.record;
	errint_t r = record_new(&m->snapshot, mount_report, m, &m->record);

	if (r == 0 && file)
		r = record_start(m->record, file);
	if (r == 0)
		return 0;
	message_error("cannot record to %s: %s", file ? file : "a file", strerror(-r));
	return r == -ENOMEM ? EXIT_SOFTWARE : EXIT_CANNOT_CREATE;
}

/* Not worth failing for. */
static void start_prefetch(struct mount *m)
{
	const struct settings *s = &m->settings;
	struct prefetch_config config = {
		.profiles = s->profile, .has_budget = s->has_prefetch, .budget = s->prefetch, .rate = s->prefetch_rate, .manifest = &m->choice.manifest,
		.snapshot = &m->snapshot, .files = m->files, .store = m->store, .cache = m->cache, .stats = &m->stats, .report = mount_report, .context = m,
	};
	errint_t r = prefetch_start(&config, &m->prefetch);

	if (r < 0)
		log_warning("%s: nothing is fetched ahead: %s", s->mountpoint, strerror(-r));
}

static int open_fs(struct mount *m)
{
	const struct settings *s = &m->settings;
	_cleanup_free_ char *options = mount_options(s);
	struct fs_config config = {
		.snapshot = &m->snapshot, .cache = m->cache, .transport = m->transport, .stats = &m->stats, .options = options, .record = m->record,
		.passthrough = s->passthrough, .opens = s->opens, .splice = !s->no_splice,
		.socket = m->ctl ? ctl_path(m->ctl) : NULL, .mounted = mounted, .context = m,
	};
	errint_t r = options ? files_new(m->store, m->cache, &m->stats, &m->memory, s->verify, &m->files) : -ENOMEM;

	if (r == 0) {
		config.files = m->files;
		r = fs_open(&config, s->mountpoint, &m->fs);
		m->talks = r == 0;
	}
	if (r == 0)
		return 0;
	message_error("cannot mount at %s%s", s->mountpoint, geteuid() == 0 ? "; is there /dev/fuse?"
		      : ": mounting as a user needs fusermount3 (package fuse3), /dev/fuse, and a directory of one's own");
	return r == -ENOMEM ? EXIT_SOFTWARE : EXIT_NO_PERMISSION;
}

static void damaged(void *context, const struct digest *key)
{
	struct mount *m = context;
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(key, text);
	log_warning("%s: %s in the cache is damaged; it will be fetched again when it is wanted", m->settings.mountpoint, text);
	fs_distrust(m->fs, key);
}

static void start_scrub(struct mount *m)
{
	m->scrub.config = (struct scrub_config){ .cache = m->cache, .stats = &m->stats, .rate = m->settings.scrub, .damaged = damaged, .context = m };
	if (m->settings.scrub > 0 && scrub_start(&m->scrub.config, &m->scrub.scrub) < 0)
		log_warning("%s: the scrub cannot be started", m->settings.mountpoint);
}

static errint_t tell_kernel(void *context, const struct snapshot_change *change)
{
	struct mount *m = context;

	return fs_tell(m->fs, change);
}

static void changed(void *context)
{
	const struct mount *m = context;

	pins_again(m->pins);
}

static int start_following(struct mount *m)
{
	const struct settings *s = &m->settings;
	struct follow_config config = {
		.chain = &m->chain, .choice = &m->choice, .snapshot = &m->snapshot, .tell = tell_kernel, .changed = changed, .tell_context = m, .stats = &m->stats,
		.follows = s->follow, .ttl = s->ttl, .limit = s->mount_timeout, .report = mount_report, .report_context = m,
	};
	errint_t r = follow_start(&config, &m->follow);

	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

void mount_close(struct mount *m)
{
	if (m->ctl)
		ctl_stop(m->ctl);
	if (m->follow)
		follow_stop(m->follow);
	if (m->fs)
		fs_unmount(m->fs);
	scrub_stop(m->scrub.scrub);
	prefetch_stop(m->prefetch);
	if (m->transport)
		transport_stop(m->transport);
	if (m->store)
		store_stop(m->store);
	pins_free(m->pins);
	if (m->follow)
		follow_free(m->follow);
	if (m->fs)
		fs_free(m->fs);
	ctl_free(m->ctl);
	prefetch_free(m->prefetch);
	record_free(m->record);
	if (m->files)
		files_free(m->files);
	if (m->has_snapshot)
		snapshot_close(&m->snapshot);
	if (m->store)
		store_free(m->store);
	if (m->transport)
		transport_free(m->transport);
	chain_choice_done(&m->choice);
	if (m->cache)
		cache_close(m->cache);
	memory_done(&m->memory);
}

int mount_open_layers(struct mount *m)
{
	int code;

	memory_init(&m->memory, m->settings.memory);
	code = open_cache(m);
	if (code == 0)
		code = open_transport(m);
	if (code == 0)
		code = open_store(m);
	if (code == 0)
		code = open_chain(m);
	if (code == 0)
		code = open_snapshot(m);
	return code;
}

static int serve(struct mount *m)
{
	int code = mount_open_layers(m);

	if (code == 0)
		code = keep_choice(m);
	if (code == 0)
		code = open_control(m);
	if (code == 0)
		code = open_record(m);
	if (code == 0)
		code = open_fs(m);
	if (code == 0)
		code = start_pins(m);
	if (code == 0)
		start_prefetch(m);
	if (code == 0)
		code = start_following(m);
	if (code == 0)
		start_scrub(m);
	if (code == 0)
		code = start_control(m);
	if (code == 0) {
		errint_t r = fs_run(m->fs, !m->settings.root);
		if (r < 0) {
			log_warning("%s: the mount ends: %s", m->settings.mountpoint, strerror(-r));
			code = EXIT_SOFTWARE;
		}
	}
	mount_close(m);
	return code;
}

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

static int run_mount(struct mount *m)
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
	daemon_tune_memory();
	if (s->root)
		daemon_carry_root();
	return serve(m);
}

enum { ID_TIMEOUT = 256, ID_PROXY, ID_RECORD };

static const struct option_spec mount_options_table[] = {
	{ 'K', "key", "KEY.pub", "trust this root key; may be repeated", 0 },
	{ 'c', "cache", "DIRECTORY", "keep fetched files here (default: ~/.cache/fetchfs, as root /var/cache/fetchfs)", 0 },
	{ 'q', "quota", "SIZE", "let the cache take at most so much, as 20G or 50% (default: 50% of the file system)", 0 },
	{ 't', "tag", "TAG", "mount the revision of this tag, not the latest", 0 },
	{ 'o', "options", "OPTIONS", "mount options, separated by commas (see fetchfs(1))", 0 },
	{ 0, "record", "FILE", "note in FILE what is read, in order: a profile for 'publish --profile'", ID_RECORD },
	{ 'f', "foreground", NULL, "stay in the foreground", 0 },
	{ 0, "proxy", "PROXIES", "fetch through these, as 'http://a:80|http://b:80;DIRECT' (default: http_proxy, https_proxy and no_proxy)", ID_PROXY },
	{ 0, "timeout", "SECONDS", "fail reads that wait longer (default: 0, wait without end)", ID_TIMEOUT },
	{ 0 }
};

static int on_mount_option(void *context, int id, const char *value)
{
	struct mount *m = context;
	struct settings *s = &m->settings;
	uint64_t number;

	switch (id) {
	case 'K':
		return settings_add_key(s, value);
	case 'c':
		free(s->cache);
		s->cache = strdup(value);
		return s->cache ? 0 : EXIT_SOFTWARE;
	case 'q':
		return settings_set_quota(s, value);
	case 't':
		s->tag = value;
		return 0;
	case 'o':
		return settings_parse_options(s, (char *)value);
	case 'f':
		s->foreground = true;
		return 0;
	case ID_PROXY:
		/* From argv, where it is overwritten. */
		return settings_set_proxy(s, (char *)value);
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
	return 0;
}

static int mount_command_run(void *context, int operands, char **operand)
{
	struct mount *m = context;
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
