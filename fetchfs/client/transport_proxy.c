/* SPDX-License-Identifier: MIT */
/* The notation of proxies, and which one is used; see transport_proxy.h. */
#include "fetchfs/client/transport_proxy.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/transport_secret.h"

#include <sodium.h>
#include <strings.h>

#define BACKOFF_FIRST (2 * NS_PER_SECOND)
#define BACKOFF_MAX (120 * NS_PER_SECOND)
#define DOUBTS 4		/* failures in a row that may be the server's as well */
#define AVOIDED (INT64_MAX / 2)

/* A host name or address with nothing in it that would end it early. */
static bool is_host(const char *p)
{
	size_t n = strcspn(p, "/");

	if (n == 0 || (p[n] == '/' && p[n + 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || strchr("@?#\"<>\\^`{|}", p[i]))
			return false;
	return true;
}

/* name holds "user:password", with escapes. */
static errint_t split_user(struct proxy *p)
{
	char *colon = p->name ? strchr(p->name, ':') : NULL;

	if (!p->name)
		return 0;
	p->password = strdup(colon ? colon + 1 : "");
	if (!p->password)
		return -ENOMEM;
	if (colon)
		sodium_memzero(colon, strlen(colon));
	secret_unescape(p->name);
	secret_unescape(p->password);
	return 0;
}

static errint_t add_proxy(struct proxy_list *l, const char *text, size_t length, unsigned group, char ret_error[160])
{
	struct proxy *p = &l->proxies[l->count];
	_cleanup_free_ char *whole = NULL;
	const char *host;
	errint_t r;

	while (length > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		length--;
	}
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	if (length == 0 || l->count == PROXY_MAX) {
		snprintf(ret_error, 160, length ? "more than %d proxies" : "an empty name of a proxy (limit %d)", PROXY_MAX);
		return -EINVAL;
	}
	*p = (struct proxy){ .group = group };
	whole = strndup(text, length);
	if (!whole)
		return -ENOMEM;
	if (strcasecmp(whole, "DIRECT") == 0) {
		p->url = strdup("");
		l->count += !!p->url;
		return p->url ? 0 : -ENOMEM;
	}
	if (!strstr(whole, "://")) {
		char *with = io_format("http://%s", whole);
		secret_free(whole);
		whole = with;
		if (!whole)
			return -ENOMEM;
	}
	r = secret_split_url(whole, &p->url, &p->name);
	sodium_memzero(whole, strlen(whole));
	if (r < 0)
		return r;
	l->count++;
	r = split_user(p);
	if (r < 0)
		return r;
	host = strncmp(p->url, "http://", 7) == 0 ? p->url + 7 : strncmp(p->url, "https://", 8) == 0 ? p->url + 8 : NULL;
	if (host && is_host(host))
		return 0;
	snprintf(ret_error, 160, "'%.80s' is no proxy; expected http://HOST:PORT or DIRECT", p->url);
	return -EINVAL;
}

errint_t proxy_list_parse(const char *text, struct proxy_list *ret, char ret_error[160])
{
	unsigned group = 0;
	errint_t r = 0;

	memset(ret, 0, sizeof(*ret));
	if (strlen(text) > PROXY_TEXT_MAX) {
		snprintf(ret_error, 160, "the list of proxies is longer than %d characters", PROXY_TEXT_MAX);
		return -EINVAL;
	}
	for (const char *p = text; r == 0; p++) {
		size_t n = strcspn(p, "|;");
		r = add_proxy(ret, p, n, group, ret_error);
		p += n;
		group += *p == ';';
		if (!*p)
			break;
	}
	if (r < 0)
		proxy_list_done(ret);
	return r;
}

void proxy_list_done(struct proxy_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->proxies[i].url);
		secret_free(l->proxies[i].name);
		secret_free(l->proxies[i].password);
	}
	l->count = 0;
}

void proxy_list_shuffle(struct proxy_list *l, uint64_t seed)
{
	for (size_t i = 0; i < l->count; i++) {
		size_t end = i + 1, other;
		struct proxy p = l->proxies[i];
		while (end < l->count && l->proxies[end].group == p.group)
			end++;
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		other = i + (size_t)((seed >> 33) % (end - i));
		l->proxies[i] = l->proxies[other];
		l->proxies[other] = p;
	}
}

int proxy_choose(struct proxy_list *l, int avoid, int64_t now)
{
	int64_t best_wait = INT64_MAX;
	int best = -1;

	for (int i = 0; i < (int)l->count; i++) {
		int64_t wait = MAX(l->proxies[i].bad_until - now, 0) + (i == avoid ? AVOIDED : 0);
		if (wait < best_wait) {
			best = i;
			best_wait = wait;
		}
	}
	/* One request finds out whether it is back; the others go on with what works. */
	if (best >= 0 && l->proxies[best].bad_until && best_wait == 0)
		l->proxies[best].bad_until = now + BACKOFF_FIRST;
	return best;
}

void proxy_failed(struct proxy_list *l, int proxy, bool certain, int64_t now)
{
	struct proxy *p;

	if (proxy < 0)
		return;
	p = &l->proxies[proxy];
	p->failures++;
	if (p->faults < 32)
		p->faults++;
	if (certain || p->faults >= DOUBTS) {
		unsigned step = certain ? p->faults - 1 : p->faults - DOUBTS;
		p->bad_until = now + (step < 16 ? MIN(BACKOFF_FIRST << step, BACKOFF_MAX) : BACKOFF_MAX);
	}
}

bool proxy_worked(struct proxy_list *l, int proxy)
{
	bool was_bad;

	if (proxy < 0)
		return false;
	was_bad = l->proxies[proxy].bad_until;
	l->proxies[proxy].faults = 0;
	l->proxies[proxy].bad_until = 0;
	return was_bad;
}
