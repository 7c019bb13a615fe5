/* SPDX-License-Identifier: MIT */
/* Image definitions; see definition.h. One table holds each key's check and default. */
#include "mkimage/definition.h"
#include "mkimage/definition_check.h"
#include "common/io.h"

#include <ctype.h>

struct key_spec {
	const char *name;
	const char *fallback;		/* NULL: none */
	const char *(*check)(const char *value);	/* what is wrong, or NULL */
	bool guest;			/* goes into image.conf */
	bool path, list;		/* the value is a path, or a list of words */
};

static const struct key_spec specs[DEF_COUNT] = {
	[DEF_NAME] = { .name = "name", .fallback = "spore", .check = check_name },
	[DEF_REPOSITORY] = { .name = "repository", .check = check_urls, .guest = true, .list = true },
	[DEF_KEY] = { .name = "key", .path = true, .list = true },
	[DEF_TAG] = { .name = "tag", .check = check_name, .guest = true },
	[DEF_PROXY] = { .name = "proxy", .check = check_urls, .guest = true, .list = true },
	[DEF_CAFILE] = { .name = "cafile", .path = true },
	[DEF_CERT] = { .name = "cert", .path = true },
	[DEF_CERTKEY] = { .name = "certkey", .path = true },
	[DEF_CREDENTIALS] = { .name = "credentials", .path = true },
	[DEF_HEADERS] = { .name = "headers", .path = true },
	[DEF_CMDLINE] = { .name = "cmdline", .fallback = "loglevel=4", .check = check_cmdline },
	[DEF_CONSOLE] = { .name = "console", .fallback = "tty0 ttyS0,115200", .check = check_consoles, .list = true },
	[DEF_TIMEOUT] = { .name = "timeout", .fallback = "0", .check = check_timeout },
	[DEF_SHELL] = { .name = "shell", .fallback = "no", .check = check_yes_no, .guest = true },
	[DEF_DATASOURCE] = { .name = "datasource", .fallback = "auto", .check = check_datasource, .guest = true },
	[DEF_SCRATCH] = { .name = "scratch", .fallback = "auto", .check = check_scratch, .guest = true },
	[DEF_SCRATCH_SIZE] = { .name = "scratch_size", .check = check_size, .guest = true },
	[DEF_CACHE_QUOTA] = { .name = "cache_quota", .check = check_quota, .guest = true },
	[DEF_PROFILE] = { .name = "profile", .check = check_profiles, .guest = true },
	[DEF_KERNEL] = { .name = "kernel", .fallback = "@BUILD@/@ARCH@/linux", .path = true },
	[DEF_LOADER] = { .name = "loader", .fallback = "@BUILD@/@ARCH@/@LOADER@", .path = true },
	[DEF_RECIPE] = { .name = "recipe", .fallback = "initrd/recipe", .path = true },
	[DEF_GUEST] = { .name = "guest", .fallback = "@BUILD@/@ARCH@/guest", .path = true },
	[DEF_INITRD_COMPRESSION] = { .name = "initrd_compression", .fallback = "zstd", .check = check_compression },
	[DEF_FAT] = { .name = "fat", .fallback = "auto", .check = check_fat },
	[DEF_ESP_FREE] = { .name = "esp_free", .fallback = "64K", .check = check_size },
};

const char *definition_key_name(enum definition_key key)
{
	return specs[key].name;
}

bool definition_is_guest_setting(enum definition_key key)
{
	return specs[key].guest;
}

void definition_where(const struct definition *d, enum definition_key key, char *ret, size_t size)
{
	snprintf(ret, size, "%s: %s", d->origins[key] ? d->origins[key] : "default", specs[key].name);
}

bool definition_next_word(const char **at, char *ret, size_t size)
{
	const char *begin = *at + strspn(*at, " \t");
	size_t n = strcspn(begin, " \t");

	*at = begin + n;
	snprintf(ret, size, "%.*s", (int)MIN(n, (size_t)INT32_MAX), begin);
	return n > 0;
}

unsigned int definition_distance(const char *a, const char *b)
{
	unsigned int row[64];
	size_t size = strlen(b);

	if (size >= ARRAY_SIZE(row))
		return UINT32_MAX;
	for (size_t j = 0; j <= size; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= size; j++) {
			unsigned int replace = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[size];
}

static errint_t unknown_key(const char *key, const char *origin, struct problem *p)
{
	const char *near = NULL;
	unsigned int best = 3;

	for (size_t i = 0; i < DEF_COUNT; i++) {
		unsigned int distance = definition_distance(key, specs[i].name);
		if (distance >= best)
			continue;
		best = distance;
		near = specs[i].name;
	}
	if (near)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "%s: unknown key '%.64s'; did you mean '%s'?", origin, key, near);
	return problem_set(p, -EINVAL, EXIT_CONFIG, "%s: unknown key '%.64s'; images/default.conf documents all keys", origin, key);
}

/* Relative paths begin at dir; "@BUILD@/…" and absolute ones stay. */
static char *anchor_path(const char *dir, const char *word)
{
	if (word[0] == '/' || word[0] == '@' || strcmp(dir, ".") == 0)
		return strdup(word);
	return io_format("%s/%s", dir, word);
}

