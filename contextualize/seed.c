/* SPDX-License-Identifier: MIT */
/*
 * contextualize seed: an ISO 9660 image with user data, as NoCloud or as a config drive. Host only. The same input gives the same bytes: times come from
 * SOURCE_DATE_EPOCH (else 1980), and what libarchive writes of the present time is overwritten.
 */
#include "contextualize/contextualize.h"

#include "common/digest.h"
#include "common/io.h"
#include "common/message.h"
#include "common/options.h"
#include "contextualize/context.h"
#include "contextualize/formats/netconfig.h"
#include "contextualize/iso_finish.h"
#include "contextualize/sources/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <time.h>

#define SEED_MAX_FILES 8
#define SEED_DEFAULT_TIME 315532800	/* 1980-01-01 */

struct seed_file {
	const char *path;
	char *data;
	size_t size;
};

struct seed {
	bool configdrive;
	const char *volume;
	struct seed_file file[SEED_MAX_FILES];
	size_t files;
	int64_t time;
};

static struct seed_options {
	const char *type, *user_data, *meta_data, *network, *vendor, *output;
	bool no_check;
} seed_options = { .type = "nocloud" };

static int seed_option(void *context, int id, const char *value)
{
	struct seed_options *o = context;

	switch (id) {
	case 't': o->type = value; break;
	case 'u': o->user_data = value; break;
	case 'm': o->meta_data = value; break;
	case 'n': o->network = value; break;
	case 'v': o->vendor = value; break;
	case 'o': o->output = value; break;
	default: o->no_check = true; break;
	}
	return 0;
}

static int seed_read(const char *path, char **ret, size_t *ret_size)
{
	errint_t r = io_read_file(path, CONTEXT_MAX_BLOB, ret, ret_size);

	if (r == 0)
		return 0;
	message_error("cannot read %s: %s", path, r == -EFBIG ? "larger than 16 MiB" : strerror(-r));
	return EXIT_NO_INPUT;
}

/* Takes data over. */
static int seed_add(struct seed *s, const char *path, char *data, size_t size)
{
	if (!data || s->files >= SEED_MAX_FILES) {
		free(data);
		return EXIT_SOFTWARE;
	}
	s->file[s->files++] = (struct seed_file){ path, data, size };
	return 0;
}

static int seed_add_path(struct seed *s, const char *name, const char *path)
{
	char *data = NULL;
	size_t size = 0;
	int code = path ? seed_read(path, &data, &size) : 0;

	return path && code == 0 ? seed_add(s, name, data, size) : code;
}

/* An id that changes when the content does, so that changed user data are applied again. */
static void seed_id(const struct seed *s, char ret[37])
{
	struct digest_state state;
	struct digest d;
	uint8_t *b = d.bytes;

	digest_begin(&state);
	for (size_t i = 0; i < s->files; i++) {
		uint8_t size[8];

		le64_put(size, s->file[i].size);
		digest_add(&state, s->file[i].path, strlen(s->file[i].path) + 1);
		digest_add(&state, size, sizeof size);
		digest_add(&state, s->file[i].data, s->file[i].size);
	}
	digest_end(&state, &d);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x80);	/* version 8, RFC 9562 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
		 b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* ---- meta-data ---- */

static int seed_nocloud_meta(struct seed *s, const struct seed_options *o)
{
	char id[37];
	char *text;

	if (o->meta_data)
		return seed_add_path(s, "meta-data", o->meta_data);
	seed_id(s, id);
	text = io_format("instance-id: %s\n", id);
	return seed_add(s, "meta-data", text, text ? strlen(text) : 0);
}

/* A given meta_data.json gets a uuid if it has none. */
static int seed_configdrive_meta(struct seed *s, const struct seed_options *o)
{
	json_t *root = json_object();
	json_error_t e;
	char id[37];
	char *text;

	if (o->meta_data) {
		json_decref(root);
		root = json_load_file(o->meta_data, 0, &e);
		if (!root) {
			message_error("%s:%d:%d: %s; the meta data of a config drive are JSON (meta_data.json)", o->meta_data, e.line, e.column, e.text);
			return EXIT_DATA;
		}
	}
	seed_id(s, id);
	if (json_is_object(root) && !json_object_get(root, "uuid"))
		json_object_set_new(root, "uuid", json_string(id));
	text = json_is_object(root) ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
	json_decref(root);
	if (!text) {
		message_error("%s: a JSON object was expected", o->meta_data ? o->meta_data : "meta data");
		return EXIT_DATA;
	}
	return seed_add(s, "openstack/latest/meta_data.json", text, strlen(text));
}

