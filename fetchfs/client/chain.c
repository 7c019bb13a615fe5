/* SPDX-License-Identifier: MIT */
/* When to ask the servers, when the cache will do, and when a choice made earlier stands; see chain.h. */
#include "fetchfs/client/chain_private.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"

#define LIMIT_WITH_CACHE 10	/* seconds */
#define FIRST_PAUSE_MS 250
#define MAX_PAUSE_MS 4000

static bool has_offline(const struct chain_config *config)
{
	struct chain_trouble ignored;
	struct chain_choice c;
	bool yes = chain_find_offline(config, &c, &ignored) == 0;

	chain_choice_done(&c);
	return yes;
}

/* No server answered, as *t says. */
static errint_t open_offline(const struct chain_config *config, unsigned limit, struct chain_choice *ret, struct chain_trouble *t)
{
	char text[CHAIN_TEXT_SIZE - 128];
	errint_t r;

	snprintf(text, sizeof(text), "%.895s", t->text);
	r = chain_find_offline(config, ret, t);
	if (r == 0) {
		ret->offline = true;
		return chain_select(config, ret, t);
	}
	/* An expired one says so itself. */
	if (r == TRUST_E_EXPIRED)
		return r;
	return chain_set_trouble(t, -EHOSTUNREACH, EXIT_UNAVAILABLE,
				 "%s: no answer within %u seconds, and nothing of it in the cache; check URL, network and server", text, limit);
}

static errint_t ask_in_time(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t)
{
	unsigned limit = has_offline(config) ? MIN(config->limit, LIMIT_WITH_CACHE) : config->limit;
	int64_t until = clock_now() + limit * NS_PER_SECOND;
	unsigned pause = FIRST_PAUSE_MS;
	errint_t r;

	for (;;) {
		r = chain_ask(config, NULL, true, ret, t);
		if (r == 0)
			r = chain_select(config, ret, t);
		if (r < 0)
			chain_choice_done(ret);
		if (r != -EHOSTUNREACH || clock_now() + pause * NS_PER_MS > until)
			break;
		usleep(pause * 1000);
		pause = MIN(2 * pause, MAX_PAUSE_MS);
	}
	return r == -EHOSTUNREACH ? open_offline(config, limit, ret, t) : r;
}

errint_t chain_open(const struct chain_config *config, struct chain_choice *ret, struct chain_trouble *t)
{
	errint_t r;

	memset(t, 0, sizeof(*t));
	memset(ret, 0, sizeof(*ret));
	r = chain_read_kept(config, ret, t);
	if (r == -ENOENT)
		r = ask_in_time(config, ret, t);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}

errint_t chain_check(const struct chain_config *config, const struct chain_choice *known, bool ask_keyring, struct chain_choice *ret,
		     struct chain_trouble *t)
{
	errint_t r;

	memset(t, 0, sizeof(*t));
	r = chain_ask(config, known, ask_keyring, ret, t);
	if (r == 0)
		r = chain_select(config, ret, t);
	if (r < 0)
		chain_choice_done(ret);
	return r;
}
