/* SPDX-License-Identifier: MIT */
/* Boot configurations of any content: what the parser returns lies within the text. */
#include "common/boot_conf.h"
#include "common/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct boot_conf_text t, size_t size)
{
	if (t.offset > size || t.size > size - t.offset)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_conf conf;

	if (boot_conf_parse((const char *)data, size, &conf) != BOOT_CONF_OK)
		return 0;
	if (conf.count == 0 || conf.count > BOOT_CONF_MAX_ENTRIES || conf.default_entry >= conf.count)
		abort();
	for (uint32_t i = 0; i < conf.count; i++) {
		const struct boot_conf_entry *e = &conf.entries[i];
		within(e->name, size);
		within(e->title, size);
		within(e->linux_path, size);
		within(e->initrd_path, size);
		within(e->options, size);
		if (e->linux_path.size == 0)
			abort();
	}
	return 0;
}
