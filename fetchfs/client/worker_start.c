/* SPDX-License-Identifier: MIT */
/* What a worker does beside its layers: control, recording, pins, profiles, following, the scrub; and the end of all. See worker.h. */
#include "fetchfs/client/worker.h"
#include "common/message.h"
#include "fetchfs/client/log.h"

static bool passes(void *context)
{
	const struct mount *w = context;

	return w->fs && fs_can_pass(w->fs);
}

static int open_control(struct mount *w)
{
	const struct settings *s = &w->settings;
	errint_t r;

	w->control = (struct control){ .mountpoint = s->mountpoint, .cache_path = s->cache, .snapshot = &w->snapshot, .cache = w->cache,
				       .transport = w->transport, .stats = w->stats, .memory = &w->memory, .passthrough = passes, .passthrough_context = w,
				       .offline = w->offline, .since = w->start.since, .pid = w->start.supervisor, .restarts = w->start.restarts };
	if (s->log_level)
		log_set_level(s->log_level);
	log_set_field("FETCHFS_MOUNT", s->mountpoint);
	log_set_field("FETCHFS_REPOSITORY", w->snapshot.name);
	if (w->control_fd < 0 && w->metrics_fd < 0)
		return 0;
	r = control_new(&w->control, &w->ctl);
	if (r == 0)
		r = ctl_set_listeners(w->ctl, steal_fd(&w->control_fd), w->start.control_path, steal_fd(&w->metrics_fd));
	if (r < 0) {
		message_error("cannot start: %s", strerror(-r));
		return EXIT_SOFTWARE;
	}
	ctl_set_owner(w->ctl, w->start.owner);
	return 0;
}

static int open_record(struct mount *w)
{
	const char *file = w->settings.record;
	errint_t r = record_new(&w->snapshot, mount_report, w, &w->record);

	/* What the worker before has noted is in its file, and stays there. */
	if (r == 0 && file && !w->start.first)
		log_warning("%s: the recording in %s has ended with the worker that made it", w->settings.mountpoint, file);
	else if (r == 0 && file)
		r = record_start(w->record, file);
	if (r == 0)
		return 0;
	message_error("cannot record to %s: %s", file ? file : "a file", strerror(-r));
	return r == -ENOMEM ? EXIT_SOFTWARE : EXIT_CANNOT_CREATE;
}

