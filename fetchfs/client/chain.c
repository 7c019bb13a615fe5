/* SPDX-License-Identifier: MIT */
/* Keyring and manifest from the servers or from the cache; see chain.h. */
#include "fetchfs/client/chain.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <time.h>

#define URL_FOLDER ".urls"	/* no repository's name begins with a dot */
#define LIMIT_WITH_CACHE 10	/* seconds */
#define FIRST_PAUSE_MS 250
#define MAX_PAUSE_MS 4000

static errint_t trouble(struct chain_trouble *t, errint_t r, int exit_code, const char *format, ...) __attribute__((format(printf, 4, 5)));

static errint_t trouble(struct chain_trouble *t, errint_t r, int exit_code, const char *format, ...)
{
	va_list args;

	t->exit_code = exit_code;
	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	return r;
}

struct text_request {
	struct transport_request request;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void text_done(struct transport_request *r)
{
	struct text_request *t = (struct text_request *)(void *)r;

	pthread_mutex_lock(&t->lock);
	t->done = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* One attempt at one mirror, until then at the longest. -ENOENT: the server says that there is none. */
static errint_t fetch_text(struct transport *transport, int mirror, int64_t until, const char *name, char **ret, size_t *ret_size,
			   char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct text_request t = { .request = { .max_size = MANIFEST_MAX_SIZE, .mirror = mirror, .once = true, .until = until,
					       .revalidate = true, .done = text_done } };
	errint_t r;

	snprintf(t.request.path, sizeof(t.request.path), "%s", name);
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.changed, NULL);
	transport_submit(transport, &t.request);
	pthread_mutex_lock(&t.lock);
	while (!t.done)
		pthread_cond_wait(&t.changed, &t.lock);
	pthread_mutex_unlock(&t.lock);
	r = t.request.result;
	snprintf(ret_error, TRANSPORT_ERROR_SIZE, "%s", t.request.error);
	if (r == 0) {
		*ret = malloc(t.request.size + 1);
		if (*ret) {
			if (t.request.size)
				memcpy(*ret, t.request.data, t.request.size);
			(*ret)[t.request.size] = '\0';
			*ret_size = t.request.size;
		} else {
			r = -ENOMEM;
		}
	}
	transport_finish(transport, &t.request);
	pthread_cond_destroy(&t.changed);
	pthread_mutex_destroy(&t.lock);
	return r;
}

static void format_day(int64_t when, char ret[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, 32, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(ret, 32, "unknown");
}

/* Why a signed text was refused, and what to do. where: "URL/manifest". */
static errint_t refuse(struct chain_trouble *t, errint_t r, const char *url, const char *name, int64_t expires)
{
	char day[32];

	switch (r) {
	case SIGNIFY_E_MALFORMED:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: it is not signed, or not what it should be (a login page of the network, a damaged file?); "
			       "check the URL, or publish again", url, name);
	case SIGNIFY_E_OTHER_KEY:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: it is signed with another key than the one given; check the key and the URL", url, name);
	case SIGNIFY_E_BAD_SIGNATURE:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: its signature is wrong: it was altered after signing; publish again, "
			       "and find out who changed it", url, name);
	case TRUST_E_EXPIRED:
		format_day(expires, day);
		return trouble(t, r, EXIT_DATA, "refused %s/%s: it expired on %s; publish again (fetchfs publish), or set this machine's clock right",
			       url, name, day);
	case TRUST_E_NAME:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: keyring and manifest are of different repositories; check the server", url, name);
	case -EPROTONOSUPPORT:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: its format is newer than this program; update fetchfs", url, name);
	default:
		return trouble(t, r, EXIT_DATA, "refused %s/%s: %s", url, name, strerror(-r));
	}
}

/* A pair of signed texts and what they say. */
struct pair {
	char *keyring_text, *manifest_text;
	size_t keyring_size, manifest_size;
	struct keyring keyring;
	struct manifest manifest;
	bool has_manifest;
};

static void pair_done(struct pair *p)
{
	free(p->keyring_text);
	free(p->manifest_text);
	if (p->has_manifest)
		manifest_done(&p->manifest);
	memset(p, 0, sizeof(*p));
}

static int64_t now_seconds(void)
{
	return (int64_t)time(NULL);
}

