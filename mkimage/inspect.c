/* SPDX-License-Identifier: MIT */
/* mkimage inspect: the facts of an examination, for people or as JSON. */
#include "mkimage/examine.h"
#include "mkimage/verbs.h"

#include <jansson.h>

static bool as_json, with_list;

enum { ID_JSON = 1000, ID_LIST };

const struct option_spec inspect_options[] = {
	{ 0, "json", NULL, "print JSON", ID_JSON },
	{ 0, "list", NULL, "list the files of the initrds, too", ID_LIST },
	{ 0 }
};

int inspect_on_option(void *context, int id, const char *value)
{
	(void)context, (void)value;
	if (id == ID_JSON)
		as_json = true;
	else
		with_list = true;
	return 0;
}

/* Names come from the image: nothing in them may steer a terminal. The result is good until the fourth next call. */
static const char *safe(const char *text)
{
	static char rings[4][FAT_MAX_PATH + 1];
	static unsigned int turn;
	char *ret = rings[turn++ % 4];
	size_t n = 0;

	for (; text[n] && n < FAT_MAX_PATH; n++)
		ret[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
	ret[n] = '\0';
	return ret;
}

/* ---- JSON ---- */

/* What is no UTF-8 becomes null rather than an error. */
static json_t *text_value(const char *text)
{
	json_t *v = json_string(text);

	return v ? v : json_null();
}

static json_t *slice_value(const struct examination *x, struct boot_conf_text t)
{
	json_t *v = t.size ? json_stringn(x->conf_text + t.offset, t.size) : NULL;

	return v ? v : json_null();
}

static json_t *partitions_json(const struct examination *x)
{
	json_t *list = json_array();

	for (size_t i = 0; i < GPT_ENTRIES; i++) {
		const struct gpt_partition *p = &x->gpt.partitions[i];
		char type[37], id[37];
		if (gpt_guid_is_zero(&p->type))
			continue;
		gpt_guid_format(&p->type, type);
		gpt_guid_format(&p->id, id);
		json_array_append_new(list, json_pack("{s:i, s:o, s:s, s:s, s:I, s:I}", "number", (int)i + 1, "name", text_value(p->name), "type", type, "id", id,
						      "first", (json_int_t)p->first, "last", (json_int_t)p->last));
	}
	return list;
}

static json_t *esp_json(const struct examination *x)
{
	json_t *files = json_array();
	char type[8];

	if (!x->fat_good) {
		json_decref(files);
		return json_null();
	}
	for (size_t i = 0; i < x->listing.count; i++) {
		const struct fat_node *n = &x->listing.nodes[i];
		json_array_append_new(files, json_pack("{s:o, s:b, s:I}", "path", text_value(n->path), "directory", n->directory, "size", (json_int_t)n->size));
	}
	snprintf(type, sizeof(type), "FAT%d", (int)x->fat.g.type);
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:o}", "type", type, "label", x->fat.label, "cluster_size", (int)x->fat.g.cluster_size,
			 "size", (json_int_t)(x->fat.g.sectors * FAT_SECTOR), "free", (json_int_t)fat_free_bytes(&x->fat), "files", files);
}

static json_t *entries_json(const struct examination *x)
{
	json_t *list = json_array();

	for (uint32_t i = 0; x->conf_good && i < x->conf.count; i++) {
		const struct boot_conf_entry *e = &x->conf.entries[i];
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "name", slice_value(x, e->name), "title", slice_value(x, e->title),
						      "linux", slice_value(x, e->linux_path), "initrd", slice_value(x, e->initrd_path), "options",
						      slice_value(x, e->options), "default", i == x->conf.default_entry));
	}
	return list;
}

static json_t *initrd_items_json(const struct initrd_content *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->count; i++) {
		char mode[8];
		snprintf(mode, sizeof(mode), "%06o", c->items[i].mode & 0177777);
		json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:o}", "path", text_value(c->items[i].path), "mode", mode, "size",
						      (json_int_t)c->items[i].size, "target", c->items[i].target ? text_value(c->items[i].target) : json_null()));
	}
	return list;
}

