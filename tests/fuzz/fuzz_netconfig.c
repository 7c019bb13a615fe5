/* SPDX-License-Identifier: MIT */
/*
 * Network configurations: guessed, read as each of the formats, rendered.
 */
#include "contextualize/apply/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_format(enum network_format f, const char *data, size_t size)
{
	struct netconfig *n = calloc(1, sizeof *n);
	struct diag_list diag = { .count = 0 };
	struct net_interfaces i = { .count = 1, .item = { { .name = "eth0", .mac = "52:54:00:12:34:56" } } };

	if (n && netconfig_read(n, f, data, size, &diag) == 0) {
		free(network_render_resolv(n));
		if (network_match(n, &i, &diag))
			free(network_render_networkd(n, i.item[0].link, &i.item[0]));
	}
	if (n)
		netconfig_done(n);
	free(n);
	diag_done(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum network_format guessed = network_format_guess((const char *)data, size);

	one_format(guessed, (const char *)data, size);
	if (guessed == NETWORK_NONE)
		one_format(NETWORK_ENI, (const char *)data, size);
	return 0;
}
