/* SPDX-License-Identifier: MIT */
/*
 * fetchfs preload: fills a cache directory from a repository without a mount, for `lower=`, for an image, or before the network goes. The layers below FUSE are
 * those of a mount; a profile is brought by its prefetch, paths by the pins' walk, which also keeps what it has from being evicted by what comes after it.
 */
#include "fetchfs/client/client.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/daemon.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/mount.h"
#include "fetchfs/client/thread.h"

#include <jansson.h>
#include <signal.h>

#define PROGRESS_NS (NS_PER_SECOND / 2)

static struct preload {
	struct mount mount;
	struct stats stats;
	bool json, quiet;
	int64_t started, told;
	sigset_t signals;
	pthread_t ender;
	bool has_ender;
	atomic_bool interrupted, over;
	bool profile_failed;
	uint64_t files, bytes, missing;
} the_preload;

static void say_progress(void *context, uint64_t files, uint64_t bytes)
{
	struct preload *p = context;
	int64_t now = clock_now();
	char size[16], fetched[16];

	if (p->quiet || now - p->told < PROGRESS_NS)
		return;
	p->told = now;
	fprintf(stderr, "\r%llu files, %s; fetched %s ", (unsigned long long)(p->files + files), format_size(p->bytes + bytes, size),
		format_size(stats_get(&p->stats, bytes_fetched), fetched));
	fflush(stderr);
}

static void end_progress(struct preload *p)
{
	if (p->told)
		fputc('\n', stderr);
	p->told = 0;
}

/* What has come by then stays, and is marked as in order; a killed program would leave a cache that has to be verified first. */
static void *wait_for_signal(void *context)
{
	struct preload *p = context;
	int signal;

	while (sigwait(&p->signals, &signal) != 0)
		;
	if (atomic_load(&p->over))
		return NULL;
	atomic_store(&p->interrupted, true);
	pins_cancel(p->mount.pins);
	prefetch_cancel(p->mount.prefetch);
	/* Whoever waits for an object is told. */
	transport_stop(p->mount.transport);
	store_stop(p->mount.store);
	return NULL;
}

static errint_t start_ender(struct preload *p)
{
	errint_t r;

	sigemptyset(&p->signals);
	sigaddset(&p->signals, SIGTERM);
	sigaddset(&p->signals, SIGINT);
	sigaddset(&p->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &p->signals, NULL);
	r = thread_start(&p->ender, wait_for_signal, p);
	p->has_ender = r == 0;
	return r;
}

static void stop_ender(struct preload *p)
{
	if (!p->has_ender)
		return;
	atomic_store(&p->over, true);
	pthread_kill(p->ender, SIGTERM);
	pthread_join(p->ender, NULL);
	p->has_ender = false;
}

/* Of the prefetch: whatever it has to complain of means that something of a profile is not there. */
static void report_profile(void *context, bool is_trouble, const char *text)
{
	struct preload *p = context;

	if (is_trouble)
		p->profile_failed = true;
	mount_report(&p->mount, is_trouble, text);
}

static void preload_profile(struct preload *p)
{
	struct mount *m = &p->mount;
	struct prefetch_config config = {
		.profiles = m->settings.profile, .has_budget = true, .budget = m->settings.has_prefetch ? m->settings.prefetch : cache_quota(m->cache),
		.rate = m->settings.prefetch_rate, .manifest = &m->choice.manifest, .snapshot = &m->snapshot, .files = m->files, .store = m->store,
		.cache = m->cache, .stats = m->stats, .report = report_profile, .context = p,
	};

	if (prefetch_start(&config, &m->prefetch) < 0)
		report_profile(p, true, "the profile cannot be fetched: out of memory");
}

static int wait_for_profile(struct preload *p)
{
	const struct manifest *manifest = &p->mount.choice.manifest;
	_cleanup_free_ char *names = strdup(p->mount.settings.profile);
	char *next = names, *name;

	if (!names)
		return EXIT_SOFTWARE;
	while ((name = strsep(&next, ":"))) {
		if (manifest_find_profile(manifest, name))
			continue;
		message_error("revision %llu of %s has no profile '%s'; 'fetchfs stat' lists those it has", (unsigned long long)manifest->revision,
			      manifest->name, name);
		return EXIT_NO_INPUT;
	}
	prefetch_wait(p->mount.prefetch);
	return p->profile_failed ? EXIT_UNAVAILABLE : 0;
}

static int preload_path(struct preload *p, const char *path)
{
	struct pins_result result;
	errint_t r = pins_fetch(p->mount.pins, path, say_progress, p, &result);

	end_progress(p);
	p->files += result.files;
	p->bytes += result.bytes;
	p->missing += result.missing;
	if (atomic_load(&p->interrupted))
		return 0;
	if (r == -EINVAL || r == -ENAMETOOLONG) {
		message_error("'%s': expected a path from the repository's root, without . and .. in it", path);
		return EXIT_USAGE;
	}
	if (r < 0) {
		message_error("cannot keep anything in %s: %s", p->mount.settings.cache, strerror(-r));
		return EXIT_CANNOT_CREATE;
	}
	if (!result.error)
		return 0;
	message_error("'%s': %s%s", path, result.error, result.missing ? "" : "; nothing was fetched");
	return result.no_such ? EXIT_NO_INPUT : EXIT_UNAVAILABLE;
}

