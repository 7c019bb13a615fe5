/* SPDX-License-Identifier: MIT */
/* Options and their defaults; see settings.h. */
#include "fetchfs/client/settings.h"
#include "common/io.h"
#include "common/message.h"

#define MAX_OPTION_LIST 65536

/* Handed to the kernel as they are. */
static const char *const kernel_words[] = { "nosuid", "nodev", "noexec", "suid", "dev", "exec", "noatime", "nodiratime", "relatime", "sync", "async" };
/* What mount(8) and systemd put into fstab for themselves. */
static const char *const ignored_words[] = { "ro", "rw", "defaults", "auto", "noauto", "user", "users", "nouser", "nofail", "_netdev", "owner", "group",
					     "default_permissions", "remount" };

void settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->mount_timeout = SETTINGS_DEFAULT_MOUNT_TIMEOUT;
}

void settings_done(struct settings *s)
{
	free(s->cache);
	free(s->lower);
	free(s->kernel_options);
	while (s->text_count > 0)
		free(s->texts[--s->text_count]);
	memset(s, 0, sizeof(*s));
}

int settings_add_url(struct settings *s, const char *url)
{
	if (s->url_count == TRANSPORT_MAX_MIRRORS) {
		message_error("more than %d URLs", TRANSPORT_MAX_MIRRORS);
		return EXIT_USAGE;
	}
	s->urls[s->url_count++] = url;
	return 0;
}

int settings_add_key(struct settings *s, const char *file)
{
	if (s->key_count == SETTINGS_MAX_KEYS) {
		message_error("more than %d keys", SETTINGS_MAX_KEYS);
		return EXIT_USAGE;
	}
	s->key_files[s->key_count++] = file;
	return 0;
}

int settings_set_quota(struct settings *s, const char *text)
{
	size_t n = strlen(text);
	uint64_t percent;

	if (n > 1 && text[n - 1] == '%') {
		_cleanup_free_ char *number = strndup(text, n - 1);
		if (number && parse_number(number, 1, 100, &percent) == 0) {
			s->quota_percent = (unsigned)percent;
			s->quota = 0;
			return 0;
		}
	} else if (parse_size(text, &s->quota) == 0 && s->quota >= MIB) {
		s->quota_percent = 0;
		return 0;
	}
	message_error("quota '%s': expected a size of at least 1M (as 500M or 20G), or a percentage of the file system (as 50%%)", text);
	return EXIT_USAGE;
}

static int set_seconds(struct settings *s, const char *name, const char *value, void *field)
{
	unsigned *seconds = field;
	uint64_t number;

	(void)s;
	if (parse_number(value, 0, 1000000, &number) < 0) {
		message_error("option %s: expected a number from 0 to 1000000, not '%s'", name, value);
		return EXIT_USAGE;
	}
	*seconds = (unsigned)number;
	return 0;
}

static int set_text(struct settings *s, const char *name, const char *value, void *field)
{
	const char **text = field;

	(void)s;
	(void)name;
	*text = value;
	return 0;
}

static int set_flag(struct settings *s, const char *name, const char *value, void *field)
{
	bool *flag = field;

	(void)s;
	(void)name;
	(void)value;
	*flag = true;
	return 0;
}

static int set_copy(struct settings *s, const char *name, const char *value, void *field)
{
	char **copy = field;

	(void)s;
	(void)name;
	free(*copy);
	*copy = strdup(value);
	return *copy ? 0 : EXIT_SOFTWARE;
}

static int set_key(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	return settings_add_key(s, value);
}

static int set_mirror(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	return settings_add_url(s, value);
}

static int set_quota(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	return settings_set_quota(s, value);
}

static int set_free(struct settings *s, const char *name, const char *value, void *field)
{
	size_t n = strlen(value);
	_cleanup_free_ char *number = n > 1 && value[n - 1] == '%' ? strndup(value, n - 1) : NULL;
	uint64_t percent = 0, size = 0;

	(void)name;
	(void)field;
	if (number ? parse_number(number, 0, 99, &percent) < 0 : parse_size(value, &size) < 0) {
		message_error("option free: expected a size (as 2G), or a percentage of the file system (as 5%%), not '%s'", value);
		return EXIT_USAGE;
	}
	s->free = size;
	s->free_percent = (unsigned)percent;
	s->no_free = size == 0 && percent == 0;
	return 0;
}

static int set_lower(struct settings *s, const char *name, const char *value, void *field)
{
	/* The daemon leaves the working directory. */
	if (*value != '/' || (strstr(value, ":") && strstr(value, ":")[1] != '/')) {
		message_error("option lower: expected absolute paths of directories, separated by colons, not '%s'", value);
		return EXIT_USAGE;
	}
	return set_copy(s, name, value, field);
}

static int set_scrub(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	if (parse_size(value, &s->scrub) == 0)
		return 0;
	message_error("option scrub: expected a size per second (as 1M), not '%s'", value);
	return EXIT_USAGE;
}

static int set_verify(struct settings *s, const char *name, const char *value, void *field)
{
	static const char *const words[] = { [FILES_VERIFY_NOT] = "arrival", [FILES_VERIFY_OPEN] = "open", [FILES_VERIFY_ALWAYS] = "always" };

	(void)name;
	(void)field;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]) != 0)
			continue;
		s->verify = (enum files_verify)i;
		return 0;
	}
	message_error("option verify: expected arrival, open or always, not '%s'", value);
	return EXIT_USAGE;
}