static errint_t verify_pair(const struct chain_config *config, struct pair *p, const char *url, int64_t now, struct chain_trouble *t)
{
	errint_t r = trust_open_keyring(config->keys, config->key_count, p->keyring_text, p->keyring_size, now, &p->keyring);

	if (r < 0)
		return refuse(t, r, url, KEYRING_FILE, p->keyring.expires);
	r = trust_open_manifest(&p->keyring, p->manifest_text, p->manifest_size, 0, &p->manifest);
	if (r < 0)
		return refuse(t, r, url, MANIFEST_FILE, 0);
	p->has_manifest = true;
	if (now && now > p->manifest.expires)
		return refuse(t, TRUST_E_EXPIRED, url, MANIFEST_FILE, p->manifest.expires);
	return 0;
}

/* What was accepted last under this name, where that is still to be believed. */
static errint_t read_cached(const struct chain_config *config, const char *name, struct pair *p)
{
	struct chain_trouble ignored;
	errint_t r;

	r = cache_read_text(config->cache, name, KEYRING_FILE, MANIFEST_MAX_SIZE, &p->keyring_text, &p->keyring_size);
	if (r == 0)
		r = cache_read_text(config->cache, name, MANIFEST_FILE, MANIFEST_MAX_SIZE, &p->manifest_text, &p->manifest_size);
	if (r == 0)
		r = verify_pair(config, p, "cache", 0, &ignored);
	if (r < 0)
		pair_done(p);
	return r;
}

static void url_key(const char *url, char ret[17])
{
	struct digest d;

	digest_of(url, strlen(url), &d);
	for (unsigned i = 0; i < 8; i++)
		snprintf(ret + 2 * i, 3, "%02x", d.bytes[i]);
}

/* A full disk must not keep from mounting: then there is no protection against older revisions and no start without a server. */
static void remember(const struct chain_config *config, const struct pair *p, const char *url)
{
	const char *name = p->manifest.name;
	char key[17];

	url_key(url, key);
	(void)cache_write_text(config->cache, name, KEYRING_FILE, p->keyring_text, p->keyring_size);
	(void)cache_write_text(config->cache, name, MANIFEST_FILE, p->manifest_text, p->manifest_size);
	(void)cache_write_text(config->cache, URL_FOLDER, key, name, strlen(name));
}

static errint_t check_rollback(const struct chain_config *config, const struct pair *p, const char *url, struct chain_trouble *t)
{
	struct pair last = { .has_manifest = false };
	errint_t r = 0;

	if (read_cached(config, p->manifest.name, &last) < 0)
		return 0;
	if (p->manifest.revision < last.manifest.revision || p->keyring.serial < last.keyring.serial)
		r = trouble(t, -ESTALE, EXIT_DATA, "refused %s/" MANIFEST_FILE ": revision %llu is older than revision %llu, which was mounted from here before; "
			    "the server is out of date or set back. If that is intended, remove %s/repositories/%s", url,
			    (unsigned long long)p->manifest.revision, (unsigned long long)last.manifest.revision, config->cache_path,
			    p->manifest.name);
	pair_done(&last);
	return r;
}

/* -EHOSTUNREACH: nobody answers there; other errors: what it says is no good. */
static errint_t ask_mirror(const struct chain_config *config, size_t mirror, int64_t until, struct pair *p, struct chain_trouble *t)
{
	const char *url = transport_url(config->transport, mirror);
	char error[TRANSPORT_ERROR_SIZE];
	const char *what = KEYRING_FILE;
	errint_t r = fetch_text(config->transport, (int)mirror, until, what, &p->keyring_text, &p->keyring_size, error);

	if (r == 0) {
		what = MANIFEST_FILE;
		r = fetch_text(config->transport, (int)mirror, until, what, &p->manifest_text, &p->manifest_size, error);
	}
	if (r == -ENOENT && what[0] == 'k')
		return trouble(t, r, EXIT_NO_INPUT, "there is no repository at %s (%s); check the URL", url, error);
	if (r == -ENOENT)
		return trouble(t, r, EXIT_NO_INPUT, "nothing is published at %s yet (%s); publish first", url, error);
	if (r == -EMSGSIZE)
		return trouble(t, r, EXIT_DATA, "refused %s/%s: larger than such a file can be; check the URL", url, what);
	if (r < 0)
		return trouble(t, -EHOSTUNREACH, EXIT_UNAVAILABLE, "cannot fetch %s", error);
	r = verify_pair(config, p, url, now_seconds(), t);
	return r < 0 ? r : check_rollback(config, p, url, t);
}

