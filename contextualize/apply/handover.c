/* SPDX-License-Identifier: MIT */
/*
 * A root file system that brings cloud-init applies user data itself: it is given what was found as a NoCloud seed, and nothing is done twice.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

#define SEED_DIR "/var/lib/cloud/seed/nocloud"

static errint_t seed_file(struct apply *a, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = io_format(SEED_DIR "/%s", name);
	errint_t r = path ? root_write(&a->root, path, data, size, 0600, 0, 0) : -ENOMEM;

	return apply_failed(a, r, "cannot write", path ? path : name);
}

/* JSON is YAML, and everything that could need a quote has one. */
static char *seed_meta_data(const struct context *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "instance-id: '%s'\n", c->instance_id);
	if (c->hostname && !strpbrk(c->hostname, "'\n\\"))
		fprintf(f, "local-hostname: '%s'\n", c->hostname);
	if (c->keys)
		fputs("public-keys:\n", f);
	for (size_t i = 0; i < c->keys; i++) {
		fputs("- '", f);
		for (const char *p = c->key[i]; *p; p++)
			fputs(*p == '\'' ? "''" : (char[]){ *p, '\0' }, f);
		fputs("'\n", f);
	}
	return fclose(f) == 0 ? text : NULL;
}

errint_t apply_handover(struct apply *a)
{
	const struct context *c = a->context;
	_cleanup_free_ char *meta = seed_meta_data(c);
	errint_t r;

	if (!meta)
		return -ENOMEM;
	a->handed_on = true;
	r = apply_failed(a, root_mkdir_p(&a->root, SEED_DIR, 0755, 0, 0), "cannot make", SEED_DIR);
	if (r == 0)
		r = seed_file(a, "meta-data", meta, strlen(meta));
	if (r == 0)
		r = seed_file(a, "user-data", c->user_data.data ? c->user_data.data : "", c->user_data.size);
	if (r == 0 && c->vendor_data.data)
		r = seed_file(a, "vendor-data", c->vendor_data.data, c->vendor_data.size);
	if (r == 0 && (c->network_format == NETWORK_V1 || c->network_format == NETWORK_V2))
		r = seed_file(a, "network-config", c->network.data, c->network.size);
	return r;
}
