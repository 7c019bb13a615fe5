/* SPDX-License-Identifier: MIT */
/*
 * User data of all formats: taken apart, and every cloud-config read.
 */
#include "contextualize/formats/cloud_config.h"
#include "contextualize/formats/userdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct userdata *u = calloc(1, sizeof *u);
	struct cloud_config c = { .hostname = NULL };
	struct diag_list diag = { .count = 0 };

	if (!u)
		return 0;
	userdata_split(u, (const char *)data, size, &diag);
	for (size_t i = 0; i < u->count; i++)
		if (u->part[i].kind == PART_CLOUD_CONFIG)
			cloud_config_read(&c, u->part[i].data, u->part[i].size, &diag);
	for (size_t i = 0; i < diag.count; i++)
		free(diag_format(&diag.item[i], "fuzz"));
	cloud_config_done(&c);
	userdata_done(u);
	diag_done(&diag);
	free(u);
	return 0;
}
