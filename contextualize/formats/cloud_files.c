/* SPDX-License-Identifier: MIT */
/*
 * The keys of cloud-config that carry files and commands: write_files, runcmd, bootcmd.
 */
#include "contextualize/formats/cloud_reader.h"

#include "contextualize/formats/decode.h"

#include <strings.h>

/* ---- write_files ---- */

static const char *const cloud_file_keys[] = {
	"path", "content", "encoding", "owner", "permissions", "append", "defer", NULL
};

/* Octal digits, with or without a leading 0 or 0o. */
static bool cloud_octal(const char *text, int *ret)
{
	char *end;
	unsigned long v;

	if (strncasecmp(text, "0o", 2) == 0)
		text += 2;
	if (!*text || strspn(text, "01234567") != strlen(text) || strlen(text) > 8)
		return false;
	v = strtoul(text, &end, 8);
	if (*end || v > 07777)
		return false;
	*ret = (int)v;
	return true;
}

static void cloud_file_mode(struct cloud_reader *r, const struct ytree_node *n, struct cloud_file *f)
{
	const char *text = ytree_text(n);

	if (n->kind == YTREE_NULL)
		return;
	if (!text || !cloud_octal(text, &f->mode))
		diag_add(r->diag, DIAG_ERROR, n->line, n->column, "permissions: an octal number was expected, as '0644': ignored");
	else if (!n->quoted && n->line && *text != '0')
		diag_add(r->diag, DIAG_WARNING, n->line, n->column, "permissions: %s without quotes is a decimal number to cloud-init; taken as octal here: "
			 "write '0%s'", text, text);
}

/* Runs content through the decoders that encoding names. */
static errint_t cloud_file_content(struct cloud_reader *r, const struct ytree_node *n, const struct ytree_node *encoding, struct cloud_file *f)
{
	static const struct { const char *name; bool base64, gzip; } encodings[] = {
		{ "text/plain", false, false }, { "b64", true, false }, { "base64", true, false }, { "gz", false, true }, { "gzip", false, true },
		{ "gz+b64", true, true }, { "gz+base64", true, true }, { "gzip+b64", true, true }, { "gzip+base64", true, true },
	};
	const char *name = encoding && encoding->kind != YTREE_NULL ? ytree_text(encoding) : "text/plain";
	_cleanup_free_ char *plain = NULL, *unpacked = NULL;
	const char *data = n ? n->text : "";
	size_t size = n ? n->length : 0, i;
	errint_t e = 0;

	for (i = 0; name && i < ARRAY_SIZE(encodings); i++)
		if (strcmp(name, encodings[i].name) == 0)
			break;
	if (!name || i == ARRAY_SIZE(encodings)) {
		diag_add(r->diag, DIAG_ERROR, encoding->line, encoding->column,
			 "encoding: b64, gzip, gz+b64 or text/plain was expected: %s is not written", f->path);
		return -EBADMSG;
	}
	if (encodings[i].base64 || (n && n->binary)) {
		e = decode_base64(data, size, &plain, &size);
		data = plain;
	}
	if (e == 0 && encodings[i].gzip) {
		e = decode_gzip(data, size, &unpacked, &size);
		data = unpacked;
	}
	if (e == -EBADMSG || e == -EFBIG) {
		diag_add(r->diag, DIAG_ERROR, n ? n->line : 0, n ? n->column : 0, "content of %s is %s: not written", f->path,
			 e == -EFBIG ? "larger than 16 MiB" : "not what its encoding says");
		return -EBADMSG;
	}
	if (e < 0)
		return e;
	f->content = arena_copy(&r->c->arena, data, size);
	f->size = size;
	return f->content ? 0 : -ENOMEM;
}

static void cloud_file_unknown_keys(struct cloud_reader *r, const struct ytree_node *n)
{
	for (size_t i = 0; i < n->count; i++) {
		const char *key = ytree_text(n->item[2 * i]);

		if (key && strcmp(key, "source") == 0)
			diag_add(r->diag, DIAG_WARNING, n->item[2 * i]->line, n->item[2 * i]->column, "source: files from a URL are not supported: ignored");
		else if (!key || !cloud_key_in(key, cloud_file_keys))
			cloud_unknown_key(r, " of write_files", key ? key : "?", n->item[2 * i], cloud_file_keys);
	}
}

