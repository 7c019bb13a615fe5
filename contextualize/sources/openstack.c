/* SPDX-License-Identifier: MIT */
/*
 * OpenStack's metadata: the service on 169.254.169.254, and the reading of its JSON files, which the config drive has too.
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <strings.h>

/* Newest last. */
static const char *const openstack_versions[] = {
	"2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
};

unsigned openstack_version_rank(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(openstack_versions); i++)
		if (length == strlen(openstack_versions[i]) && memcmp(name, openstack_versions[i], length) == 0)
			return (unsigned)i + 2;
	return length == 6 && memcmp(name, "latest", 6) == 0 ? 1 : 0;
}

static errint_t openstack_keys(struct context *c, const struct ytree_node *root)
{
	const struct ytree_node *named = ytree_get(root, "public_keys"), *keys = ytree_get(root, "keys");
	errint_t r = 0;

	for (size_t i = 0; named && named->kind == YTREE_MAP && i < named->count && r == 0; i++) {
		const char *key = ytree_text(named->item[2 * i + 1]);

		r = key ? context_add_key(c, key, strlen(key)) : 0;
	}
	if (c->keys)
		return r;
	for (size_t i = 0; keys && keys->kind == YTREE_LIST && i < keys->count && r == 0; i++) {
		const char *type = ytree_text(ytree_get(keys->item[i], "type")), *key = ytree_text(ytree_get(keys->item[i], "data"));

		r = key && (!type || strcmp(type, "ssh") == 0) ? context_add_key(c, key, strlen(key)) : 0;
	}
	return r;
}

errint_t openstack_read_metadata(struct context *c, const char *data, size_t size, const char **ret_network, struct ytree_error *ret_error)
{
	struct ytree_node *root = NULL;
	errint_t r = ytree_parse_json(&c->arena, data, size, &root, ret_error);

	if (r < 0)
		return r;
	c->instance_id = ytree_text(ytree_get(root, "uuid"));
	if (!c->instance_id) {
		snprintf(ret_error->text, sizeof ret_error->text, "meta_data.json has no uuid");
		return -EBADMSG;
	}
	c->hostname = ytree_text(ytree_get(root, "hostname"));
	if (!c->hostname)
		c->hostname = ytree_text(ytree_get(root, "name"));
	if (ret_network)
		*ret_network = ytree_text(ytree_get(ytree_get(root, "network_config"), "content_path"));
	return openstack_keys(c, root);
}

/* vendor_data.json: {"cloud-init": "#cloud-config…"}; the value may be the whole file, too. Anything else is for others. */
errint_t openstack_read_vendor(struct context *c, const char *data, size_t size)
{
	struct ytree_node *root = NULL;
	struct ytree_error error;
	const struct ytree_node *n;

	if (ytree_parse_json(&c->arena, data, size, &root, &error) < 0)
		return 0;
	n = root->kind == YTREE_MAP ? ytree_get(root, "cloud-init") : root;
	return ytree_text(n) && n->length ? context_set_blob(c, &c->vendor_data, n->text, n->length) : 0;
}

static enum source_chance openstack_probe(const struct machine *m)
{
	static const char *const products[] = { "OpenStack Nova", "OpenStack Compute" };
	static const char *const tags[] = { "OpenStack Nova", "OpenStack Compute", "OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD",
					    "Samsung Cloud Platform" };

	for (size_t i = 0; i < ARRAY_SIZE(products); i++)
		if (strcmp(m->product_name, products[i]) == 0)
			return SOURCE_YES;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (strcmp(m->chassis_asset_tag, tags[i]) == 0)
			return SOURCE_YES;
	if (strcmp(m->datasource, "openstack") == 0)
		return SOURCE_YES;
	return m->dmi_trusted ? SOURCE_NO : SOURCE_MAYBE;
}

/* The newest version of the listing (a name a line) that we know. */
static void openstack_choose(const char *listing, char ret[16])
{
	unsigned best = 0;

	strcpy(ret, "latest");
	while (*listing) {
		size_t n = strcspn(listing, "\r\n/ ");
		unsigned rank = openstack_version_rank(listing, n);

		if (rank > best) {
			best = rank;
			snprintf(ret, 16, "%.*s", (int)n, listing);
		}
		listing += n;
		listing += strspn(listing, "\r\n/ ");
	}
}

static errint_t openstack_file(struct finder *f, struct context *c, const char *base, const char *version, const char *name, struct blob *ret)
{
	_cleanup_free_ char *url = io_format("%s/openstack/%s/%s", base, version, name), *data = NULL;
	size_t size = 0;
	errint_t r = url ? finder_get(f, url, NULL, &data, &size) : -ENOMEM;

	return r < 0 ? r : context_set_blob(c, ret, data, size);
}

static errint_t openstack_read(struct finder *f, struct context *c, const char *base, const char *version)
{
	struct blob meta = { .data = NULL }, vendor = { .data = NULL };
	struct ytree_error error;
	errint_t r = openstack_file(f, c, base, version, "meta_data.json", &meta);

	if (r < 0)
		return r;
	r = openstack_read_metadata(c, meta.data, meta.size, NULL, &error);
	if (r == -EBADMSG)
		finder_problem(f, "%s/openstack/%s/meta_data.json: %s", base, version, error.text);
	if (r == 0)
		r = openstack_file(f, c, base, version, "user_data", &c->user_data);
	if (r == -ENOENT)
		r = 0;	/* no user data is a valid context */
	if (r == 0)
		r = openstack_file(f, c, base, version, "network_data.json", &c->network);
	if (r == 0)
		c->network_format = NETWORK_DATA;
	if (r == 0 || r == -ENOENT)
		r = openstack_file(f, c, base, version, "vendor_data.json", &vendor);
	if (r == 0)
		r = openstack_read_vendor(c, vendor.data, vendor.size);
	return r == -ENOENT ? 0 : r;
}

static errint_t openstack_fetch(struct finder *f, struct context *c)
{
	char interface[32], link_local[80] = "", version[16];
	const char *bases[] = { f->machine->metadata_url ? f->machine->metadata_url : "http://169.254.169.254", NULL, NULL };
	struct http_reply reply = { .body = NULL };
	const char *base = NULL;
	errint_t r;

	finder_interface(interface, sizeof interface);
	if (!f->machine->metadata_url && *interface) {
		snprintf(link_local, sizeof link_local, "http://[fe80::a9fe:a9fe%%25%s]", interface);
		bases[1] = link_local;
	}
	r = finder_first(f, bases, "GET", "/openstack", NULL, &base, &reply);
	if (r < 0)
		return r;
	if (reply.status != 200) {
		http_reply_done(&reply);
		return -ENOENT;	/* some other service */
	}
	openstack_choose(reply.body, version);
	http_reply_done(&reply);
	c->where = arena_format(&c->arena, "%s/openstack/%s", base, version);
	return openstack_read(f, c, base, version);
}

const struct source source_openstack = { "openstack", NULL, openstack_probe, openstack_fetch };
