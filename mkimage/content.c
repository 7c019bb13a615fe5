/* SPDX-License-Identifier: MIT */
/* The ESP's files; see content.h. */
#include "mkimage/content.h"
#include "mkimage/fat.h"
#include "mkimage/initrd.h"
#include "common/boot_conf.h"
#include "common/io.h"
#include "common/signify.h"

#define MAX_KEYS 16
#define MAX_KEY_FILE (4 * KIB)
#define MAX_ACCESS_FILE (1 * MIB)
#define ACCESS_FOLDER "etc/spore/access"

struct text {
	char *data;
	size_t size;
};

static errint_t no_memory(struct problem *p)
{
	return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
}

/* Takes path (NULL: memory was out) and data over. */
static errint_t put(struct payload *t, char *path, char *data, size_t size, struct problem *p)
{
	errint_t r = -ENOMEM;

	if (path)
		r = payload_add(t, path, data, size);
	else
		free(data);
	if (r == -EEXIST)
		problem_set(p, r, EXIT_CONFIG, "/%s would be on the ESP twice: give the files other names", path);
	else if (r < 0)
		problem_set(p, r, EXIT_SOFTWARE, "cannot add /%s to the ESP: %s", path ? path : "", problem_reason(r));
	free(path);
	return r;
}

/* Reads the file that a key of the definition names. what: "kernel"; hint: what to do when it is not there. */
static errint_t read_input(const struct content_request *q, enum definition_key key, const char *what, const char *hint, struct text *ret, char **ret_path,
			   struct problem *p)
{
	char where[256];
	char *path = definition_expand(q->definition->values[key], q->build_dir, q->arch->name, q->arch->loader);

	*ret_path = path;
	if (!path)
		return no_memory(p);
	errint_t r = io_read_file(path, FAT_MAX_FILE_SIZE, &ret->data, &ret->size);
	if (r == 0)
		return 0;
	definition_where(q->definition, key, where, sizeof(where));
	if (r == -ENOENT)
		return problem_set(p, r, EXIT_NO_INPUT, "the %s %s is not there (%s): %s, or name another with --set %s=FILE", what, path, where, hint,
				   definition_key_name(key));
	if (r == -EFBIG)
		return problem_set(p, r, EXIT_DATA, "the %s %s (%s) is too large: a file on FAT has less than 4 GiB", what, path, where);
	return problem_set(p, r, EXIT_NO_INPUT, "cannot read the %s %s (%s): %s", what, path, where, problem_reason(r));
}

static errint_t add_kernel(const struct content_request *q, struct payload *t, struct content_sizes *s, struct problem *p)
{
	struct text k = { .data = NULL };
	_cleanup_free_ char *path = NULL;
	struct kernel_info info;
	const char *why;
	errint_t r = read_input(q, DEF_KERNEL, "kernel", "build it with 'make kernel'", &k, &path, p);

	if (r < 0)
		return r;
	if (kernel_inspect(k.data, k.size, &info, &why) < 0)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the kernel %s is no bzImage: %s", path, why);
	else if (!info.efi_stub)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the kernel %s has no EFI stub: build it with CONFIG_EFI_STUB=y", path);
	else if (info.machine != q->arch->pe_machine)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the kernel %s is for another machine than %s", path, q->arch->name);
	if (r < 0) {
		free(k.data);
		return r;
	}
	s->kernel = k.size;
	memcpy(s->kernel_version, info.version, sizeof(s->kernel_version));
	return put(t, io_format("spore/%s/linux", q->arch->name), k.data, k.size, p);
}

static errint_t add_loader(const struct content_request *q, struct payload *t, struct content_sizes *s, struct problem *p)
{
	struct text l = { .data = NULL };
	_cleanup_free_ char *path = NULL;
	struct pe_info info;
	const char *why;
	errint_t r = read_input(q, DEF_LOADER, "boot loader", "build it with 'make bootloader'", &l, &path, p);

	if (r < 0)
		return r;
	if (pe_inspect(l.data, l.size, &info, &why) < 0)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the boot loader %s is no PE file: %s", path, why);
	else if (info.machine != q->arch->pe_machine)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the boot loader %s is for another machine than %s", path, q->arch->name);
	else if (info.subsystem != PE_SUBSYSTEM_EFI_APPLICATION)
		r = problem_set(p, -EBADMSG, EXIT_DATA, "the boot loader %s is no EFI application", path);
	if (r < 0) {
		free(l.data);
		return r;
	}
	s->loader = l.size;
	return put(t, io_format("EFI/BOOT/%s", q->arch->loader), l.data, l.size, p);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One key: into the initrd, where it counts, and onto the ESP, for people. */
static errint_t add_key(const struct content_request *q, const char *path, struct payload *t, struct recipe *initrd, struct problem *p)
{
	_cleanup_free_ char *data = NULL, *inside = io_format("etc/spore/keys/%s", base_name(path));
	struct signify_public key;
	char where[256];
	size_t size;

	if (!inside)
		return no_memory(p);
	definition_where(q->definition, DEF_KEY, where, sizeof(where));
	errint_t r = io_read_file(path, MAX_KEY_FILE, &data, &size);
	if (r < 0 && r != -EFBIG)
		return problem_set(p, r, EXIT_NO_INPUT, "cannot read the public key %s (%s): %s", path, where, problem_reason(r));
	if (r < 0 || signify_parse_public(data, size, &key) < 0)
		return problem_set(p, -EBADMSG, EXIT_DATA, "%s (%s) is no public key in signify's format: 'fetchfs keygen NAME' makes NAME.pub", path, where);
	size_t length = strlen(base_name(path));
	if (length < 5 || strcmp(base_name(path) + length - 4, ".pub") != 0)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "%s (%s): the name of a public key ends in .pub", path, where);
	r = recipe_add_file(initrd, inside, 0444, data, size, p);
	return r < 0 ? r : put(t, io_format("spore/keys/%s", base_name(path)), steal_ptr(data), size, p);
}

