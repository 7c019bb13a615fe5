/* SPDX-License-Identifier: MIT */
/* Manifests and keyrings: what is taken can be written, and reads the same again. The signature's wrapping is fuzzed on the way. */
#include "fetchfs/format/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_manifest(const char *text, size_t size)
{
	struct manifest m, again;
	char *written;
	size_t written_size;

	if (manifest_parse(text, size, &m, NULL) < 0)
		return;
	if (manifest_format(&m, &written, &written_size) < 0 || manifest_parse(written, written_size, &again, NULL) < 0)
		abort();
	if (again.revision != m.revision || again.tag_count != m.tag_count || again.expires != m.expires || strcmp(again.name, m.name) != 0 ||
	    !digest_equal(&again.root.digest, &m.root.digest) || (m.tag_count && memcmp(m.tags, again.tags, m.tag_count * sizeof(*m.tags)) != 0) ||
	    again.profile_count != m.profile_count ||
	    (m.profile_count && memcmp(m.profiles, again.profiles, m.profile_count * sizeof(*m.profiles)) != 0))
		abort();
	manifest_find_tag(&m, "stable");
	free(written);
	manifest_done(&m);
	manifest_done(&again);
}

static void read_keyring(const char *text, size_t size)
{
	struct keyring k, again;
	char *written;
	size_t written_size;

	if (keyring_parse(text, size, &k, NULL) < 0)
		return;
	if (keyring_format(&k, &written, &written_size) < 0 || keyring_parse(written, written_size, &again, NULL) < 0)
		abort();
	if (again.key_count != k.key_count || again.serial != k.serial)
		abort();
	free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct signify_public root = { .keynum = { 1 } };
	struct keyring k;

	read_manifest((const char *)data, size);
	read_keyring((const char *)data, size);
	trust_open_keyring(&root, 1, (const char *)data, size, 0, &k);
	return 0;
}
