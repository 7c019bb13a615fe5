/* SPDX-License-Identifier: MIT */
/*
 * The order of the data sources (find.h): command line and firmware first, then volumes, and the network only where something names the cloud.
 */
#include "contextualize/find.h"

#include <ctype.h>
#include <time.h>
#include <zlib.h>

#define FIND_MAYBE_NS 2000000000LL	/* for a source that nothing speaks for, on machines whose SMBIOS says nothing */

static const struct source *const find_sources[] = {
	&source_credentials, &source_nocloud, &source_configdrive, &source_openstack, &source_ec2,
};

errint_t source_default_id(struct context *c, const struct machine *m)
{
	char uuid[64];
	size_t n = MIN(strlen(m->product_uuid), sizeof uuid - 1);

	if (c->instance_id && *c->instance_id && strlen(c->instance_id) <= CONTEXT_MAX_ID)
		return 0;
	for (size_t i = 0; i < n; i++)
		uuid[i] = (char)tolower((unsigned char)m->product_uuid[i]);
	uuid[n] = '\0';
	/* With the content in it, so that a seed without an id that was changed is applied again. */
	c->instance_id = arena_format(&c->arena, "%s%s-%08lx", n ? "machine-" : "unnamed", uuid,
				      crc32(0, (const unsigned char *)(c->user_data.data ? c->user_data.data : ""), (unsigned)c->user_data.size));
	return c->instance_id ? 0 : -ENOMEM;
}

static errint_t find_one(struct finder *f, const struct source *s, bool local, struct context *ret)
{
	int64_t deadline = f->deadline_ns;
	enum source_chance chance;
	struct timespec now;
	errint_t r;

	if (local)
		return s->fetch_local ? s->fetch_local(f, ret) : -ENOENT;
	chance = s->probe_network ? s->probe_network(f->machine) : SOURCE_NO;
	if (chance == SOURCE_NO)
		return -ENOENT;
	if (chance == SOURCE_YES)
		return s->fetch_network(f, ret);
	clock_gettime(CLOCK_MONOTONIC, &now);
	f->deadline_ns = MIN(deadline, now.tv_sec * 1000000000LL + now.tv_nsec + FIND_MAYBE_NS);
	r = s->fetch_network(f, ret);
	f->deadline_ns = deadline;
	if (r == -ETIMEDOUT) {
		f->problem[0] = '\0';
		r = -ENOENT;
	}
	return r;
}

errint_t find_context(struct finder *f, bool local, struct context *ret)
{
	errint_t first_error = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(find_sources); i++) {
		const struct source *s = find_sources[i];
		errint_t r;

		if (!machine_allows(f->machine, s->name))
			continue;
		r = find_one(f, s, local, ret);
		if (r == 0) {
			ret->source = s->name;
			return source_default_id(ret, f->machine);
		}
		context_done(ret);
		if (r != -ENOENT && first_error == -ENOENT)
			first_error = r;
		if (r == -ENOMEM)
			break;
	}
	return first_error;
}

bool find_possible(const struct machine *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(find_sources); i++) {
		const struct source *s = find_sources[i];

		if (machine_allows(m, s->name) && s->probe_network && s->probe_network(m) != SOURCE_NO)
			return true;
	}
	return false;
}