static errint_t add_keys(const struct content_request *q, struct payload *t, struct recipe *initrd, struct content_sizes *s, struct problem *p)
{
	char word[4096];

	for (const char *at = q->definition->values[DEF_KEY]; definition_next_word(&at, word, sizeof(word)); s->keys++) {
		_cleanup_free_ char *path = definition_expand(word, q->build_dir, q->arch->name, q->arch->loader);
		if (!path)
			return no_memory(p);
		if (s->keys == MAX_KEYS)
			return problem_set(p, -E2BIG, EXIT_CONFIG, "more than %d keys", MAX_KEYS);
		errint_t r = add_key(q, path, t, initrd, p);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What the guest needs to be let in at the servers. Of a name in the initrd, since the names outside may be anything. */
static const struct access_file {
	enum definition_key key;
	const char *name, *what;
	uint32_t mode;
	bool is_pem;
} access_files[] = {
	{ DEF_CAFILE, "ca.pem", "file of authorities", 0444, true },
	{ DEF_CERT, "cert.pem", "client certificate", 0600, true },
	{ DEF_CERTKEY, "key.pem", "client key", 0600, true },
	{ DEF_CREDENTIALS, "credentials", "file of credentials", 0600, false },
	{ DEF_HEADERS, "headers", "file of headers", 0600, false },
};

static bool is_given(const struct definition *d, enum definition_key key)
{
	return d->values[key] && *d->values[key];
}

static errint_t add_access_file(const struct content_request *q, const struct access_file *a, struct recipe *initrd, struct problem *p)
{
	_cleanup_free_ char *path = definition_expand(q->definition->values[a->key], q->build_dir, q->arch->name, q->arch->loader);
	_cleanup_free_ char *inside = io_format(ACCESS_FOLDER "/%s", a->name), *data = NULL;
	char where[256];
	size_t size;

	if (!path || !inside)
		return no_memory(p);
	definition_where(q->definition, a->key, where, sizeof(where));
	errint_t r = io_read_file(path, MAX_ACCESS_FILE, &data, &size);
	if (r < 0)
		return problem_set(p, r, r == -EFBIG ? EXIT_DATA : EXIT_NO_INPUT, "cannot read the %s %s (%s): %s", a->what, path, where,
				   r == -EFBIG ? "it is larger than 1 MiB" : problem_reason(r));
	if (a->is_pem && !strstr(data, "-----BEGIN "))
		return problem_set(p, -EBADMSG, EXIT_DATA, "the %s %s (%s) is no PEM file: it lacks a line '-----BEGIN ...'", a->what, path, where);
	return recipe_add_file(initrd, inside, a->mode, data, size, p);
}

static errint_t add_access(const struct content_request *q, struct recipe *initrd, struct problem *p)
{
	const struct definition *d = q->definition;
	errint_t r = 0;

	if (is_given(d, DEF_CERTKEY) && !is_given(d, DEF_CERT))
		return problem_set(p, -EINVAL, EXIT_CONFIG, "certkey is given without cert: name the client certificate that it belongs to");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(access_files); i++)
		if (is_given(d, access_files[i].key))
			r = add_access_file(q, &access_files[i], initrd, p);
	return r;
}

static void print_access(FILE *f, const struct definition *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(access_files); i++)
		if (is_given(d, access_files[i].key))
			fprintf(f, "%s=/" ACCESS_FOLDER "/%s\n", definition_key_name(access_files[i].key), access_files[i].name);
}

