/* SPDX-License-Identifier: MIT */
/* The thread that looks for new snapshots; see follow.h. */
#include "fetchfs/client/follow.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/snapshot_state.h"
#include "fetchfs/client/thread.h"

#include <sodium.h>
#include <time.h>

#define ATTEMPTS 10			/* at comparing while ever more is entered */
#define KEYRING_SECONDS (24 * 60 * 60)	/* the keyring is asked for at least so often: it may have revoked a key */
#define SWEEP_NS (20 * NS_PER_SECOND)
#define REPEAT_NS (3600 * NS_PER_SECOND)	/* the same trouble is not reported again sooner */

struct follow {
	struct follow_config config;
	struct chain_config chain;
	struct chain_choice choice;
	int64_t keyring_asked;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop, asked, is_checking;
	uint64_t checks;		/* ended */
	errint_t result;		/* of the last one */
	struct follow_state state;

	pthread_t thread;
	bool is_running;
	char reported[CHAIN_TEXT_SIZE];
	int64_t reported_at;
	bool is_expired;		/* said so */
};

static void report(struct follow *f, bool is_trouble, const char *text)
{
	f->config.report(f->config.report_context, is_trouble, text);
}

static void report_trouble(struct follow *f, const char *text)
{
	int64_t now = clock_now();

	if (strcmp(text, f->reported) == 0 && now - f->reported_at < REPEAT_NS)
		return;
	snprintf(f->reported, sizeof(f->reported), "%s", text);
	f->reported_at = now;
	report(f, true, text);
}

static bool is_stopping(struct follow *f)
{
	bool stop;

	pthread_mutex_lock(&f->lock);
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

/* The kernel drops what is not so any more. Of several errors the first; what can be told is told. */
static errint_t tell_all(struct follow *f, const struct snapshot_change *changes, size_t count)
{
	errint_t first = 0, r = 0;

	for (size_t i = 0; i < count && r != -ESHUTDOWN; i++) {
		r = f->config.tell(f->config.tell_context, &changes[i]);
		if (first == 0)
			first = r;
	}
	/* What it was not told before the end a successor tells it, and what failed this one again. */
	if (first == 0)
		snapshot_state_settle(f->config.snapshot);
	return r == -ESHUTDOWN ? r : first;
}

/* A worker that ended in the middle of it has left it to this one, or not all could be told. */
static errint_t tell_everything(struct follow *f)
{
	struct snapshot_change *changes;
	size_t count;
	errint_t r = snapshot_state_everything(f->config.snapshot, &changes, &count);

	if (r < 0)
		return r;
	r = tell_all(f, changes, count);
	free(changes);
	return r;
}

static void report_told(struct follow *f, errint_t r)
{
	char text[CHAIN_TEXT_SIZE];

	if (r == 0 || r == -ESHUTDOWN)
		return;
	snprintf(text, sizeof(text), "the kernel cannot be told what has changed, and may show names of the revision before: %s; it is told again with the next check",
		 strerror(-r));
	report_trouble(f, text);
}

static errint_t keep_choice(struct follow *f, const struct chain_choice *c, struct snapshot_update *u)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	errint_t r = chain_format(&f->chain, c, &text, &size);

	return r < 0 ? r : snapshot_update_choice(u, text, size);
}

static errint_t change_once(struct follow *f, const struct chain_choice *c, char error[TRANSPORT_ERROR_SIZE])
{
	const struct snapshot_change *changes;
	bool is_behind = f->config.snapshot->untold;
	struct snapshot_update *u;
	size_t count;
	errint_t r = snapshot_prepare(f->config.snapshot, &c->manifest, f->config.limit, &u, error);

	if (r < 0)
		return r;
	r = keep_choice(f, c, u);
	if (r == 0)
		r = snapshot_apply(u, &changes, &count);
	if (r == 0) {
		stats_add(f->config.stats, snapshot_changes, 1);
		report_told(f, is_behind ? tell_everything(f) : tell_all(f, changes, count));
		if (f->config.changed)
			f->config.changed(f->config.tell_context);
	}
	snapshot_update_free(u);
	return r;
}