static errint_t cloud_file_item(struct cloud_reader *r, const struct ytree_node *n)
{
	const struct ytree_node *path = ytree_get(n, "path"), *content = ytree_get(n, "content"), *mode = ytree_get(n, "permissions"),
				*owner = ytree_get(n, "owner"), *append = ytree_get(n, "append");
	struct cloud_file f = { .mode = -1 }, *grown;
	errint_t e;

	if (n->kind != YTREE_MAP)
		return cloud_type_error(r, "write_files", n, "a map with path and content"), 0;
	cloud_file_unknown_keys(r, n);
	f.path = path ? cloud_path(r, "path", path) : NULL;
	if (!f.path) {
		if (!path || path->kind == YTREE_NULL)
			diag_add(r->diag, DIAG_ERROR, n->line, n->column, "write_files: an item without a path: ignored");
		return 0;
	}
	if (content && content->kind != YTREE_SCALAR && content->kind != YTREE_NULL)
		return cloud_type_error(r, "content", content, "text"), 0;
	f.owner = owner ? cloud_text(r, "owner", owner) : NULL;
	f.append = append && cloud_tri(r, "append", append) == TRI_TRUE;
	if (mode)
		cloud_file_mode(r, mode, &f);
	e = cloud_file_content(r, content && content->kind == YTREE_SCALAR ? content : NULL, ytree_get(n, "encoding"), &f);
	if (e < 0)
		return e == -ENOMEM ? e : 0;
	grown = arena_grow(&r->c->arena, r->c->file, r->c->files, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	r->c->file = grown;
	grown[r->c->files++] = f;
	return 0;
}

errint_t cloud_key_write_files(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	errint_t e = 0;

	r->c->files = 0;
	r->c->file = NULL;
	if (n->kind != YTREE_LIST)
		return n->kind == YTREE_NULL ? 0 : (cloud_type_error(r, key, n, "a list"), 0);
	for (size_t i = 0; i < n->count && i < CLOUD_MAX_ITEMS && e == 0; i++)
		e = cloud_file_item(r, n->item[i]);
	return e;
}

/* ---- commands ---- */

static errint_t cloud_commands(struct cloud_reader *r, const char *key, const struct ytree_node *n, struct cloud_command **ret, size_t *ret_count)
{
	errint_t e = 0;

	*ret = NULL;
	*ret_count = 0;
	if (n->kind != YTREE_LIST)
		return n->kind == YTREE_NULL ? 0 : (cloud_type_error(r, key, n, "a list of commands"), 0);
	for (size_t i = 0; i < n->count && i < CLOUD_MAX_ITEMS && e == 0; i++) {
		struct cloud_command c = { .line = ytree_text(n->item[i]) }, *grown;

		if (n->item[i]->kind == YTREE_NULL)
			continue;
		if (n->item[i]->kind == YTREE_LIST)
			e = cloud_strings(r, key, n->item[i], NULL, &c.argv);
		if (e == 0 && !c.line && !c.argv.count) {
			if (n->item[i]->kind == YTREE_MAP)
				diag_add(r->diag, DIAG_ERROR, n->item[i]->line, n->item[i]->column,
					 "%s: a command became a map, since it holds ': ': put it into quotes (ignored)", key);
			else
				cloud_type_error(r, key, n->item[i], "a command");
			continue;
		}
		grown = arena_grow(&r->c->arena, *ret, *ret_count, sizeof *grown);
		if (!grown)
			return -ENOMEM;
		*ret = grown;
		grown[(*ret_count)++] = c;
	}
	return e;
}

errint_t cloud_key_runcmd(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	return cloud_commands(r, key, n, &r->c->runcmd, &r->c->runcmds);
}

errint_t cloud_key_bootcmd(struct cloud_reader *r, const char *key, const struct ytree_node *n)
{
	return cloud_commands(r, key, n, &r->c->bootcmd, &r->c->bootcmds);
}