/* etc/spore/image.conf: what the definition says to the guest. */
static errint_t add_settings(const struct content_request *q, struct recipe *initrd, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return no_memory(p);
	fprintf(f, "# Image '%s', written by mkimage. Settings on the kernel's command line (spore.KEY=VALUE) stand over these.\n",
		q->definition->values[DEF_NAME]);
	/* A machine whose clock has stopped starts from here, not from 1970. */
	fprintf(f, "build_date=%lld\n", (long long)q->time);
	for (int k = 0; k < DEF_COUNT; k++) {
		const char *value = q->definition->values[k];
		if (definition_is_guest_setting((enum definition_key)k) && value && *value)
			fprintf(f, "%s=%s\n", definition_key_name((enum definition_key)k), value);
	}
	print_access(f, q->definition);
	bool failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return no_memory(p);
	return recipe_add_file(initrd, "etc/spore/image.conf", 0444, text, size, p);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

static errint_t add_initrd(const struct content_request *q, struct payload *t, struct content_sizes *s, struct problem *p)
{
	_cleanup_(recipe_done) struct recipe initrd = { .entries = NULL };
	const struct definition *d = q->definition;
	_cleanup_free_ char *recipe = definition_expand(d->values[DEF_RECIPE], q->build_dir, q->arch->name, q->arch->loader);
	_cleanup_free_ char *guest = definition_expand(d->values[DEF_GUEST], q->build_dir, q->arch->name, q->arch->loader);
	_cleanup_free_ char *folder = recipe ? directory_of(recipe) : NULL;
	struct initrd_options o = { .time = q->time };
	struct text out = { .data = NULL };
	size_t unpacked;

	if (!recipe || !guest || !folder)
		return no_memory(p);
	const struct recipe_places places = { .guest = guest, .initrd = folder, .arch = q->arch->name };
	errint_t r = recipe_read(&initrd, recipe, &places, p);
	if (r == 0)
		r = add_keys(q, t, &initrd, s, p);
	if (r == 0)
		r = add_access(q, &initrd, p);
	if (r == 0)
		r = add_settings(q, &initrd, p);
	if (r == 0)
		r = recipe_finish(&initrd, recipe, p);
	if (r < 0)
		return r;
	r = initrd_compression_parse(d->values[DEF_INITRD_COMPRESSION], &o.compression);
	if (r == 0)
		r = initrd_write(&initrd, &o, &out.data, &out.size, &unpacked);
	if (r < 0)
		return problem_set(p, r, EXIT_SOFTWARE, "cannot make the initrd of %s: %s", recipe, problem_reason(r));
	s->initrd = out.size;
	s->initrd_unpacked = unpacked;
	return put(t, io_format("spore/%s/initrd", q->arch->name), out.data, out.size, p);
}

/* The command line with its consoles, of which the last is the kernel's /dev/console. */
static void print_options(FILE *f, const struct definition *d, const char *more)
{
	char word[64];

	fprintf(f, "    options %s", d->values[DEF_CMDLINE]);
	for (const char *at = d->values[DEF_CONSOLE]; definition_next_word(&at, word, sizeof(word));)
		fprintf(f, " console=%s", word);
	fprintf(f, "%s\n", more);
}

static void print_entry(FILE *f, const struct content_request *q, const char *name, const char *title, const char *more)
{
	fprintf(f, "\nentry %s\n    title %s\n    linux /spore/%s/linux\n    initrd /spore/%s/initrd\n", name, title, q->arch->name, q->arch->name);
	print_options(f, q->definition, more);
}

static errint_t add_boot_conf(const struct content_request *q, struct payload *t, struct problem *p)
{
	char *text = NULL;
	size_t size = 0;
	struct boot_conf conf;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return no_memory(p);
	fprintf(f, "# What the boot loader offers. Held key or timeout > 0: menu.\ntimeout %s\ndefault spore\n", q->definition->values[DEF_TIMEOUT]);
	print_entry(f, q, "spore", "Spore", "");
	print_entry(f, q, "spore-debug", "Spore, with messages and a shell on failure", " spore.shell=yes loglevel=7");
	bool failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		free(text);
		return no_memory(p);
	}
	enum boot_conf_error e = boot_conf_parse(text, size, &conf);
	if (e != BOOT_CONF_OK) {
		free(text);
		return problem_set(p, -EINVAL, EXIT_CONFIG, "the definition gives no valid boot.conf (line %u): %s", conf.error_line, boot_conf_error_text(e));
	}
	return put(t, strdup("spore/boot.conf"), text, size, p);
}

/* For the UEFI shell, which runs this file when the firmware has found nothing to boot; it knows no current volume then. */
static errint_t add_startup(const struct content_request *q, struct payload *t, struct problem *p)
{
	char *text = io_format("@echo -off\r\n"
			       "for %%i run (0 15)\r\n"
			       "  if exist fs%%i:\\spore\\boot.conf then\r\n"
			       "    fs%%i:\r\n"
			       "    \\EFI\\BOOT\\%s\r\n"
			       "  endif\r\n"
			       "endfor\r\n", q->arch->loader);

	if (!text)
		return no_memory(p);
	return put(t, strdup("startup.nsh"), text, strlen(text), p);
}

errint_t content_gather(const struct content_request *q, struct payload *t, struct content_sizes *ret, struct problem *p)
{
	*ret = (struct content_sizes){ .kernel = 0 };
	errint_t r = add_kernel(q, t, ret, p);

	if (r == 0)
		r = add_loader(q, t, ret, p);
	if (r == 0)
		r = add_initrd(q, t, ret, p);
	if (r == 0)
		r = add_boot_conf(q, t, p);
	if (r == 0)
		r = add_startup(q, t, p);
	if (r == 0)
		payload_sort(t);
	return r;
}