int worker_open_fs(struct mount *w)
{
	const struct settings *s = &w->settings;
	struct fs_config config = {
		.snapshot = &w->snapshot, .cache = w->cache, .transport = w->transport, .stats = w->stats,
		.passthrough = s->passthrough, .opens = s->opens, .splice = !s->no_splice, .pid = w->start.supervisor,
	};
	int code = open_control(w);
	errint_t r;

	if (code == 0)
		code = open_record(w);
	if (code)
		return code;
	r = s->passthrough ? open_modes_map(w->fds[TAKEOVER_MODES], &w->modes) : 0;
	if (r == 0)
		r = files_new(w->store, w->cache, w->stats, &w->memory, s->verify, &w->files);
	if (r == 0) {
		config.files = w->files;
		config.record = w->record;
		config.modes = w->modes;
		config.generation = w->start.generation;
		config.socket = w->ctl ? ctl_path(w->ctl) : NULL;
		r = fs_new(&config, &w->fs);
	}
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

static int start_pins(struct mount *w)
{
	const char *error = NULL;
	errint_t r = pins_new(&w->snapshot, w->files, w->cache, &w->pins);

	w->control.pins = w->pins;
	if (r == 0)
		pins_start(w->pins, &error);
	if (error)
		log_warning("%s: the list of pins in the cache cannot be used: %s", w->settings.mountpoint, error);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

/* When all that can be asked is there. */
static int start_control(struct mount *w)
{
	errint_t r = w->ctl ? ctl_add(w->ctl, pins_verbs, w->pins) : 0;

	if (r == 0 && w->ctl)
		r = ctl_add(w->ctl, record_verbs, w->record);
	if (r == 0 && w->ctl)
		r = ctl_add(w->ctl, follow_verbs, w->follow);
	if (r == 0 && w->ctl)
		r = ctl_add(w->ctl, scrub_verbs, &w->scrub);
	if (r == 0 && w->ctl)
		r = ctl_start(w->ctl);
	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

/* Not worth failing for. */
static void start_prefetch(struct mount *w)
{
	const struct settings *s = &w->settings;
	struct prefetch_config config = {
		.profiles = s->profile, .has_budget = s->has_prefetch, .budget = s->prefetch, .rate = s->prefetch_rate, .manifest = &w->choice.manifest,
		.snapshot = &w->snapshot, .files = w->files, .store = w->store, .cache = w->cache, .stats = w->stats, .report = mount_report, .context = w,
	};
	errint_t r = prefetch_start(&config, &w->prefetch);

	if (r < 0)
		log_warning("%s: nothing is fetched ahead: %s", s->mountpoint, strerror(-r));
}

static void damaged(void *context, const struct digest *key)
{
	struct mount *w = context;
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(key, text);
	log_warning("%s: %s in the cache is damaged; it will be fetched again when it is wanted", w->settings.mountpoint, text);
	fs_distrust(w->fs, key);
}

static void start_scrub(struct mount *w)
{
	w->scrub.config = (struct scrub_config){ .cache = w->cache, .stats = w->stats, .rate = w->settings.scrub, .damaged = damaged, .context = w };
	if (w->settings.scrub > 0 && scrub_start(&w->scrub.config, &w->scrub.scrub) < 0)
		log_warning("%s: the scrub cannot be started", w->settings.mountpoint);
}

static errint_t tell_kernel(void *context, const struct snapshot_change *change)
{
	struct mount *w = context;

	return fs_tell(w->fs, change);
}

static void changed(void *context)
{
	const struct mount *w = context;

	pins_again(w->pins);
}

static int start_following(struct mount *w)
{
	const struct settings *s = &w->settings;
	struct follow_config config = {
		.chain = &w->chain, .choice = &w->choice, .snapshot = &w->snapshot, .tell = tell_kernel, .changed = changed, .tell_context = w, .stats = w->stats,
		.follows = s->follow, .ttl = s->ttl, .limit = s->mount_timeout, .report = mount_report, .report_context = w,
	};
	errint_t r = follow_start(&config, &w->follow);

	if (r < 0)
		message_error("cannot start: %s", strerror(-r));
	return r < 0 ? EXIT_SOFTWARE : 0;
}

int worker_start(struct mount *w)
{
	int code = start_pins(w);

	if (code)
		return code;
	start_prefetch(w);
	return 0;
}

int worker_follow(struct mount *w)
{
	int code = start_following(w);

	if (code)
		return code;
	start_scrub(w);
	return start_control(w);
}

void mount_stop(struct mount *w)
{
	if (w->has_stopped)
		return;
	w->has_stopped = true;
	if (w->ctl)
		ctl_stop(w->ctl);
	if (w->follow)
		follow_stop(w->follow);
	scrub_stop(steal_ptr(w->scrub.scrub));
	prefetch_stop(w->prefetch);
	if (w->transport)
		transport_stop(w->transport);
	if (w->store)
		store_stop(w->store);
	pins_free(steal_ptr(w->pins));
	if (w->follow)
		follow_free(steal_ptr(w->follow));
}

void mount_close(struct mount *w)
{
	mount_stop(w);
	if (w->fs)
		fs_free(w->fs);
	ctl_free(w->ctl);
	prefetch_free(w->prefetch);
	record_free(w->record);
	if (w->files)
		files_free(w->files);
	if (w->has_snapshot)
		snapshot_close(&w->snapshot);
	if (w->store)
		store_free(w->store);
	if (w->transport)
		transport_free(w->transport);
	chain_choice_done(&w->choice);
	if (w->cache)
		cache_close(w->cache);
	open_modes_unmap(w->modes);
	journal_close(w->journal);
	memory_done(&w->memory);
}
