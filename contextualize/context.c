/* SPDX-License-Identifier: MIT */
/*
 * The normal form of what a data source said (context.h).
 */
#include "contextualize/context.h"

#include "common/io.h"
#include "common/yaml_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

char *ctx_path(const char *path)
{
	const char *root = getenv("SPORE_ROOT");

	return io_format("%s%s", root ? root : "", path);
}

errint_t ctx_read(const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *full = ctx_path(path);
	size_t size;
	errint_t r;

	if (!full)
		return -ENOMEM;
	r = io_read_file(full, max, ret, &size);
	if (r < 0)
		return r;
	while (size && isspace((unsigned char)(*ret)[size - 1]))
		(*ret)[--size] = '\0';
	if (ret_size)
		*ret_size = size;
	return 0;
}

errint_t ctx_write(const char *path, mode_t mode, const void *data, size_t size)
{
	_cleanup_free_ char *full = ctx_path(path), *dir = full ? strdup(full) : NULL;
	char *slash = dir ? strrchr(dir, '/') : NULL;
	errint_t r;

	if (!full || !dir)
		return -ENOMEM;
	if (slash && slash != dir) {
		*slash = '\0';
		r = io_mkdir_p(dir, 0755);
		if (r < 0)
			return r;
	}
	return io_write_file(full, mode, data, size);
}

errint_t context_set_blob(struct context *c, struct blob *b, const void *data, size_t size)
{
	if (size > CONTEXT_MAX_BLOB)
		return -EFBIG;
	b->data = arena_copy(&c->arena, data, size);
	b->size = size;
	return b->data ? 0 : -ENOMEM;
}

errint_t context_add_key(struct context *c, const char *key, size_t length)
{
	const char **grown;

	while (length && isspace((unsigned char)key[length - 1]))
		length--;
	while (length && isspace((unsigned char)*key))
		key++, length--;
	if (!length || length > 16384 || memchr(key, '\n', length) || memchr(key, '\0', length) || c->keys >= 100)
		return 0;
	grown = arena_grow(&c->arena, c->key, c->keys, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	c->key = grown;
	grown[c->keys] = arena_copy(&c->arena, key, length);
	if (!grown[c->keys])
		return -ENOMEM;
	c->keys++;
	return 0;
}

void context_done(struct context *c)
{
	arena_done(&c->arena);
	memset(c, 0, sizeof *c);
}

void context_id_file(const char *id, char ret[3 * CONTEXT_MAX_ID + 1])
{
	char *p = ret;

	for (size_t i = 0; id[i] && i < CONTEXT_MAX_ID; i++) {
		unsigned char c = (unsigned char)id[i];

		if (isalnum(c) || c == '_' || c == '-' || c == ':' || (c == '.' && i))
			*p++ = (char)c;
		else
			p += sprintf(p, "+%02X", c);
	}
	*p = '\0';
}

const char *network_format_name(enum network_format f)
{
	static const char *const name[] = { "none", "v1", "v2", "network_data", "eni" };

	return name[f];
}

/* Does a line begin with one of the words of interfaces(5)? */
static bool network_looks_eni(const char *data, size_t size)
{
	for (size_t i = 0; i < size;) {
		const char *nl = memchr(data + i, '\n', size - i);

		if (size - i > 6 && (memcmp(data + i, "iface ", 6) == 0 || memcmp(data + i, "auto ", 5) == 0))
			return true;
		i = nl ? (size_t)(nl - data) + 1 : size;
	}
	return false;
}

enum network_format network_format_guess(const char *data, size_t size)
{
	struct arena arena = { .first = NULL };
	struct ytree_node *root = NULL, *inner;
	struct ytree_error error;
	enum network_format f = NETWORK_NONE;
	int64_t version;

	if (ytree_parse_yaml(&arena, data, size, &root, &error) == 0 && root->kind == YTREE_MAP) {
		inner = ytree_get(root, "network");
		if (inner && inner->kind == YTREE_MAP)
			root = inner;
		if (ytree_number(ytree_get(root, "version"), 1, 2, &version))
			f = version == 1 ? NETWORK_V1 : NETWORK_V2;
		else if (ytree_get(root, "ethernets"))
			f = NETWORK_V2;
		else if (ytree_get(root, "config"))
			f = NETWORK_V1;
		else if (ytree_get(root, "links") || ytree_get(root, "networks"))
			f = NETWORK_DATA;
	}
	arena_done(&arena);
	return f == NETWORK_NONE && network_looks_eni(data, size) ? NETWORK_ENI : f;
}

/* ---- files ---- */

static errint_t context_write_one(const char *dir, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = io_format("%s/%s", dir, name);

	return path ? io_write_file(path, 0600, data, size) : -ENOMEM;
}

static errint_t context_write_word(const char *dir, const char *name, const char *word)
{
	_cleanup_free_ char *line = io_format("%s\n", word);

	return line ? context_write_one(dir, name, line, strlen(line)) : -ENOMEM;
}

static void context_json_string(FILE *f, const char *text)
{
	putc('"', f);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(f, "\\u%04x", *p);
		else
			putc(*p, f);
	}
	putc('"', f);
}