/* What may stand behind -o beside the words above. fetchfs(1) describes each. */
static const struct setting {
	const char *name;
	bool has_value;
	int (*set)(struct settings *s, const char *name, const char *value, void *field);
	size_t field;			/* of struct settings */
} table[] = {
#define FIELD(member) offsetof(struct settings, member)
	{ "allow_other", false, set_flag, FIELD(allow_other) },
	{ "cache", true, set_copy, FIELD(cache) },
	{ "cafile", true, set_text, FIELD(ca_file) },
	{ "free", true, set_free, 0 },
	{ "key", true, set_key, 0 },
	{ "lower", true, set_lower, FIELD(lower) },
	{ "mirror", true, set_mirror, 0 },
	{ "mount_timeout", true, set_seconds, FIELD(mount_timeout) },
	{ "noallow_other", false, set_flag, FIELD(no_allow_other) },
	{ "nosplice", false, set_flag, FIELD(no_splice) },
	{ "opens", false, set_flag, FIELD(opens) },
	{ "parallel", true, set_seconds, FIELD(parallel) },
	{ "passthrough", false, set_flag, FIELD(passthrough) },
	{ "proxy", true, set_text, FIELD(proxy) },
	{ "quota", true, set_quota, 0 },
	{ "root", false, set_flag, FIELD(root) },
	{ "scrub", true, set_scrub, 0 },
	{ "tag", true, set_text, FIELD(tag) },
	{ "timeout", true, set_seconds, FIELD(timeout) },
	{ "verify", true, set_verify, 0 },
#undef FIELD
};

static int add_kernel_option(struct settings *s, const char *word)
{
	char *longer = s->kernel_options ? io_format("%s,%s", s->kernel_options, word) : strdup(word);

	if (!longer) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	free(s->kernel_options);
	s->kernel_options = longer;
	return 0;
}

static bool is_among(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* What other programs keep among the options for themselves. */
static bool is_for_others(const char *option)
{
	return *option == '\0' || strncmp(option, "x-", 2) == 0 || strncmp(option, "comment=", 8) == 0 ||
	       is_among(option, ignored_words, ARRAY_SIZE(ignored_words));
}

static int parse_option(struct settings *s, char *option)
{
	char *value = strchr(option, '=');

	if (is_for_others(option))
		return 0;
	if (is_among(option, kernel_words, ARRAY_SIZE(kernel_words)))
		return add_kernel_option(s, option);
	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(option, table[i].name) == 0 && table[i].has_value == !!value)
			return table[i].set(s, option, value, (char *)s + table[i].field);
	message_error("unknown mount option '%s'%s; see fetchfs(1)", option, value ? " (with a value)" : "");
	return EXIT_USAGE;
}

int settings_parse_options(struct settings *s, const char *list)
{
	char *copy, *next;
	int code = 0;

	if (s->text_count == SETTINGS_MAX_LISTS) {
		message_error("more than %d options -o", SETTINGS_MAX_LISTS);
		return EXIT_USAGE;
	}
	copy = next = strndup(list, MAX_OPTION_LIST);
	if (!copy)
		return EXIT_SOFTWARE;
	s->texts[s->text_count++] = copy;
	while (code == 0 && next)
		code = parse_option(s, strsep(&next, ","));
	return code;
}

static int read_keys(struct settings *s)
{
	for (size_t i = 0; i < s->key_count; i++) {
		errint_t r = signify_read_public(s->key_files[i], &s->keys[i]);
		if (r < 0) {
			message_error("cannot read the public key %s: %s", s->key_files[i],
				      r == SIGNIFY_E_MALFORMED ? "it is no public key of signify's format (fetchfs keygen makes KEYBASE.pub)" : strerror(-r));
			return r == SIGNIFY_E_MALFORMED ? EXIT_DATA : EXIT_NO_INPUT;
		}
	}
	if (s->key_count > 0)
		return 0;
	message_error("no key given: name the repository's public key with -K KEY.pub (or -o key=KEY.pub)");
	return EXIT_USAGE;
}

static char *default_cache(void)
{
	const char *base = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		return strdup("/var/cache/fetchfs");
	if (base && *base == '/')
		return io_format("%s/fetchfs", base);
	return home && *home ? io_format("%s/.cache/fetchfs", home) : NULL;
}

int settings_finish(struct settings *s)
{
	int code = read_keys(s);
	char *absolute;

	if (code)
		return code;
	/* Where the kernel opens files without asking there is no such thing as an open. */
	if (s->verify == FILES_VERIFY_OPEN)
		s->opens = true;
	if (s->cache && strcmp(s->cache, "ram") == 0) {
		s->in_memory = true;
		return 0;
	}
	if (!s->cache)
		s->cache = default_cache();
	if (!s->cache) {
		message_error("no cache directory given, and HOME is not set: use -c DIRECTORY");
		return EXIT_USAGE;
	}
	/* The daemon leaves the working directory. */
	if (*s->cache != '/') {
		_cleanup_free_ char *here = getcwd(NULL, 0);
		absolute = here ? io_format("%s/%s", here, s->cache) : NULL;
		if (!absolute) {
			message_error("cannot tell the working directory: %s", strerror(errno));
			return EXIT_SOFTWARE;
		}
		free(s->cache);
		s->cache = absolute;
	}
	return 0;
}