static char *anchor_paths(const struct key_spec *spec, const char *dir, const char *value)
{
	_cleanup_free_ char *all = strdup("");
	char word[4096];

	if (!spec->list)
		return *value ? anchor_path(dir, value) : strdup("");
	for (const char *at = value; all && definition_next_word(&at, word, sizeof(word));) {
		_cleanup_free_ char *path = anchor_path(dir, word);
		char *longer = path ? io_format("%s%s%s", all, *all ? " " : "", path) : NULL;
		free(all);
		all = longer;
	}
	return steal_ptr(all);
}

static errint_t assign(struct definition *d, const char *key, const char *value, const char *dir, const char *origin, struct problem *p)
{
	size_t k = 0;

	while (k < DEF_COUNT && strcmp(specs[k].name, key) != 0)
		k++;
	if (k == DEF_COUNT)
		return unknown_key(key, origin, p);
	if (d->origins[k] && strcmp(origin, "--set") != 0)
		return problem_set(p, -EEXIST, EXIT_CONFIG, "%s: '%s' was set before, at %s", origin, key, d->origins[k]);
	const char *wrong = check_text(value);
	if (!wrong && *value && specs[k].check)
		wrong = specs[k].check(value);
	if (wrong)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "%s: %s = %.200s: %s", origin, key, value, wrong);
	free(d->values[k]);
	free(d->origins[k]);
	d->values[k] = specs[k].path ? anchor_paths(&specs[k], dir, value) : strdup(value);
	d->origins[k] = strdup(origin);
	return d->values[k] && d->origins[k] ? 0 : problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
}

/* Cuts blanks at both ends, in place. */
static char *trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

static errint_t split(char *text, char **ret_key, char **ret_value)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return -EINVAL;
	*equals = '\0';
	*ret_key = trim(text);
	*ret_value = trim(equals + 1);
	return 0;
}

static errint_t read_line(struct definition *d, char *line, const char *dir, const char *origin, struct problem *p)
{
	char *key, *value;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (split(line, &key, &value) < 0)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "%s: no 'key = value': %.200s", origin, line);
	return assign(d, key, value, dir, origin, p);
}

errint_t definition_read(struct definition *d, const char *path, struct problem *p)
{
	_cleanup_free_ char *text = NULL, *dir = strdup(path);
	size_t size;
	unsigned int number = 0;
	errint_t r = dir ? io_read_file(path, DEFINITION_MAX_SIZE, &text, &size) : -ENOMEM;

	if (r < 0)
		return problem_set(p, r, EXIT_NO_INPUT, "cannot read the image definition %s: %s", path, problem_reason(r));
	if (strlen(text) != size)
		return problem_set(p, -EINVAL, EXIT_CONFIG, "the image definition %s is no text: it holds NUL bytes", path);
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	const char *base = slash ? (*dir ? dir : "/") : ".";
	for (char *line = text, *next; r == 0 && line; line = next) {
		_cleanup_free_ char *origin = io_format("%s:%u", path, ++number);
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = origin ? read_line(d, line, base, origin, p) : -ENOMEM;
	}
	return r;
}

errint_t definition_set(struct definition *d, const char *assignment, struct problem *p)
{
	_cleanup_free_ char *copy = strdup(assignment);
	char *key, *value;

	if (!copy)
		return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
	if (split(copy, &key, &value) < 0)
		return problem_set(p, -EINVAL, EXIT_USAGE, "--set %.200s: expected KEY=VALUE", assignment);
	return assign(d, key, value, ".", "--set", p);
}

errint_t definition_finish(struct definition *d, struct problem *p)
{
	for (size_t k = 0; k < DEF_COUNT; k++) {
		/* "key =" asks for the default. */
		bool given = d->values[k] && *d->values[k];
		if (given || (d->values[k] && k == DEF_CMDLINE) || !specs[k].fallback)
			continue;
		free(d->values[k]);
		d->values[k] = strdup(specs[k].fallback);
		if (!d->values[k])
			return problem_set(p, -ENOMEM, EXIT_SOFTWARE, "out of memory");
	}
	if (!d->values[DEF_REPOSITORY] || !*d->values[DEF_REPOSITORY])
		return problem_set(p, -EINVAL, EXIT_CONFIG,
				   "no repository: set 'repository = URL' in the image definition, or --set repository=URL");
	if (!d->values[DEF_KEY] || !*d->values[DEF_KEY])
		return problem_set(p, -EINVAL, EXIT_CONFIG,
				   "no key: an image needs the public key that its repository is signed with; set 'key = FILE.pub', or --set key=FILE.pub");
	return 0;
}

void definition_done(struct definition *d)
{
	for (size_t k = 0; k < DEF_COUNT; k++) {
		free(steal_ptr(d->values[k]));
		free(steal_ptr(d->origins[k]));
	}
}

char *definition_expand(const char *text, const char *build_dir, const char *arch, const char *loader)
{
	const char *const names[] = { "@BUILD@", "@ARCH@", "@LOADER@" }, *const values[] = { build_dir, arch, loader };
	_cleanup_free_ char *all = strdup("");

	while (all && *text) {
		size_t i = 0, n = 1;
		while (i < ARRAY_SIZE(names) && strncmp(text, names[i], strlen(names[i])) != 0)
			i++;
		bool known = i < ARRAY_SIZE(names);
		if (!known)
			n += strcspn(text + 1, "@");
		char *longer = known ? io_format("%s%s", all, values[i]) : io_format("%s%.*s", all, (int)n, text);
		text += known ? strlen(names[i]) : n;
		free(all);
		all = longer;
	}
	return steal_ptr(all);
}