/* The new snapshot takes the place of the old one. */
static errint_t change(struct follow *f, const struct chain_choice *c, struct chain_trouble *t)
{
	char error[TRANSPORT_ERROR_SIZE] = "", text[CHAIN_TEXT_SIZE];
	uint64_t before = f->config.snapshot->revision;
	int64_t begin = clock_now();
	errint_t r = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && r == -EAGAIN && !is_stopping(f); i++)
		r = change_once(f, c, error);
	if (r == 0) {
		snprintf(text, sizeof(text), "now at revision %llu of %s, before at %llu (%lld ms)", (unsigned long long)c->manifest.revision,
			 c->manifest.name, (unsigned long long)before, (long long)((clock_now() - begin) / NS_PER_MS));
		report(f, false, text);
		return 0;
	}
	t->exit_code = 1;
	snprintf(t->text, sizeof(t->text), "cannot change to revision %llu, and stays at %llu: %s", (unsigned long long)c->manifest.revision,
		 (unsigned long long)before, error[0] ? error : r == -EAGAIN ? "too much is being read for the first time" : strerror(-r));
	return r;
}

/* Pinned: for the next mount. */
static errint_t choose_for_next(struct follow *f, struct chain_choice *c, struct chain_trouble *t)
{
	errint_t r = chain_keep(&f->chain, c, t);

	pthread_mutex_lock(&f->lock);
	if (r == 0)
		f->state.next_revision = c->manifest.revision != f->config.snapshot->revision ? c->manifest.revision : 0;
	pthread_mutex_unlock(&f->lock);
	return r;
}

static bool is_mounted(const struct follow *f, const struct chain_choice *c)
{
	return c->manifest.revision == f->config.snapshot->revision &&
	       digest_equal(&c->manifest.root.digest, &f->config.snapshot->root_record.digest);
}

/* What is mounted stays mounted, but people should know. */
static void watch_expiry(struct follow *f)
{
	int64_t expires = MIN(f->choice.manifest.expires, f->choice.keyring.expires);
	bool is_expired = (int64_t)time(NULL) > expires;
	char text[CHAIN_TEXT_SIZE];

	if (is_expired && !f->is_expired) {
		snprintf(text, sizeof(text), "revision %llu of %s has expired, and nothing newer is to be had: it stays mounted; the repository is not kept up "
			 "to date, or newer revisions are being withheld, or this machine's clock is wrong",
			 (unsigned long long)f->config.snapshot->revision, f->choice.manifest.name);
		report(f, true, text);
	}
	f->is_expired = is_expired;
}

static errint_t check(struct follow *f, struct chain_trouble *t)
{
	bool ask_keyring = clock_now() - f->keyring_asked > KEYRING_SECONDS * NS_PER_SECOND;
	struct chain_choice c;
	errint_t r = chain_check(&f->chain, &f->choice, ask_keyring, &c, t);

	stats_add(f->config.stats, snapshot_checks, 1);
	if (r < 0)
		return r;
	if (ask_keyring)
		f->keyring_asked = clock_now();
	if (c.note[0])
		report_trouble(f, c.note);
	if (!f->config.follows)
		r = choose_for_next(f, &c, t);
	else if (!is_mounted(f, &c))
		r = change(f, &c, t);
	if (r == 0 && f->config.follows) {
		chain_choice_done(&f->choice);
		f->choice = c;
	} else {
		chain_choice_done(&c);
	}
	return r;
}

