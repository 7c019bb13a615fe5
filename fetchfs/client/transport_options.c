/* SPDX-License-Identifier: MIT */
/* What the transport is told at its start: proxies, and the files of certificates and secrets, read once. */
#include "fetchfs/client/transport_private.h"

#include <sodium.h>

/* A file that an option names; the error says which option. */
static errint_t read_option_file(const char *option, const char *path, bool private, char **ret, size_t *ret_size, char ret_error[TRANSPORT_ERROR_SIZE])
{
	char error[SECRET_ERROR_SIZE] = "";
	errint_t r = path ? secret_read_file(path, private, ret, ret_size, error) : 0;

	if (r < 0)
		snprintf(ret_error, TRANSPORT_ERROR_SIZE, "option %s: %s", option, error[0] ? error : strerror(-r));
	return r;
}

static errint_t read_tls_files(struct transport *t, const struct transport_config *c, char ret_error[TRANSPORT_ERROR_SIZE])
{
	char ignored[SECRET_ERROR_SIZE];
	errint_t r = read_option_file("cafile", c->ca_file, false, &t->ca_data, &t->ca_size, ret_error);

	/* A transport that must live without files reads the certificates now. Having none is no error: plain HTTP needs none. */
	if (r == 0 && !c->ca_file && c->self_contained)
		(void)secret_read_file(TRANSPORT_SYSTEM_CERTIFICATES, false, &t->ca_data, &t->ca_size, ignored);
	if (r == 0 && c->key_file && !c->cert_file) {
		snprintf(ret_error, TRANSPORT_ERROR_SIZE, "option certkey: there is no cert= that it belongs to");
		r = -EINVAL;
	}
	if (r == 0)
		r = read_option_file("cert", c->cert_file, !c->key_file, &t->cert_data, &t->cert_size, ret_error);
	if (r == 0)
		r = read_option_file("certkey", c->key_file, true, &t->key_data, &t->key_size, ret_error);
	return r;
}

static errint_t read_secrets(struct transport *t, const struct transport_config *c, char ret_error[TRANSPORT_ERROR_SIZE])
{
	char *text = NULL, error[SECRET_ERROR_SIZE] = "";
	size_t size = 0;
	errint_t r = read_option_file("credentials", c->credentials_file, true, &text, &size, ret_error);

	if (text) {
		r = secret_parse_credentials(text, size, &t->authorization, error);
		if (r < 0)
			snprintf(ret_error, TRANSPORT_ERROR_SIZE, "option credentials: %.120s: %.170s", c->credentials_file, error);
		sodium_memzero(text, size);
		free(text);
		text = NULL;
	}
	if (r == 0)
		r = read_option_file("headers", c->headers_file, true, &text, &size, ret_error);
	if (text) {
		r = secret_parse_headers(text, size, &t->extra, error);
		if (r < 0)
			snprintf(ret_error, TRANSPORT_ERROR_SIZE, "option headers: %.120s: %.170s", c->headers_file, error);
		sodium_memzero(text, size);
		free(text);
	}
	return r;
}

static errint_t set_proxies(struct transport *t, const char *text, char ret_error[TRANSPORT_ERROR_SIZE])
{
	char error[160] = "";
	errint_t r = text ? proxy_list_parse(text, &t->proxies, error) : 0;

	if (r < 0)
		snprintf(ret_error, TRANSPORT_ERROR_SIZE, "option proxy: %s", error[0] ? error : strerror(-r));
	proxy_list_shuffle(&t->proxies, t->random);
	return r;
}

errint_t transport_options_read(struct transport *t, const struct transport_config *config, char ret_error[TRANSPORT_ERROR_SIZE])
{
	errint_t r = set_proxies(t, config->proxy, ret_error);

	if (r == 0)
		r = read_tls_files(t, config, ret_error);
	return r == 0 ? read_secrets(t, config, ret_error) : r;
}
