/* SPDX-License-Identifier: MIT */
/* Signed texts from the servers; see chain_private.h. */
#include "fetchfs/client/chain_private.h"
#include "common/message.h"

#include <pthread.h>

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

errint_t chain_fetch_text(struct transport *transport, int mirror, const char *name, char **ret, size_t *ret_size,
			  char ret_error[TRANSPORT_ERROR_SIZE])
{
	struct text_request t = { .request = { .max_size = MANIFEST_MAX_SIZE, .mirror = mirror, .once = true, .done = text_done } };
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

static errint_t fetch_keyring(const struct chain_config *config, size_t mirror, struct chain_choice *c, struct chain_trouble *t)
{
	const char *url = transport_url(config->transport, mirror);
	char error[TRANSPORT_ERROR_SIZE];
	errint_t r;

	free(steal_ptr(c->keyring_text));
	r = chain_fetch_text(config->transport, (int)mirror, KEYRING_FILE, &c->keyring_text, &c->keyring_size, error);
	if (r == -ENOENT)
		return chain_set_trouble(t, r, EXIT_NO_INPUT, "there is no repository at %s (%s); check the URL", url, error);
	if (r == -EMSGSIZE)
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/" KEYRING_FILE ": larger than such a file can be; check the URL", url);
	return r < 0 ? chain_set_trouble(t, -EHOSTUNREACH, EXIT_UNAVAILABLE, "cannot fetch %s", error) : 0;
}

static errint_t fetch_manifest(const struct chain_config *config, size_t mirror, struct chain_choice *c, struct chain_trouble *t)
{
	const char *url = transport_url(config->transport, mirror);
	char error[TRANSPORT_ERROR_SIZE];
	errint_t r = chain_fetch_text(config->transport, (int)mirror, MANIFEST_FILE, &c->manifest_text, &c->manifest_size, error);

	if (r == -ENOENT)
		return chain_set_trouble(t, r, EXIT_NO_INPUT, "nothing is published at %s yet (%s); publish first", url, error);
	if (r == -EMSGSIZE)
		return chain_set_trouble(t, r, EXIT_DATA, "refused %s/" MANIFEST_FILE ": larger than such a file can be; check the URL", url);
	return r < 0 ? chain_set_trouble(t, -EHOSTUNREACH, EXIT_UNAVAILABLE, "cannot fetch %s", error) : 0;
}

/* The keyring that is known will do as long as the manifest names its serial and verifies with it: one request instead of two. */
static bool known_keyring_serves(const struct chain_config *config, const struct chain_choice *known, struct chain_choice *c)
{
	struct chain_trouble ignored;

	c->keyring_text = malloc(known->keyring_size + 1);
	if (!c->keyring_text)
		return false;
	memcpy(c->keyring_text, known->keyring_text, known->keyring_size + 1);
	c->keyring_size = known->keyring_size;
	return chain_verify_untimed(config, c, "", &ignored) == 0 && c->manifest.keyring_serial == c->keyring.serial;
}

static errint_t ask_mirror(const struct chain_config *config, size_t mirror, const struct chain_choice *known, bool ask_keyring, struct chain_choice *c,
			   struct chain_trouble *t)
{
	const char *url = transport_url(config->transport, mirror);
	errint_t r = ask_keyring ? fetch_keyring(config, mirror, c, t) : 0;

	if (r == 0)
		r = fetch_manifest(config, mirror, c, t);
	if (r == 0 && !ask_keyring && !known_keyring_serves(config, known, c))
		r = fetch_keyring(config, mirror, c, t);
	if (r == 0)
		r = chain_verify(config, c, url, t);
	/* The key may have signed several repositories; what is mounted does not turn into another one. */
	if (r == 0 && known && strcmp(c->manifest.name, known->manifest.name) != 0)
		r = chain_set_trouble(t, TRUST_E_NAME, EXIT_DATA, "refused %s: it is the repository %s now, and %s is mounted; mount it anew if that is intended",
				      url, c->manifest.name, known->manifest.name);
	if (r == 0)
		r = chain_check_rollback(config, c, url, t);
	if (r == 0)
		chain_remember(config, c, url);
	return r;
}

errint_t chain_ask(const struct chain_config *config, const struct chain_choice *known, bool ask_keyring, struct chain_choice *ret,
		   struct chain_trouble *t)
{
	errint_t worst = -EHOSTUNREACH;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < transport_mirrors(config->transport); i++) {
		struct chain_trouble one = { .exit_code = 0 };
		errint_t r = ask_mirror(config, i, known, ask_keyring, ret, &one);
		if (r == 0)
			return 0;
		chain_choice_done(ret);
		if (t->exit_code == 0 || worst == -EHOSTUNREACH)
			*t = one;
		if (worst == -EHOSTUNREACH)
			worst = r;
	}
	return worst;
}