static void end_check(struct follow *f, errint_t r, const struct chain_trouble *t)
{
	watch_expiry(f);
	if (r < 0)
		report_trouble(f, t->text[0] ? t->text : strerror(-r));
	else
		f->reported[0] = '\0';
	pthread_mutex_lock(&f->lock);
	f->checks++;
	f->is_checking = false;
	f->result = r < 0 ? -EIO : 0;
	f->state.checked = (int64_t)time(NULL);
	f->state.revision = f->config.snapshot->revision;
	f->state.expires = f->choice.manifest.expires;
	snprintf(f->state.error, sizeof(f->state.error), "%s", r < 0 ? t->text[0] ? t->text : strerror(-r) : "");
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Between one and another half of the time: thousands of machines that started together soon ask at different moments. */
static int64_t next_check(const struct follow *f)
{
	return f->config.ttl * (NS_PER_SECOND / 2) + (int64_t)(f->config.ttl * (NS_PER_SECOND / 1000) * randombytes_uniform(1000));
}

/* lock held. Until it is time, somebody asks, or the end. Meanwhile old catalogs go. */
static void wait_for_time(struct follow *f)
{
	int64_t until = f->config.follows ? clock_now() + next_check(f) : INT64_MAX;
	unsigned left = 1;

	f->state.next_check = f->config.follows ? (int64_t)time(NULL) + (until - clock_now()) / NS_PER_SECOND : 0;
	while (!f->stop && !f->asked && clock_now() < until) {
		int64_t wake = left ? MIN(until, clock_now() + SWEEP_NS) : until;
		if (wake == INT64_MAX)
			pthread_cond_wait(&f->changed, &f->lock);
		else
			clock_cond_wait_until(&f->changed, &f->lock, wake);
		pthread_mutex_unlock(&f->lock);
		left = snapshot_sweep(f->config.snapshot);
		pthread_mutex_lock(&f->lock);
	}
	f->asked = false;
}

static void *run(void *context)
{
	struct follow *f = context;

	if (f->config.snapshot->untold)
		report_told(f, tell_everything(f));
	pthread_mutex_lock(&f->lock);
	for (;;) {
		struct chain_trouble trouble = { .exit_code = 0 };
		errint_t r;
		wait_for_time(f);
		if (f->stop)
			break;
		f->is_checking = true;
		pthread_mutex_unlock(&f->lock);
		if (f->config.snapshot->untold)
			report_told(f, tell_everything(f));
		r = check(f, &trouble);
		if (!is_stopping(f))
			end_check(f, r, &trouble);
		pthread_mutex_lock(&f->lock);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

errint_t follow_start(const struct follow_config *config, struct follow **ret)
{
	struct follow *f = calloc(1, sizeof(*f));
	errint_t r;

	if (!f)
		return -ENOMEM;
	f->config = *config;
	f->chain = *config->chain;
	f->choice = *config->choice;
	memset(config->choice, 0, sizeof(*config->choice));
	f->keyring_asked = clock_now();
	f->state = (struct follow_state){ .follows = config->follows, .revision = config->snapshot->revision, .expires = f->choice.manifest.expires };
	pthread_mutex_init(&f->lock, NULL);
	clock_cond_init(&f->changed);
	r = thread_start(&f->thread, run, f);
	f->is_running = r == 0;
	if (r < 0)
		follow_free(f);
	else
		*ret = f;
	return r;
}

void follow_stop(struct follow *f)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void follow_free(struct follow *f)
{
	follow_stop(f);
	if (f->is_running)
		pthread_join(f->thread, NULL);
	chain_choice_done(&f->choice);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
	free(f);
}

errint_t follow_update_now(struct follow *f, unsigned wait)
{
	int64_t until = clock_now() + wait * NS_PER_SECOND;
	uint64_t wanted;
	errint_t r;

	if (f->chain.revision || f->chain.date || (!f->config.follows && !f->chain.pin_file))
		return -EINVAL;
	pthread_mutex_lock(&f->lock);
	/* One that is under way may have asked before there was something new. */
	wanted = f->checks + (f->is_checking ? 2 : 1);
	f->asked = true;
	pthread_cond_broadcast(&f->changed);
	while (!f->stop && f->checks < wanted && clock_now() < until)
		clock_cond_wait_until(&f->changed, &f->lock, until);
	r = f->checks < wanted ? -ETIMEDOUT : f->result;
	pthread_mutex_unlock(&f->lock);
	return r;
}

void follow_get_state(struct follow *f, struct follow_state *ret)
{
	pthread_mutex_lock(&f->lock);
	*ret = f->state;
	pthread_mutex_unlock(&f->lock);
}