/* ---- checks before anything is written ---- */

static int seed_check_network(const struct seed *s, const char *path, const char *data, size_t size)
{
	struct netconfig *n = calloc(1, sizeof *n);
	struct diag_list diag = { .count = 0 };
	enum network_format f = network_format_guess(data, size);
	int code = 0;

	if (!n)
		return EXIT_SOFTWARE;
	if (s->configdrive ? f != NETWORK_DATA : f != NETWORK_V1 && f != NETWORK_V2)
		diag_add(&diag, DIAG_ERROR, 0, 0, s->configdrive ? "a config drive takes network_data.json" : "NoCloud takes a network-config of version 1 or 2");
	else
		netconfig_read(n, f, data, size, &diag);
	for (size_t i = 0; i < diag.count; i++) {
		_cleanup_free_ char *text = diag_format(&diag.item[i], path);

		if (diag.item[i].level == DIAG_ERROR)
			message_error("%s", text ? text : diag.item[i].text);
		else
			message_warning("%s", text ? text : diag.item[i].text);
	}
	if (diag.errors)
		code = EXIT_DATA;
	netconfig_done(n);
	free(n);
	diag_done(&diag);
	return code;
}

static int seed_check_meta(const struct seed_file *f, const char *path)
{
	struct context c = { .source = NULL };
	struct ytree_error e;
	errint_t r = nocloud_read_metadata(&c, f->data, f->size, &e);

	context_done(&c);
	if (r < 0)
		message_error("%s:%u:%u: %s", path, e.line, e.column, e.text);
	return r < 0 ? EXIT_DATA : 0;
}

static int seed_check(const struct seed *s, const struct seed_options *o)
{
	int code = 0;

	for (size_t i = 0; i < s->files && code == 0; i++) {
		const struct seed_file *f = &s->file[i];

		if (strcmp(f->path, "user-data") == 0 || strcmp(f->path, "openstack/latest/user_data") == 0)
			code = contextualize_check_data(o->user_data, f->data, f->size);
		else if (strcmp(f->path, "network-config") == 0 || strcmp(f->path, "openstack/latest/network_data.json") == 0)
			code = seed_check_network(s, o->network, f->data, f->size);
		else if (strcmp(f->path, "meta-data") == 0 && o->meta_data)
			code = seed_check_meta(f, o->meta_data);
	}
	if (code == EXIT_DATA)
		message_error("nothing was written; --no-check writes the seed all the same");
	return code;
}

/* ---- ISO 9660 ---- */

static int seed_entry(struct archive *a, const struct seed *s, const char *path, const struct seed_file *f)
{
	struct archive_entry *e = archive_entry_new();
	int r = ARCHIVE_FATAL;

	if (!e)
		return r;
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, f ? AE_IFREG : AE_IFDIR);
	archive_entry_set_perm(e, f ? 0644 : 0755);
	archive_entry_set_size(e, f ? (int64_t)f->size : 0);
	archive_entry_set_mtime(e, s->time, 0);
	archive_entry_set_atime(e, s->time, 0);
	archive_entry_set_ctime(e, s->time, 0);
	archive_entry_set_birthtime(e, s->time, 0);
	archive_entry_set_nlink(e, 1);
	r = archive_write_header(a, e);
	if (r == ARCHIVE_OK && f && f->size && archive_write_data(a, f->data, f->size) != (la_ssize_t)f->size)
		r = ARCHIVE_FATAL;
	archive_entry_free(e);
	return r;
}

static int seed_write_archive(struct archive *a, const struct seed *s, int fd)
{
	_cleanup_free_ char *options = io_format("volume-id=%s,rockridge,joliet,!zisofs,pad", s->volume);
	int r = archive_write_set_format_iso9660(a);

	if (r == ARCHIVE_OK)
		r = options ? archive_write_set_options(a, options) : ARCHIVE_FATAL;
	if (r == ARCHIVE_OK)
		r = archive_write_open_fd(a, fd);
	if (r == ARCHIVE_OK && s->configdrive)
		r = seed_entry(a, s, "openstack", NULL);
	if (r == ARCHIVE_OK && s->configdrive)
		r = seed_entry(a, s, "openstack/latest", NULL);
	for (size_t i = 0; i < s->files && r == ARCHIVE_OK; i++)
		r = seed_entry(a, s, s->file[i].path, &s->file[i]);
	return r == ARCHIVE_OK ? archive_write_close(a) : r;
}