/* Each mirror once. The first good answer wins; else the most telling trouble: what a server said before that none did. */
static errint_t ask_all(const struct chain_config *config, int64_t until, struct pair *p, size_t *ret_mirror, struct chain_trouble *t)
{
	errint_t worst = -EHOSTUNREACH;
	size_t count = transport_mirrors(config->transport);

	for (size_t i = 0; i < count; i++) {
		struct chain_trouble one = { .exit_code = 0 };
		/* Its share, so that one which hangs leaves time for the others. */
		int64_t now = clock_now(), mine = now + MAX((until - now) / (int64_t)(count - i), NS_PER_SECOND / 2);
		errint_t r;
		pair_done(p);
		r = ask_mirror(config, i, mine, p, &one);
		if (r == 0) {
			*ret_mirror = i;
			return 0;
		}
		if (t->exit_code == 0 || worst == -EHOSTUNREACH)
			*t = one;
		if (worst == -EHOSTUNREACH)
			worst = r;
	}
	pair_done(p);
	return worst;
}

static errint_t find_offline(const struct chain_config *config, struct pair *p, struct chain_trouble *t)
{
	errint_t r = -ENOENT;

	for (size_t i = 0; r < 0 && i < transport_mirrors(config->transport); i++) {
		_cleanup_free_ char *name = NULL;
		size_t size;
		char key[17];
		url_key(transport_url(config->transport, i), key);
		if (cache_read_text(config->cache, URL_FOLDER, key, MANIFEST_NAME_MAX, &name, &size) < 0 || !manifest_name_valid(name))
			continue;
		r = read_cached(config, name, p);
	}
	if (r < 0)
		return r;
	if (now_seconds() > MIN(p->manifest.expires, p->keyring.expires)) {
		errint_t e = refuse(t, TRUST_E_EXPIRED, config->cache_path, MANIFEST_FILE, MIN(p->manifest.expires, p->keyring.expires));
		pair_done(p);
		return e;
	}
	return 0;
}

static bool has_offline(const struct chain_config *config)
{
	struct pair p = { .has_manifest = false };
	struct chain_trouble ignored;
	bool yes = find_offline(config, &p, &ignored) == 0;

	pair_done(&p);
	return yes;
}

errint_t chain_open(const struct chain_config *config, struct manifest *ret, bool *ret_offline, struct chain_trouble *t)
{
	unsigned limit = has_offline(config) ? MIN(config->limit, LIMIT_WITH_CACHE) : config->limit;
	int64_t until = clock_now() + limit * NS_PER_SECOND;
	struct pair p = { .has_manifest = false };
	unsigned pause = FIRST_PAUSE_MS;
	size_t mirror = 0;
	errint_t r;

	memset(t, 0, sizeof(*t));
	*ret_offline = false;
	for (;;) {
		r = ask_all(config, until, &p, &mirror, t);
		if (r != -EHOSTUNREACH || clock_now() + pause * NS_PER_MS > until)
			break;
		usleep(pause * 1000);
		pause = MIN(2 * pause, MAX_PAUSE_MS);
	}
	if (r == 0) {
		remember(config, &p, transport_url(config->transport, mirror));
	} else if (r == -EHOSTUNREACH) {
		char text[CHAIN_TEXT_SIZE - 128];
		snprintf(text, sizeof(text), "%.895s", t->text);
		/* An expired one says so itself. */
		errint_t offline = find_offline(config, &p, t);
		if (offline == 0) {
			*ret_offline = true;
			r = 0;
		} else if (offline != TRUST_E_EXPIRED) {
			trouble(t, r, EXIT_UNAVAILABLE, "%s: no answer within %u seconds, and nothing of it in the cache; check URL, network and server",
				text, limit);
		}
	}
	if (r == 0) {
		*ret = p.manifest;
		p.has_manifest = false;
	}
	pair_done(&p);
	return r;
}
