/* SPDX-License-Identifier: MIT */
/*
 * EC2's instance metadata: version 2 (a token by PUT, then GETs that carry it), else version 1 (without a token).
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <ctype.h>
#include <strings.h>

#define EC2_VERSION "2009-04-04"	/* everything read here has been there since then, also with those who imitate EC2 */
#define EC2_MAX_KEYS 20

struct ec2 {
	struct finder *finder;
	const char *base;
	char token[512];	/* whole header line; "" for version 1 */
};

static enum source_chance ec2_probe(const struct machine *m)
{
	const char *uuid = m->product_uuid;

	if (strcmp(m->datasource, "ec2") == 0 || strcmp(m->sys_vendor, "Amazon EC2") == 0)
		return SOURCE_YES;
	if (strncasecmp(m->hypervisor_uuid, "ec2", 3) == 0 || strncasecmp(uuid, "ec2", 3) == 0)
		return SOURCE_YES;
	/* The first field may be byte-swapped: xxxx2?ec-… (SMBIOS before 2.6). */
	if (strlen(uuid) > 8 && uuid[8] == '-' && uuid[4] == '2' && strncasecmp(uuid + 6, "ec", 2) == 0)
		return SOURCE_YES;
	return SOURCE_NO;
}

/* A token is base64 text: nothing in it may end the header line. */
static bool ec2_token_is_valid(const char *token, size_t size)
{
	if (!size || size > 400)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isgraph((unsigned char)token[i]))
			return false;
	return true;
}

static errint_t ec2_begin(struct ec2 *e)
{
	static const char *const ttl[] = { "X-aws-ec2-metadata-token-ttl-seconds: 21600", "Content-Length: 0", NULL };
	const struct machine *m = e->finder->machine;
	const char *bases[] = { m->metadata_url ? m->metadata_url : "http://169.254.169.254", m->metadata_url ? NULL : "http://[fd00:ec2::254]", NULL };
	struct http_reply reply = { .body = NULL };
	errint_t r = finder_first(e->finder, bases, "PUT", "/latest/api/token", ttl, &e->base, &reply);

	if (r < 0)
		return r;
	/* 403, 404, 405: a service of version 1. */
	if (reply.status == 200 && ec2_token_is_valid(reply.body, reply.size))
		snprintf(e->token, sizeof e->token, "X-aws-ec2-metadata-token: %s", reply.body);
	http_reply_done(&reply);
	return 0;
}

static errint_t ec2_get(struct ec2 *e, const char *path, char **ret, size_t *ret_size)
{
	const char *headers[] = { *e->token ? e->token : NULL, NULL };
	_cleanup_free_ char *url = io_format("%s/" EC2_VERSION "/%s", e->base, path);

	return url ? finder_get(e->finder, url, headers, ret, ret_size) : -ENOMEM;
}

static errint_t ec2_word(struct ec2 *e, struct context *c, const char *path, const char **ret)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	errint_t r = ec2_get(e, path, &data, &size);

	if (r < 0)
		return r;
	data[strcspn(data, "\r\n")] = '\0';
	*ret = *data ? arena_string(&c->arena, data) : NULL;
	return 0;
}

/* public-keys/ lists "0=NAME"; each is at public-keys/0/openssh-key. */
static errint_t ec2_keys(struct ec2 *e, struct context *c)
{
	_cleanup_free_ char *list = NULL;
	size_t size = 0;
	char *line, *save = NULL;
	unsigned count = 0;
	errint_t r = ec2_get(e, "meta-data/public-keys/", &list, &size);

	if (r < 0)
		return r;
	for (line = strtok_r(list, "\r\n", &save); line && count++ < EC2_MAX_KEYS; line = strtok_r(NULL, "\r\n", &save)) {
		char path[80];
		_cleanup_free_ char *key = NULL;
		size_t digits = strspn(line, "0123456789");

		if (!digits || digits > 6)
			continue;
		snprintf(path, sizeof path, "meta-data/public-keys/%.*s/openssh-key", (int)digits, line);
		r = ec2_get(e, path, &key, &size);
		if (r == 0)
			r = context_add_key(c, key, strlen(key));
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static errint_t ec2_user_data(struct ec2 *e, struct context *c)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	errint_t r = ec2_get(e, "user-data", &data, &size);

	return r < 0 ? r : context_set_blob(c, &c->user_data, data, size);
}

static errint_t ec2_fetch(struct finder *f, struct context *c)
{
	struct ec2 e = { .finder = f };
	errint_t r = ec2_begin(&e);

	if (r < 0)
		return r;
	c->where = arena_format(&c->arena, "%s (version %d)", e.base, *e.token ? 2 : 1);
	r = ec2_word(&e, c, "meta-data/instance-id", &c->instance_id);
	if (r < 0) {
		finder_problem(f, "%s answers, but has no meta-data/instance-id", e.base);
		return r;
	}
	r = ec2_word(&e, c, "meta-data/local-hostname", &c->hostname);
	if (r == -ENOENT || (r == 0 && !c->hostname))
		r = ec2_word(&e, c, "meta-data/hostname", &c->hostname);
	if (r == 0 || r == -ENOENT)
		r = ec2_keys(&e, c);
	if (r == 0 || r == -ENOENT)
		r = ec2_user_data(&e, c);
	return r == -ENOENT ? 0 : r;
}

const struct source source_ec2 = { "ec2", NULL, ec2_probe, ec2_fetch };