static int seed_write(const struct seed *s, const char *path)
{
	struct io_atomic out = IO_ATOMIC_INIT;
	struct archive *a = archive_write_new();
	errint_t r = a ? io_atomic_begin(&out, path, 0600) : -ENOMEM;
	const char *why = NULL;

	if (r == 0 && seed_write_archive(a, s, out.fd) != ARCHIVE_OK) {
		why = archive_error_string(a);
		r = -EIO;
	}
	if (r == 0)
		r = iso_finish(out.fd, s->volume, s->time);
	if (r == 0)
		r = io_atomic_commit(&out);
	if (r < 0)
		message_error("cannot write %s: %s", path, why ? why : strerror(-r));
	io_atomic_done(&out);
	archive_write_free(a);
	return r < 0 ? EXIT_CANNOT_CREATE : 0;
}

/* ---- the verb ---- */

static int seed_collect(struct seed *s, const struct seed_options *o)
{
	int code = seed_add_path(s, s->configdrive ? "openstack/latest/user_data" : "user-data", o->user_data);

	if (code == 0)
		code = seed_add_path(s, s->configdrive ? "openstack/latest/network_data.json" : "network-config", o->network);
	if (code == 0)
		code = seed_add_path(s, s->configdrive ? "openstack/latest/vendor_data.json" : "vendor-data", o->vendor);
	if (code == 0)
		code = s->configdrive ? seed_configdrive_meta(s, o) : seed_nocloud_meta(s, o);
	return code;
}

static int seed_time(struct seed *s)
{
	s->time = SEED_DEFAULT_TIME;
	if (!getenv("SOURCE_DATE_EPOCH"))
		return 0;
	if (source_date(&s->time) == 0 && s->time >= 0 && s->time < 253402300800)
		return 0;
	message_error("SOURCE_DATE_EPOCH is not a number of seconds since 1970");
	return EXIT_USAGE;
}

static int seed_run(void *context, int operands, char **operand)
{
	struct seed_options *o = context;
	struct seed s = { .volume = "cidata" };
	int code = 0;

	(void)operands;
	(void)operand;
	if (strcmp(o->type, "configdrive") == 0) {
		s.configdrive = true;
		s.volume = "config-2";
	} else if (strcmp(o->type, "nocloud") != 0) {
		message_error("--type: '%s' is not known; nocloud and configdrive are", o->type);
		return EXIT_USAGE;
	}
	if (!o->user_data || !o->output) {
		message_error("seed: --user-data and --output are needed; see 'contextualize seed --help'");
		return EXIT_USAGE;
	}
	/* libarchive writes local time. */
	setenv("TZ", "UTC0", 1);
	tzset();
	code = seed_time(&s);
	if (code == 0)
		code = seed_collect(&s, o);
	if (code == 0 && !o->no_check)
		code = seed_check(&s, o);
	if (code == 0)
		code = seed_write(&s, o->output);
	for (size_t i = 0; i < s.files; i++)
		free(s.file[i].data);
	return code;
}

static const struct option_spec seed_specs[] = {
	{ 't', "type", "TYPE", "nocloud (volume cidata, the default) or configdrive (volume config-2)", 0 },
	{ 'u', "user-data", "FILE", "the user data, of any format", 0 },
	{ 'm', "meta-data", "FILE", "YAML for nocloud, JSON for configdrive; made from the content if not given", 0 },
	{ 'n', "network-config", "FILE", "version 1 or 2 for nocloud, network_data.json for configdrive", 0 },
	{ 'v', "vendor-data", "FILE", "user data of the provider, applied before the user's", 0 },
	{ 'o', "output", "FILE", "the ISO image; replaced only when the new one is complete", 0 },
	{ 0, "no-check", NULL, "write the seed even if the data have errors", 1 },
	{ 0 }
};

const struct command contextualize_seed_command = {
	"seed", "", "make an ISO image that carries user data", seed_specs, seed_option, 0, 0, seed_run, &seed_options,
};