/* All paths are tried; the first that failed gives the exit code. */
static int preload_paths(struct preload *p, char **paths, int count)
{
	char everything[] = "/", *all[] = { everything };
	int code = 0;

	if (count == 0 && !p->mount.settings.profile) {
		paths = all;
		count = 1;
	}
	for (int i = 0; i < count && !atomic_load(&p->interrupted); i++) {
		int one = preload_path(p, paths[i]);
		code = code ? code : one;
	}
	return code;
}

static void tell(struct preload *p, bool complete)
{
	struct mount *m = &p->mount;
	double seconds = (double)(clock_now() - p->started) / (double)NS_PER_SECOND;
	uint64_t fetched = stats_get(m->stats, bytes_fetched), cached = cache_usage(m->cache);
	char size[16], sent[16], usage[16];
	json_t *j;

	if (!p->json) {
		printf("%s revision %llu: %llu files, %s; fetched %s in %.1f s; the cache holds %s%s\n", m->snapshot.name, (unsigned long long)m->snapshot.revision,
		       (unsigned long long)p->files, format_size(p->bytes, size), format_size(fetched, sent), seconds, format_size(cached, usage),
		       complete ? "" : "; NOT COMPLETE");
		return;
	}
	j = json_pack("{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "name", m->snapshot.name, "revision", (json_int_t)m->snapshot.revision, "complete",
		      complete, "files", (json_int_t)p->files, "bytes", (json_int_t)p->bytes, "missing_files", (json_int_t)p->missing, "fetched_bytes",
		      (json_int_t)fetched, "requests", (json_int_t)stats_get(m->stats, requests), "cache_bytes", (json_int_t)cached, "seconds", seconds);
	if (j && json_dumpf(j, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(j);
}

static int work(struct preload *p, char **paths, int count)
{
	struct mount *m = &p->mount;
	int code;

	mount_init(m, &p->stats);
	code = mount_open_layers(m);

	if (code)
		return code;
	if (m->offline) {
		message_error("no server answers: nothing can be fetched; check URL, network and server, and start again");
		return EXIT_UNAVAILABLE;
	}
	m->talks = true;
	if (files_new(m->store, m->cache, m->stats, &m->memory, m->settings.verify, &m->files) < 0 || pins_new(&m->snapshot, m->files, m->cache, &m->pins) < 0)
		return EXIT_SOFTWARE;
	if (m->settings.profile)
		preload_profile(p);
	if (start_ender(p) < 0)
		return EXIT_SOFTWARE;
	code = m->settings.profile ? wait_for_profile(p) : 0;
	if (code == 0)
		code = preload_paths(p, paths, count);
	stop_ender(p);
	if (atomic_load(&p->interrupted)) {
		message_error("interrupted; what has come is kept: start again to go on");
		code = EXIT_UNAVAILABLE;
	}
	tell(p, code == 0);
	return code;
}

enum { ID_PROFILE = 256, ID_JSON };

static const struct option_spec options_table[] = {
	{ 'K', "key", "KEY.pub", "trust this root key; may be repeated", 0 },
	{ 'c', "cache", "DIRECTORY", "fill this cache (default: that of fetchfs mount)", 0 },
	{ 'q', "quota", "SIZE", "let the cache take at most so much, as 20G or 50% (default: 50% of the file system)", 0 },
	{ 't', "tag", "TAG", "take the revision of this tag, not the latest", 0 },
	{ 'o', "options", "OPTIONS", "options of fetchfs mount, separated by commas (see fetchfs(1))", 0 },
	{ 0, "profile", "NAME", "fetch what this profile lists; several: NAME:NAME", ID_PROFILE },
	{ 0, "proxy", "PROXIES", "fetch through these (as fetchfs mount)", SETTINGS_ID_PROXY },
	{ 0, "json", NULL, "print the summary as JSON", ID_JSON },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	struct preload *p = context;
	struct settings *s = &p->mount.settings;

	switch (id) {
	case ID_PROFILE:
		s->profile = value;
		return 0;
	case ID_JSON:
		p->json = true;
		return 0;
	}
	return settings_on_option(s, id, value);
}

static int run(void *context, int operands, char **operand)
{
	struct preload *p = context;
	struct settings *s = &p->mount.settings;
	size_t mirror_count = s->url_count;
	int code = settings_add_url(s, operand[operands - 1]);

	settings_turn_urls(s, mirror_count);
	if (s->mount_timeout == 0)
		s->mount_timeout = SETTINGS_DEFAULT_MOUNT_TIMEOUT;
	s->pin = !s->follow;
	if (code == 0)
		code = settings_finish(s);
	if (code == 0 && s->in_memory) {
		message_error("a cache in memory cannot be preloaded: name a directory with -c");
		code = EXIT_USAGE;
	}
	if (code)
		return code;
	/* For the messages. */
	s->mountpoint = s->cache;
	p->quiet = !isatty(STDERR_FILENO);
	p->started = clock_now();
	signal(SIGPIPE, SIG_IGN);
	daemon_raise_limits();
	daemon_tune_memory();
	code = work(p, operand, operands - 1);
	stop_ender(p);
	mount_close(&p->mount);
	return code;
}

const struct command client_preload_command = {
	.name = "preload",
	.operands = "[PATH...] URL",
	.summary = "fill a cache with files, or all, of a repository without mounting it",
	.options = options_table,
	.on_option = on_option,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
	.context = &the_preload,
};
