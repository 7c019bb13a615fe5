/* SPDX-License-Identifier: MIT */
/*
 * Config drive: a volume labelled config-2 with OpenStack's files, below openstack/VERSION.
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <dirent.h>

/* The newest version directory that we know; "" where there is none. */
static void configdrive_version(const char *dir, char ret[16])
{
	_cleanup_free_ char *path = io_format("%s/openstack", dir);
	DIR *d = path ? opendir(path) : NULL;
	unsigned best = 0;
	struct dirent *e;

	*ret = '\0';
	while (d && (e = readdir(d))) {
		unsigned rank = openstack_version_rank(e->d_name, strlen(e->d_name));

		if (rank > best) {
			best = rank;
			snprintf(ret, 16, "%.15s", e->d_name);
		}
	}
	if (d)
		closedir(d);
}

static errint_t configdrive_blob(struct context *c, const char *dir, const char *name, struct blob *ret)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	errint_t r = volume_file(dir, name, &data, &size);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : context_set_blob(c, ret, data, size);
}

/* The network: network_data.json, else what meta_data.json names (Debian's interfaces(5), as Proxmox writes it). */
static errint_t configdrive_network(struct context *c, const char *root, const char *dir, const char *named)
{
	_cleanup_free_ char *path = NULL;
	errint_t r = configdrive_blob(c, dir, "network_data.json", &c->network);

	if (r < 0 || c->network.data) {
		c->network_format = NETWORK_DATA;
		return r;
	}
	if (!named || strstr(named, ".."))
		return 0;
	path = io_format("openstack/%s", named + strspn(named, "/"));
	if (!path)
		return -ENOMEM;
	r = configdrive_blob(c, root, path, &c->network);
	if (r == 0 && c->network.data)
		c->network_format = NETWORK_ENI;
	return r;
}

static errint_t configdrive_read(struct finder *f, struct context *c, const char *root)
{
	struct blob meta = { .data = NULL }, vendor = { .data = NULL };
	_cleanup_free_ char *dir = NULL;
	const char *named = NULL;
	struct ytree_error error;
	char version[16];
	errint_t r;

	configdrive_version(root, version);
	dir = io_format("%s/openstack/%s", root, version);
	if (!dir)
		return -ENOMEM;
	r = *version ? configdrive_blob(c, dir, "meta_data.json", &meta) : 0;
	if (r == 0 && !meta.data) {
		finder_problem(f, "%s: no openstack/VERSION/meta_data.json on the volume", c->where);
		return -EBADMSG;
	}
	if (r == 0)
		r = openstack_read_metadata(c, meta.data, meta.size, &named, &error);
	if (r == -EBADMSG)
		finder_problem(f, "%s: openstack/%s/meta_data.json:%u: %s", c->where, version, error.line, error.text);
	if (r == 0)
		r = configdrive_blob(c, dir, "user_data", &c->user_data);
	if (r == 0)
		r = configdrive_network(c, root, dir, named);
	if (r == 0)
		r = configdrive_blob(c, dir, "vendor_data.json", &vendor);
	if (r == 0 && vendor.data)
		r = openstack_read_vendor(c, vendor.data, vendor.size);
	return r;
}

static errint_t configdrive_fetch(struct finder *f, struct context *c)
{
	const struct volume *v = volumes_find(f, "config-2");
	struct mounted m = { .dir = NULL };
	errint_t r;

	if (!v)
		return -ENOENT;
	r = volume_mount(f, v, &m);
	if (r < 0)
		return r;
	c->where = arena_format(&c->arena, "volume %s on /dev/%s", v->label.label, v->name);
	r = c->where ? configdrive_read(f, c, m.dir) : -ENOMEM;
	volume_unmount(&m);
	return r;
}

const struct source source_configdrive = { "configdrive", configdrive_fetch, NULL, NULL };
