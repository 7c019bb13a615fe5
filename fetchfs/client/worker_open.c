/* SPDX-License-Identifier: MIT */
/* The worker's layers: opening them, from the cache upwards, and closing them. See worker.h. */
#include "fetchfs/client/worker.h"
#include "common/message.h"
#include "fetchfs/client/broker.h"
#include "fetchfs/client/cache_trouble.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/snapshot_state.h"
#include "fetchfs/client/state.h"

#include <time.h>

#define RESTORE_LIMIT 60	/* seconds, for all catalogs that have left the cache */

void mount_report(void *context, bool is_trouble, const char *text)
{
	const struct mount *w = context;

	/* Before that, the failure says it all. */
	if (!w->talks)
		return;
	if (is_trouble)
		log_warning("%s: %s", w->settings.mountpoint, text);
	else
		log_note("%s: %s", w->settings.mountpoint, text);
}

static int open_cache(struct mount *w)
{
	const struct settings *s = &w->settings;
	struct cache_config config = { .path = w->start.in_memory ? NULL : s->cache, .has_directory = w->fds[TAKEOVER_CACHE] >= 0, .directory = w->fds[TAKEOVER_CACHE],
				       .lower = s->lower, .quota = s->quota, .quota_percent = s->quota_percent,
				       .free = s->free, .free_percent = s->free_percent, .no_free = s->no_free, .stats = w->stats, .memory = &w->memory };
	errint_t r;

	/* Limits that were meant for a disk do not count where memory takes its place. */
	if (w->start.in_memory && !s->in_memory)
		config.quota = config.quota_percent = 0;
	r = cache_open(&config, &w->cache);
	if (r < 0 && config.path && cache_can_be_memory(s->cache, r)) {
		config.path = NULL;
		config.quota = config.quota_percent = 0;
		r = broker_open_ram(&config.directory);
		if (r == 0) {
			r = cache_open(&config, &w->cache);
			close(config.directory);
		}
	}
	return r == 0 ? 0 : cache_refuse(config.path, s->lower, r);
}

