/* SPDX-License-Identifier: MIT */
/* From the newest revision to the one that is asked for: by tag, number or date. See chain_private.h. */
#include "fetchfs/client/chain_private.h"
#include "common/message.h"

#include <time.h>

void chain_selector(const struct chain_config *config, char ret[PIN_SELECT_SIZE])
{
	if (config->tag)
		snprintf(ret, PIN_SELECT_SIZE, "tag %s", config->tag);
	else if (config->revision)
		snprintf(ret, PIN_SELECT_SIZE, "revision %llu", (unsigned long long)config->revision);
	else if (config->date)
		snprintf(ret, PIN_SELECT_SIZE, "date %lld", (long long)config->date);
	else
		snprintf(ret, PIN_SELECT_SIZE, "latest");
}

/*
 * The manifest of an earlier revision, signed with a key that the keyring still holds. That it has expired does not matter: who asks for an
 * old revision knows that it is old. -ENOENT: no server has it.
 */
static errint_t fetch_revision(const struct chain_config *config, const struct chain_choice *newest, uint64_t revision, struct chain_choice *ret,
			       struct chain_trouble *t)
{
	errint_t worst = -EHOSTUNREACH;
	char name[64];

	snprintf(name, sizeof(name), "history/%llu", (unsigned long long)revision);
	for (size_t i = 0; i < transport_mirrors(config->transport); i++) {
		const char *url = transport_url(config->transport, i);
		char error[TRANSPORT_ERROR_SIZE];
		errint_t r = chain_fetch_text(config->transport, (int)i, name, &ret->manifest_text, &ret->manifest_size, error);
		if (r == 0)
			r = trust_open_manifest(&newest->keyring, ret->manifest_text, ret->manifest_size, 0, &ret->manifest);
		else if (r == -ENOENT)
			chain_set_trouble(t, r, EXIT_NO_INPUT, "%s keeps no manifest of revision %llu any more (%s); ask for a later one", url,
					  (unsigned long long)revision, error);
		else
			r = chain_set_trouble(t, -EHOSTUNREACH, EXIT_UNAVAILABLE, "cannot fetch %s", error);
		if (r == 0 && (ret->manifest.revision != revision || strcmp(ret->manifest.name, newest->manifest.name) != 0))
			r = chain_set_trouble(t, -EBADMSG, EXIT_DATA, "refused %s/%s: it is the manifest of another revision (%llu); check the server", url,
					      name, (unsigned long long)ret->manifest.revision);
		else if (r == SIGNIFY_E_OTHER_KEY)
			chain_set_trouble(t, r, EXIT_DATA, "refused %s/%s: it is signed with a key that the keyring does not hold any more; ask for a later "
					  "revision", url, name);
		else if (r < 0 && r != -ENOENT && r != -EHOSTUNREACH)
			chain_refuse(t, r, url, name, 0);
		if (r == 0)
			return 0;
		free(steal_ptr(ret->manifest_text));
		manifest_done(&ret->manifest);
		if (worst == -EHOSTUNREACH || worst == -ENOENT)
			worst = r;
	}
	return worst;
}

/* *c becomes that revision; its keyring stays. */
static void take_revision(struct chain_choice *c, struct chain_choice *older)
{
	free(c->manifest_text);
	manifest_done(&c->manifest);
	c->manifest = older->manifest;
	c->manifest_text = steal_ptr(older->manifest_text);
	c->manifest_size = older->manifest_size;
	memset(&older->manifest, 0, sizeof(older->manifest));
}

static errint_t select_revision(const struct chain_config *config, struct chain_choice *c, struct chain_trouble *t)
{
	struct chain_choice older = { .offline = false };
	errint_t r;

	c->lasting = true;
	if (config->revision == c->manifest.revision)
		return 0;
	if (config->revision > c->manifest.revision)
		return chain_set_trouble(t, -ENOENT, EXIT_NO_INPUT, "repository %s has no revision %llu; its newest is %llu", c->manifest.name,
					 (unsigned long long)config->revision, (unsigned long long)c->manifest.revision);
	r = fetch_revision(config, c, config->revision, &older, t);
	if (r == 0)
		take_revision(c, &older);
	return r;
}

/*
 * Halves the range between a revision that is not later than the date and one that is. Times do not decrease from one revision to the next. What is not
 * kept any more is older than what is.
 */
static errint_t select_date(const struct chain_config *config, struct chain_choice *c, struct chain_trouble *t)
{
	struct chain_choice best = { .offline = false }, one = { .offline = false };
	/* The newest too is looked up: what it was signed anew with is later than when it was published. */
	uint64_t low = 0, high = c->manifest.revision + 1;
	int64_t oldest = c->manifest.time;
	char asked[32], there[32];
	errint_t r = 0;

	c->lasting = config->date < (int64_t)time(NULL);
	if (c->manifest.time <= config->date)
		return 0;
	while (r == 0 && high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		r = fetch_revision(config, c, middle, &one, t);
		if (r == -ENOENT || (r == 0 && one.manifest.time <= config->date))
			low = middle;
		else
			high = middle;
		if (r == 0 && one.manifest.time <= config->date) {
			take_revision(&best, &one);
		} else if (r == 0) {
			oldest = MIN(oldest, one.manifest.time);
			free(steal_ptr(one.manifest_text));
			manifest_done(&one.manifest);
		} else if (r == -ENOENT) {
			r = 0;
		}
	}
	if (r == 0 && best.manifest_text) {
		take_revision(c, &best);
		return 0;
	}
	chain_choice_done(&best);
	if (r < 0)
		return r;
	chain_format_time(config->date, asked);
	chain_format_time(oldest, there);
	return chain_set_trouble(t, -ENOENT, EXIT_NO_INPUT, "repository %s had nothing at %s: its first revision that is kept, %llu, is of %s",
				 c->manifest.name, asked, (unsigned long long)high, there);
}

static errint_t select_tag(const struct chain_config *config, struct chain_choice *c, struct chain_trouble *t)
{
	const struct manifest_tag *tag = manifest_find_tag(&c->manifest, config->tag);
	uint64_t latest;

	if (!tag)
		return chain_set_trouble(t, -ENOENT, EXIT_NO_INPUT, "repository %s at %s has no tag '%s'; fetchfs stat lists its tags", c->manifest.name,
					 transport_url(config->transport, 0), config->tag);
	latest = c->manifest.revision;
	c->manifest.revision = tag->revision;
	c->manifest.time = tag->time;
	c->manifest.root = tag->root;
	/* The manifest's profiles list what its own revision is made of. */
	if (tag->revision != latest)
		c->manifest.profile_count = 0;
	return 0;
}

errint_t chain_select(const struct chain_config *config, struct chain_choice *c, struct chain_trouble *t)
{
	if (config->tag)
		return select_tag(config, c, t);
	if (config->revision)
		return select_revision(config, c, t);
	return config->date ? select_date(config, c, t) : 0;
}
