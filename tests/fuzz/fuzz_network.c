/* SPDX-License-Identifier: MIT */
/*
 * What the transport reads of people: lists of proxies, credentials, header lines, user and password in URLs. The first byte says which. What comes out must
 * not be able to begin a second header line, and what may be shown must not hold the secret.
 */
#include "fetchfs/client/transport_proxy.h"
#include "fetchfs/client/transport_secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line)
{
	for (; *line; line++)
		if ((*line >= 0 && *line < ' ' && *line != '\t') || *line == 0x7f)
			abort();
}

static void proxies(const char *text)
{
	char error[160];
	struct proxy_list l;

	if (proxy_list_parse(text, &l, error) < 0)
		return;
	proxy_list_shuffle(&l, 12345);
	for (size_t i = 0; i < l.count; i++) {
		if (strchr(l.proxies[i].url, '@'))
			abort();
		int chosen = proxy_choose(&l, -1, (int64_t)i * 1000000000);
		proxy_failed(&l, chosen, i % 2, (int64_t)i * 1000000000);
	}
	for (size_t i = 0; i < l.count; i++)
		proxy_worked(&l, (int)i);
	proxy_list_done(&l);
}

static void urls(char *text)
{
	char *shown, *user, *line = NULL;

	if (secret_split_url(text, &shown, &user) < 0)
		return;
	if (user && secret_from_url(user, &line) == 0)
		check_line(line);
	secret_free(line);
	secret_free(user);
	free(shown);
	secret_hide(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[SECRET_ERROR_SIZE], *text, *line = NULL;
	struct secret_headers headers;

	if (size == 0)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0;
	switch (data[0] % 4) {
	case 0:
		proxies(text);
		break;
	case 1:
		urls(text);
		break;
	case 2:
		if (secret_parse_credentials((const char *)data + 1, size - 1, &line, error) == 0)
			check_line(line);
		secret_free(line);
		break;
	case 3:
		if (secret_parse_headers((const char *)data + 1, size - 1, &headers, error) == 0) {
			for (size_t i = 0; i < headers.count; i++)
				check_line(headers.lines[i]);
			secret_headers_done(&headers);
		}
		break;
	}
	free(text);
	return 0;
}