static int open_transport(struct mount *w)
{
	const struct settings *s = &w->settings;
	struct transport_config config = {
		.urls = (const char *const *)s->secret_urls, .url_count = s->url_count, .proxy = s->proxy, .ca_file = s->ca_file,
		.cert_file = s->cert_file, .key_file = s->key_file, .credentials_file = s->credentials_file, .headers_file = s->headers_file,
		.limits = s->limits, .self_contained = s->root,
		.parallel = s->parallel, .report = mount_report, .report_context = w, .stats = w->stats, .memory = &w->memory,
	};
	char error[TRANSPORT_ERROR_SIZE];
	errint_t r = transport_open(&config, &w->transport, error);

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

static int open_store(struct mount *w)
{
	struct store_config config = { .transport = w->transport, .cache = w->cache, .stats = w->stats, .memory = &w->memory, .timeout = w->settings.timeout };
	errint_t r = store_open(&config, &w->store);

	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

static int open_chain(struct mount *w)
{
	struct chain_trouble trouble;
	errint_t r = chain_open(&w->chain, &w->choice, &trouble);

	if (r == 0) {
		w->offline = w->choice.offline;
		w->kept = w->choice.kept;
		if (w->choice.note[0])
			message_warning("%s", w->choice.note);
		return 0;
	}
	message_error("%s", trouble.text[0] ? trouble.text : strerror(-r));
	return trouble.exit_code ? trouble.exit_code : EXIT_SOFTWARE;
}

/* Only a choice that can be mounted is kept. */
static int keep_choice(struct mount *w)
{
	struct chain_trouble trouble = { .exit_code = 0 };
	errint_t r = w->choice.kept ? 0 : chain_keep(&w->chain, &w->choice, &trouble);

	if (r == 0)
		return 0;
	message_error("%s", trouble.text[0] ? trouble.text : strerror(-r));
	return trouble.exit_code ? trouble.exit_code : EXIT_SOFTWARE;
}

static int open_snapshot(struct mount *w)
{
	const struct settings *s = &w->settings;
	char error[TRANSPORT_ERROR_SIZE] = "";
	errint_t r = snapshot_open(&w->snapshot, &w->choice.manifest, w->store, w->cache, w->stats, s->follow, s->mount_timeout, error);

	w->has_snapshot = true;
	if (r == -ETIMEDOUT) {
		message_error("cannot fetch the root catalog: %s: no good answer within %u seconds; check the server, or publish again",
			      error[0] ? error : s->urls[0], s->mount_timeout);
		return EXIT_UNAVAILABLE;
	}
	if (r < 0) {
		message_error("cannot use the root catalog of %s: %s", w->choice.manifest.name,
			      r == -EBADMSG ? "it is malformed though it is signed; publish again"
			      : r == -EPROTONOSUPPORT ? "its format is newer than this program; update fetchfs"
						      : strerror(-r));
		return EXIT_DATA;
	}
	return 0;
}

/* What the worker before had mounted: without a server, and with its inode numbers. */
static int restore_snapshot(struct mount *w, const char *choice, size_t size)
{
	const struct settings *s = &w->settings;
	char error[TRANSPORT_ERROR_SIZE] = "";
	struct chain_trouble trouble;
	unsigned missing = 0;
	errint_t r = chain_restore(&w->chain, choice, size, &w->choice, &trouble);

	if (r < 0) {
		log_warning("%s: cannot take the mount over: %s", s->mountpoint, trouble.text[0] ? trouble.text : strerror(-r));
		return EXIT_SOFTWARE;
	}
	w->state_seen = state_changes(w->fds[TAKEOVER_STATE]);
	r = snapshot_state_restore(&w->snapshot, w->fds[TAKEOVER_STATE], &w->choice.manifest, w->store, w->cache, w->stats, s->follow, RESTORE_LIMIT, error,
				   &missing);
	w->has_snapshot = true;
	if (r < 0) {
		log_warning("%s: cannot take the mount over: %s", s->mountpoint, error[0] ? error : strerror(-r));
		return EXIT_SOFTWARE;
	}
	if (missing)
		log_warning("%s: %u catalogs are in the cache no more and cannot be fetched (%s): files that were open from them fail (ESTALE)", s->mountpoint,
			    missing, error);
	w->is_restored = true;
	return 0;
}

static int choose_snapshot(struct mount *w)
{
	_cleanup_free_ char *choice = NULL;
	size_t size = 0;
	int code;

	w->chain = (struct chain_config){
		.transport = w->transport, .cache = w->cache, .cache_path = w->settings.cache, .keys = w->settings.keys, .key_count = w->settings.key_count,
		.limit = w->settings.mount_timeout, .tag = w->settings.tag, .revision = w->settings.revision, .date = w->settings.date,
		.pin_file = w->settings.pin_file,
	};
	if (snapshot_state_choice(w->fds[TAKEOVER_STATE], &choice, &size) < 0)
		size = 0;
	if (size > 0)
		return restore_snapshot(w, choice, size);
	code = open_chain(w);
	return code == 0 ? open_snapshot(w) : code;
}

/* For a successor. */
static int keep_state(struct mount *w)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	errint_t r = chain_format(&w->chain, &w->choice, &text, &size);

	if (r == 0)
		r = snapshot_state_keep(&w->snapshot, w->fds[TAKEOVER_STATE], text, size);
	w->state_seen = state_changes(w->fds[TAKEOVER_STATE]);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

void mount_init(struct mount *w, struct stats *stats)
{
	w->stats = stats;
	w->start.in_memory = w->settings.in_memory;
	for (size_t i = 0; i < TAKEOVER_FDS; i++)
		w->fds[i] = -1;
	w->channel = w->null_fd = w->control_fd = w->metrics_fd = -1;
}

int mount_open_layers(struct mount *w)
{
	int code;

	memory_init(&w->memory, w->settings.memory);
	code = open_cache(w);
	if (code == 0)
		code = open_transport(w);
	if (code == 0)
		code = open_store(w);
	return code == 0 ? choose_snapshot(w) : code;
}

int worker_refresh_snapshot(struct mount *w)
{
	int code = 0;

	if (w->is_restored && state_changes(w->fds[TAKEOVER_STATE]) != w->state_seen) {
		chain_choice_done(&w->choice);
		snapshot_close(&w->snapshot);
		w->has_snapshot = false;
		code = choose_snapshot(w);
	}
	if (code == 0 && !w->is_restored)
		code = keep_choice(w);
	return code == 0 ? keep_state(w) : code;
}
