/* SPDX-License-Identifier: MIT */
/*
 * NoCloud: a volume labelled cidata, or a URL or directory named by ds=nocloud;s=… on the command line or in the serial number. Files user-data and
 * meta-data (which may be empty), and vendor-data and network-config where they are there.
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <time.h>

#define NOCLOUD_WAIT_MS 5000	/* for a CD that the serial number promises */

static errint_t nocloud_keys(struct context *c, const struct ytree_node *n)
{
	errint_t r = 0;

	if (!n)
		return 0;
	if (ytree_text(n)) {	/* one, or one a line */
		for (const char *p = ytree_text(n); *p && r == 0; p += strcspn(p, "\n"), p += *p == '\n')
			r = context_add_key(c, p, strcspn(p, "\n"));
		return r;
	}
	/* A list, or EC2's map of names: to a key, or to {openssh-key: KEY}. */
	for (size_t i = 0; i < n->count && r == 0; i++) {
		const struct ytree_node *v = n->kind == YTREE_MAP ? n->item[2 * i + 1] : n->item[i];

		if (v->kind == YTREE_MAP)
			v = ytree_get(v, "openssh-key");
		if (v && v->kind == YTREE_LIST)
			for (size_t j = 0; j < v->count && r == 0; j++)
				r = ytree_text(v->item[j]) ? context_add_key(c, ytree_text(v->item[j]), v->item[j]->length) : 0;
		else if (ytree_text(v))
			r = context_add_key(c, ytree_text(v), v->length);
	}
	return r;
}

errint_t nocloud_read_metadata(struct context *c, const char *data, size_t size, struct ytree_error *ret_error)
{
	struct ytree_node *root = NULL;
	const char *name;
	errint_t r = ytree_parse_yaml(&c->arena, data, size, &root, ret_error);

	if (r < 0 || root->kind == YTREE_NULL)
		return r;
	if (root->kind != YTREE_MAP) {
		snprintf(ret_error->text, sizeof ret_error->text, "meta-data is not a map of keys");
		return -EBADMSG;
	}
	if (!c->instance_id)
		c->instance_id = ytree_text(ytree_get(root, "instance-id"));
	name = ytree_text(ytree_get(root, "local-hostname"));
	if (!name)
		name = ytree_text(ytree_get(root, "hostname"));
	if (!c->hostname)
		c->hostname = name;
	return nocloud_keys(c, ytree_get(root, "public-keys"));
}

typedef errint_t nocloud_reader(struct finder *f, const char *place, const char *name, char **ret, size_t *ret_size);

static errint_t nocloud_from_directory(struct finder *f, const char *place, const char *name, char **ret, size_t *ret_size)
{
	errint_t r = volume_file(place, name, ret, ret_size);

	if (r < 0 && r != -ENOENT)
		finder_problem(f, "cannot read %s/%s: %s", place, name, r == -EFBIG ? "larger than 16 MiB" : strerror(-r));
	return r;
}

static errint_t nocloud_from_url(struct finder *f, const char *place, const char *name, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *url = io_format("%s%s%s", place, place[strlen(place) - 1] == '/' ? "" : "/", name);

	return url ? finder_get(f, url, NULL, ret, ret_size) : -ENOMEM;
}

static errint_t nocloud_optional(struct finder *f, struct context *c, nocloud_reader *read, const char *place, const char *name, struct blob *b)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	errint_t r = read(f, place, name, &data, &size);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = context_set_blob(c, b, data, size);
	return r;
}

/* Reads all four files. -ENOENT: neither user-data nor meta-data is there, so that this is no seed. */
static errint_t nocloud_read(struct finder *f, struct context *c, nocloud_reader *read, const char *place)
{
	struct blob meta = { .data = NULL };
	struct ytree_error error;
	errint_t r;

	if (f->machine->seed.asked) {
		c->instance_id = f->machine->seed.instance_id;
		c->hostname = f->machine->seed.hostname;
	}
	r = nocloud_optional(f, c, read, place, "meta-data", &meta);
	if (r == 0)
		r = nocloud_optional(f, c, read, place, "user-data", &c->user_data);
	if (r == 0 && !meta.data && !c->user_data.data) {
		finder_problem(f, "%s holds neither user-data nor meta-data", place);
		return -ENOENT;
	}
	if (r == 0)
		r = nocloud_optional(f, c, read, place, "vendor-data", &c->vendor_data);
	if (r == 0)
		r = nocloud_optional(f, c, read, place, "network-config", &c->network);
	if (r < 0)
		return r;
	if (c->network.data)
		c->network_format = network_format_guess(c->network.data, c->network.size);
	if (!meta.data)
		return 0;
	r = nocloud_read_metadata(c, meta.data, meta.size, &error);
	if (r == -EBADMSG)
		finder_problem(f, "meta-data:%u:%u: %s", error.line, error.column, error.text);
	/* Without meta-data the rest is still of use. */
	return r == -EBADMSG ? 0 : r;
}

static bool nocloud_seed_is_remote(const struct machine *m)
{
	return m->seed.asked && m->seed.seed && (strncmp(m->seed.seed, "http://", 7) == 0 || strncmp(m->seed.seed, "https://", 8) == 0);
}

/* s=file:///dir/ or s=/dir/ */
static errint_t nocloud_local_seed(struct finder *f, struct context *c, const char *seed)
{
	_cleanup_free_ char *dir = ctx_path(strncmp(seed, "file://", 7) == 0 ? seed + 7 : seed);

	if (!dir)
		return -ENOMEM;
	c->where = arena_format(&c->arena, "directory %s", dir);
	return nocloud_read(f, c, nocloud_from_directory, dir);
}

/* ds=nocloud without a URL promises a volume: one that is late is waited for. */
static const struct volume *nocloud_volume(struct finder *f)
{
	const struct volume *v = volumes_find(f, "cidata");
	bool promised = f->machine->seed.asked && !f->machine->seed.seed;
	struct timespec pause = { .tv_nsec = 100 * 1000000 };

	if (getenv("SPORE_ROOT"))
		return v;
	for (unsigned ms = 0; !v && promised && ms < NOCLOUD_WAIT_MS; ms += 100) {
		nanosleep(&pause, NULL);
		volumes_read(f);
		v = volumes_find(f, "cidata");
	}
	return v;
}

static errint_t nocloud_fetch_local(struct finder *f, struct context *c)
{
	struct mounted m = { .dir = NULL };
	const char *seed = f->machine->seed.asked ? f->machine->seed.seed : NULL;
	const struct volume *v;
	errint_t r;

	if (seed && !nocloud_seed_is_remote(f->machine))
		return nocloud_local_seed(f, c, seed);
	if (seed)
		return -ENOENT;	/* a URL was asked for: volumes are not what is meant */
	v = nocloud_volume(f);
	if (!v)
		return -ENOENT;
	r = volume_mount(f, v, &m);
	if (r < 0)
		return r;
	c->where = arena_format(&c->arena, "volume %s on /dev/%s", v->label.label, v->name);
	r = nocloud_read(f, c, nocloud_from_directory, m.dir);
	volume_unmount(&m);
	return r;
}

static enum source_chance nocloud_probe_network(const struct machine *m)
{
	return nocloud_seed_is_remote(m) ? SOURCE_YES : SOURCE_NO;
}

static errint_t nocloud_fetch_network(struct finder *f, struct context *c)
{
	const char *url = f->machine->seed.seed;

	c->where = arena_string(&c->arena, url);
	return nocloud_read(f, c, nocloud_from_url, url);
}

const struct source source_nocloud = { "nocloud", nocloud_fetch_local, nocloud_probe_network, nocloud_fetch_network };
