/* SPDX-License-Identifier: MIT */
/* Kept choices: what is taken lies within the text, can be written, and reads the same again. */
#include "fetchfs/format/pin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pin p, again;
	char *written;
	size_t written_size;

	if (pin_parse((const char *)data, size, &p) < 0)
		return 0;
	if (p.keyring < (const char *)data || p.manifest + p.manifest_size != (const char *)data + size)
		abort();
	if (pin_format(&p, &written, &written_size) < 0 || pin_parse(written, written_size, &again) < 0)
		abort();
	if (strcmp(p.select, again.select) != 0 || p.keyring_size != again.keyring_size || p.manifest_size != again.manifest_size ||
	    memcmp(p.keyring, again.keyring, p.keyring_size) != 0 || memcmp(p.manifest, again.manifest, p.manifest_size) != 0)
		abort();
	free(written);
	return 0;
}