static errint_t context_write_meta(const struct context *c, const char *dir)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	fputs("{\n\t\"instance-id\": ", f);
	context_json_string(f, c->instance_id ? c->instance_id : "");
	if (c->hostname) {
		fputs(",\n\t\"hostname\": ", f);
		context_json_string(f, c->hostname);
	}
	fputs(",\n\t\"public-keys\": [", f);
	for (size_t i = 0; i < c->keys; i++) {
		fputs(i ? ",\n\t\t" : "\n\t\t", f);
		context_json_string(f, c->key[i]);
	}
	fputs(c->keys ? "\n\t]\n}\n" : "]\n}\n", f);
	if (fclose(f) != 0)
		return -ENOMEM;
	return context_write_one(dir, "meta-data.json", text, size);
}

static errint_t context_write_settings(const struct settings *s, const char *dir)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++)
		fprintf(f, "%s=%s\n", s->item[i].key, s->item[i].value);
	if (fclose(f) != 0)
		return -ENOMEM;
	return context_write_one(dir, "settings", text, size);
}

/* Takes away what another source left. */
static void context_clear(const char *dir)
{
	static const char *const names[] = { "source", "where", "instance-id", "user-data", "meta-data.json", "network-config",
					     "network-config.format", "vendor-data", "settings" };
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++)
		unlinkat(fd, names[i], 0);
}

errint_t context_save(const struct context *c, const char *dir, const struct settings *settings)
{
	errint_t r = io_mkdir_p(dir, 0700);

	if (r < 0)
		return r;
	if (chmod(dir, 0700) < 0)
		return -errno;
	context_clear(dir);
	if (c->instance_id)
		r = context_write_word(dir, "instance-id", c->instance_id);
	if (r == 0 && c->instance_id)
		r = context_write_meta(c, dir);
	if (r == 0 && c->where)
		r = context_write_word(dir, "where", c->where);
	if (r == 0 && c->user_data.data)
		r = context_write_one(dir, "user-data", c->user_data.data, c->user_data.size);
	if (r == 0 && c->vendor_data.data)
		r = context_write_one(dir, "vendor-data", c->vendor_data.data, c->vendor_data.size);
	if (r == 0 && c->network.data)
		r = context_write_one(dir, "network-config", c->network.data, c->network.size);
	if (r == 0 && c->network.data)
		r = context_write_word(dir, "network-config.format", network_format_name(c->network_format));
	if (r == 0 && settings && settings->count)
		r = context_write_settings(settings, dir);
	/* Last: who sees it sees the rest. */
	return r < 0 ? r : context_write_word(dir, "source", c->source ? c->source : "none");
}

/* A file into the arena; one that is not there is no error and leaves *b as it is. */
static errint_t context_load_blob(struct context *c, const char *dir, const char *name, struct blob *b)
{
	_cleanup_free_ char *path = io_format("%s/%s", dir, name), *data = NULL;
	size_t size = 0;
	errint_t r = path ? io_read_file(path, CONTEXT_MAX_BLOB, &data, &size) : -ENOMEM;

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : context_set_blob(c, b, data, size);
}

static errint_t context_load_word(struct context *c, const char *dir, const char *name, const char **ret)
{
	struct blob b = { .data = NULL };
	errint_t r = context_load_blob(c, dir, name, &b);

	if (r == 0 && b.data) {
		b.data[strcspn(b.data, "\r\n")] = '\0';
		*ret = b.data;
	}
	return r;
}

static errint_t context_load_meta(struct context *c, const char *dir)
{
	struct blob b = { .data = NULL };
	struct ytree_node *root = NULL, *keys;
	struct ytree_error error;
	errint_t r = context_load_blob(c, dir, "meta-data.json", &b);

	if (r < 0 || !b.data)
		return r;
	r = ytree_parse_json(&c->arena, b.data, b.size, &root, &error);
	if (r < 0)
		return r;
	c->hostname = ytree_text(ytree_get(root, "hostname"));
	keys = ytree_get(root, "public-keys");
	for (size_t i = 0; keys && keys->kind == YTREE_LIST && i < keys->count && r == 0; i++)
		if (ytree_text(keys->item[i]))
			r = context_add_key(c, ytree_text(keys->item[i]), keys->item[i]->length);
	return r;
}

errint_t context_load(struct context *c, const char *dir)
{
	const char *format = NULL;
	errint_t r = context_load_word(c, dir, "source", &c->source);

	if (r == 0 && !c->source)
		return -ENOENT;
	if (r == 0)
		r = context_load_word(c, dir, "where", &c->where);
	if (r == 0)
		r = context_load_word(c, dir, "instance-id", &c->instance_id);
	if (r == 0)
		r = context_load_meta(c, dir);
	if (r == 0)
		r = context_load_blob(c, dir, "user-data", &c->user_data);
	if (r == 0)
		r = context_load_blob(c, dir, "vendor-data", &c->vendor_data);
	if (r == 0)
		r = context_load_blob(c, dir, "network-config", &c->network);
	if (r == 0)
		r = context_load_word(c, dir, "network-config.format", &format);
	for (int f = NETWORK_NONE; r == 0 && format && f <= NETWORK_ENI; f++)
		if (strcmp(format, network_format_name(f)) == 0)
			c->network_format = f;
	return r;
}