static json_t *boot_files_json(const struct examination *x, bool kernels)
{
	json_t *list = json_array();

	for (size_t i = 0; i < x->file_count; i++) {
		const struct boot_file *b = &x->files[i];
		if (b->is_kernel != kernels || !b->readable)
			continue;
		json_t *o = json_pack("{s:o, s:I}", "path", text_value(b->path), "size", (json_int_t)b->size);
		if (kernels) {
			json_object_set_new(o, "version", text_value(b->kernel.version));
			json_object_set_new(o, "efi_stub", json_boolean(b->kernel.efi_stub));
		} else {
			json_object_set_new(o, "compression", json_string(b->initrd.compression));
			json_object_set_new(o, "unpacked", json_integer((json_int_t)b->initrd.unpacked));
			json_object_set_new(o, "files", json_integer((json_int_t)b->initrd.count));
			if (with_list)
				json_object_set_new(o, "list", initrd_items_json(&b->initrd));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static int print_json(const char *path, const struct examination *x)
{
	char disk_id[37];

	gpt_guid_format(&x->gpt.disk_id, disk_id);
	json_t *o = json_pack("{s:o, s:I, s:s, s:o, s:o, s:{s:i, s:o}, s:o, s:o, s:i}", "image", text_value(path), "size", (json_int_t)x->file.size,
			      "disk_id", disk_id, "partitions", partitions_json(x), "esp", esp_json(x), "boot", "timeout", (int)x->conf.timeout, "entries",
			      entries_json(x), "kernels", boot_files_json(x, true), "initrds", boot_files_json(x, false), "errors", (int)x->errors);
	int failed = !o || json_dumpf(o, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF;
	json_decref(o);
	return failed ? EXIT_SOFTWARE : 0;
}

/* ---- text ---- */

static void print_partitions(const struct examination *x)
{
	char id[37], size[16];

	if (x->gpt_state == GPT_NONE || x->gpt_state == GPT_CORRUPT)
		return;
	gpt_guid_format(&x->gpt.disk_id, id);
	printf("Disk %s\n", id);
	for (size_t i = 0; i < GPT_ENTRIES; i++) {
		const struct gpt_partition *p = &x->gpt.partitions[i];
		if (gpt_guid_is_zero(&p->type))
			continue;
		gpt_guid_format(&p->type, id);
		printf("  partition %zu '%s': sectors %llu to %llu, %s, type %s\n", i + 1, safe(p->name), (unsigned long long)p->first,
		       (unsigned long long)p->last, format_size((p->last - p->first + 1) * x->gpt.sector_size, size), id);
	}
}

static void print_esp(const struct examination *x)
{
	char size[16], left[16];

	if (!x->fat_good)
		return;
	printf("ESP: FAT%d '%s', %08X, clusters of %u bytes, %s, %s free\n", (int)x->fat.g.type, safe(x->fat.label), x->fat.volume_id, x->fat.g.cluster_size,
	       format_size(x->fat.g.sectors * FAT_SECTOR, size), format_size(fat_free_bytes(&x->fat), left));
	for (size_t i = 0; i < x->listing.count; i++) {
		const struct fat_node *n = &x->listing.nodes[i];
		if (n->directory)
			printf("  %10s  /%s/\n", "", safe(n->path));
		else
			printf("  %10u  /%s\n", n->size, safe(n->path));
	}
}

static void print_slice(const struct examination *x, const char *what, struct boot_conf_text t)
{
	if (t.size)
		printf("    %-8s %.*s\n", what, (int)t.size, x->conf_text + t.offset);
}

static void print_entries(const struct examination *x)
{
	if (!x->conf_good)
		return;
	printf("Boot configuration: timeout %u s\n", x->conf.timeout);
	for (uint32_t i = 0; i < x->conf.count; i++) {
		const struct boot_conf_entry *e = &x->conf.entries[i];
		printf("  entry %.*s%s\n", (int)e->name.size, x->conf_text + e->name.offset, i == x->conf.default_entry ? " (default)" : "");
		print_slice(x, "title", e->title);
		print_slice(x, "linux", e->linux_path);
		print_slice(x, "initrd", e->initrd_path);
		print_slice(x, "options", e->options);
	}
}

static void print_boot_files(const struct examination *x)
{
	char size[16], unpacked[16];

	for (size_t i = 0; i < x->file_count; i++) {
		const struct boot_file *b = &x->files[i];
		if (!b->readable)
			continue;
		format_size(b->size, size);
		if (b->is_kernel) {
			printf("Kernel %s: %s, version %s\n", safe(b->path), size, b->kernel.version);
			continue;
		}
		printf("Initrd %s: %s, %s, unpacked %s, %zu files\n", safe(b->path), size, b->initrd.compression,
		       format_size(b->initrd.unpacked, unpacked), b->initrd.count);
		for (size_t k = 0; with_list && k < b->initrd.count; k++) {
			const struct initrd_item *n = &b->initrd.items[k];
			printf("  %06o %10llu  /%s%s%s\n", n->mode & 0177777, (unsigned long long)n->size, safe(n->path), n->target ? " -> " : "",
			       n->target ? safe(n->target) : "");
		}
	}
}

static void print_text(const char *path, const struct examination *x)
{
	char size[16];

	printf("Image %s: %s (%llu bytes)\n", safe(path), format_size(x->file.size, size), (unsigned long long)x->file.size);
	print_partitions(x);
	print_esp(x);
	print_entries(x);
	print_boot_files(x);
}

int inspect_run(void *context, int operands, char **operand)
{
	struct problem problem = { .exit_code = 0 };
	struct examination *x = malloc(sizeof(*x));
	int code = 0;

	(void)context, (void)operands;
	if (!x) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	if (examine(operand[0], x, &problem) < 0) {
		message_error("%s", problem.text);
		code = problem.exit_code;
	} else {
		if (as_json)
			code = print_json(operand[0], x);
		else
			print_text(operand[0], x);
		/* What is there was told; what is wrong decides the exit code, and verify tells all of it. */
		if (code == 0 && x->errors) {
			message_error("%s: %s%s", operand[0], x->findings[0].text, x->errors > 1 ? " (and more: see 'mkimage verify')" : "");
			code = EXIT_DATA;
		}
	}
	examination_done(x);
	free(x);
	return code;
}
