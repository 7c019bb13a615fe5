/* SPDX-License-Identifier: MIT */
/*
 * Credentials that the hypervisor hands over without a disk or a network, under systemd's conventions: SMBIOS type 11 strings
 * (io.systemd.credential:NAME=TEXT, io.systemd.credential.binary:NAME=BASE64) and QEMU's fw_cfg (opt/io.systemd.credentials/NAME). Names:
 * spore.user-data, spore.meta-data (YAML, as NoCloud's), spore.network-config.
 */
#include "contextualize/sources/source.h"

#include "common/io.h"
#include "contextualize/formats/decode.h"

#define CREDENTIALS_MAX_ENTRIES 64

static errint_t credentials_fw_cfg(struct context *c, const char *name, struct blob *b)
{
	_cleanup_free_ char *path = io_format("/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/%s/raw", name);
	_cleanup_free_ char *full = path ? ctx_path(path) : NULL, *data = NULL;
	size_t size = 0;
	errint_t r = full ? io_read_file(full, CONTEXT_MAX_BLOB, &data, &size) : -ENOMEM;

	return r < 0 ? r : context_set_blob(c, b, data, size);
}

/* One string of type 11: is it this credential? */
static errint_t credentials_string(struct context *c, const char *text, const char *name, struct blob *b)
{
	static const char plain[] = "io.systemd.credential:", binary[] = "io.systemd.credential.binary:";
	bool is_binary = strncmp(text, binary, sizeof binary - 1) == 0;
	const char *value;

	if (!is_binary && strncmp(text, plain, sizeof plain - 1) != 0)
		return -ENOENT;
	value = text + (is_binary ? sizeof binary : sizeof plain) - 1;
	if (strncmp(value, name, strlen(name)) != 0 || value[strlen(name)] != '=')
		return -ENOENT;
	value += strlen(name) + 1;
	if (is_binary) {
		_cleanup_free_ char *data = NULL;
		size_t size = 0;
		errint_t r = decode_base64(value, strlen(value), &data, &size);

		return r < 0 ? r : context_set_blob(c, b, data, size);
	}
	return context_set_blob(c, b, value, strlen(value));
}

static errint_t credentials_smbios(struct context *c, const char *name, struct blob *b)
{
	for (unsigned n = 0; n < CREDENTIALS_MAX_ENTRIES; n++) {
		_cleanup_free_ char *path = io_format("/sys/firmware/dmi/entries/11-%u/raw", n), *full = path ? ctx_path(path) : NULL, *raw = NULL;
		size_t size = 0;

		if (!full || io_read_file(full, CONTEXT_MAX_BLOB, &raw, &size) < 0 || size < 5)
			break;
		for (size_t at = (uint8_t)raw[1]; at < size; at += strlen(raw + at) + 1) {
			errint_t r = credentials_string(c, raw + at, name, b);

			if (r != -ENOENT)
				return r;
		}
	}
	return -ENOENT;
}

static errint_t credentials_one(struct finder *f, struct context *c, const char *name, struct blob *b)
{
	errint_t r = credentials_fw_cfg(c, name, b);

	if (r == -ENOENT || r == -ENOTDIR)
		r = credentials_smbios(c, name, b);
	if (r == -EBADMSG)
		finder_problem(f, "credential %s in SMBIOS type 11 is not base64", name);
	return r;
}

static errint_t credentials_fetch(struct finder *f, struct context *c)
{
	struct blob meta = { .data = NULL };
	struct ytree_error error;
	errint_t r = credentials_one(f, c, "spore.user-data", &c->user_data);

	if (r < 0)
		return r;
	c->where = arena_string(&c->arena, "credentials of the hypervisor");
	r = credentials_one(f, c, "spore.network-config", &c->network);
	if (r == 0)
		c->network_format = network_format_guess(c->network.data, c->network.size);
	if (r < 0 && r != -ENOENT)
		return r;
	r = credentials_one(f, c, "spore.meta-data", &meta);
	if (r == 0)
		r = nocloud_read_metadata(c, meta.data, meta.size, &error);
	if (r == -EBADMSG)
		finder_problem(f, "credential spore.meta-data: not YAML, or not base64");
	return r == -ENOENT ? 0 : r;
}

const struct source source_credentials = { "credentials", credentials_fetch, NULL, NULL };
