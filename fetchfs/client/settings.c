/* SPDX-License-Identifier: MIT */
/* Options and their defaults; see settings.h. */
#include "fetchfs/client/settings.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/memory.h"
#include "fetchfs/client/transport_secret.h"
#include "fetchfs/client/when.h"

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
	free(s->record);
	free(s->kernel_options);
	secret_free(s->proxy);
	while (s->url_count > 0) {
		s->url_count--;
		free((char *)s->urls[s->url_count]);
		secret_free(s->secret_urls[s->url_count]);
	}
	while (s->text_count > 0)
		secret_free(s->texts[--s->text_count]);
	memset(s, 0, sizeof(*s));
}

int settings_add_url(struct settings *s, char *url)
{
	char *shown = NULL, *user = NULL;

	if (s->url_count == TRANSPORT_MAX_MIRRORS) {
		message_error("more than %d URLs", TRANSPORT_MAX_MIRRORS);
		return EXIT_USAGE;
	}
	s->secret_urls[s->url_count] = strdup(url);
	if (!s->secret_urls[s->url_count] || secret_split_url(url, &shown, &user) < 0) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	secret_free(user);
	secret_hide(url);
	s->urls[s->url_count++] = shown;
	return 0;
}

void settings_turn_urls(struct settings *s, size_t count)
{
	while (count-- > 0) {
		const char *url = s->urls[0];
		char *secret = s->secret_urls[0];
		memmove(&s->urls[0], &s->urls[1], (s->url_count - 1) * sizeof(s->urls[0]));
		memmove(&s->secret_urls[0], &s->secret_urls[1], (s->url_count - 1) * sizeof(s->secret_urls[0]));
		s->urls[s->url_count - 1] = url;
		s->secret_urls[s->url_count - 1] = secret;
	}
}

int settings_set_proxy(struct settings *s, char *text)
{
	secret_free(s->proxy);
	s->proxy = strdup(text);
	secret_hide(text);
	return s->proxy ? 0 : EXIT_SOFTWARE;
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
	_cleanup_free_ char *copy = strdup(value);

	(void)name;
	(void)field;
	return copy ? settings_add_url(s, copy) : EXIT_SOFTWARE;
}

static int set_proxy(struct settings *s, const char *name, const char *value, void *field)
{
	_cleanup_free_ char *copy = strdup(value);

	(void)name;
	(void)field;
	return copy ? settings_set_proxy(s, copy) : EXIT_SOFTWARE;
}

/* The default, which takes back what an option before it said. */
static int set_hard(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)value;
	(void)field;
	s->timeout = 0;
	return 0;
}

static int set_control(struct settings *s, const char *name, const char *value, void *field)
{
	if (*value == '/' || strcmp(value, "off") == 0)
		return set_text(s, name, value, field);
	message_error("option control: expected an absolute path of a directory, or 'off', not '%s'", value);
	return EXIT_USAGE;
}

static int set_metrics(struct settings *s, const char *name, const char *value, void *field)
{
	uint64_t port;

	if (*value == '/' || parse_number(value, 1, UINT16_MAX, &port) == 0)
		return set_text(s, name, value, field);
	message_error("option metrics: expected a port (1 to 65535) or an absolute path, not '%s'", value);
	return EXIT_USAGE;
}

static int set_log(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	if (log_parse_target(value, &s->log) == 0)
		return 0;
	message_error("option log: expected stderr, syslog, journal or kmsg, not '%s'", value);
	return EXIT_USAGE;
}

static int set_log_level(struct settings *s, const char *name, const char *value, void *field)
{
	(void)name;
	(void)field;
	if (log_parse_level(value, &s->log_level) == 0)
		return 0;
	message_error("option loglevel: expected error, warning, notice, info or debug, not '%s'", value);
	return EXIT_USAGE;
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

static int set_size(struct settings *s, const char *name, const char *value, void *field)
{
	uint64_t *bytes = field;

	(void)s;
	if (parse_size(value, bytes) == 0)
		return 0;
	message_error("option %s: expected a size (as 500K or 20M), not '%s'", name, value);
	return EXIT_USAGE;
}

static int set_memory(struct settings *s, const char *name, const char *value, void *field)
{
	char least[16], program[16];

	(void)field;
	if (parse_size(value, &s->memory) == 0 && s->memory >= MEMORY_MINIMUM)
		return 0;
	message_error("option %s: expected a size of at least %s (the program itself takes about %s, the rest is for what is being fetched), not '%s'", name,
		      format_size(MEMORY_MINIMUM, least), format_size(MEMORY_PROGRAM, program), value);
	return EXIT_USAGE;
}

static int set_prefetch(struct settings *s, const char *name, const char *value, void *field)
{
	s->has_prefetch = true;
	return set_size(s, name, value, field);
}

static int set_revision(struct settings *s, const char *name, const char *value, void *field)
{
	(void)field;
	if (parse_number(value, 1, UINT64_MAX, &s->revision) == 0)
		return 0;
	message_error("option %s: expected the number of a revision, not '%s'", name, value);
	return EXIT_USAGE;
}

static int set_date(struct settings *s, const char *name, const char *value, void *field)
{
	(void)field;
	if (when_parse(value, &s->date) == 0)
		return 0;
	message_error("option %s: expected a date, as 2026-11-28, or a date and time, as 2026-11-28T19:30 or 2026-11-28T19:30:00+01:00, not '%s'", name, value);
	return EXIT_USAGE;
}

static int set_ttl(struct settings *s, const char *name, const char *value, void *field)
{
	int code = set_seconds(s, name, value, field);

	if (code == 0 && s->ttl == 0) {
		message_error("option %s: expected at least 1 second", name);
		code = EXIT_USAGE;
	}
	return code;
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
	{ "cert", true, set_text, FIELD(cert_file) },
	{ "certkey", true, set_text, FIELD(key_file) },
	{ "connect_timeout", true, set_seconds, FIELD(limits.connect) },
	{ "control", true, set_control, FIELD(control) },
	{ "credentials", true, set_text, FIELD(credentials_file) },
	{ "date", true, set_date, 0 },
	{ "follow", false, set_flag, FIELD(follow) },
	{ "free", true, set_free, 0 },
	{ "hard", false, set_hard, 0 },
	{ "headers", true, set_text, FIELD(headers_file) },
	{ "key", true, set_key, 0 },
	{ "log", true, set_log, 0 },
	{ "loglevel", true, set_log_level, 0 },
	{ "lower", true, set_lower, FIELD(lower) },
	{ "memory", true, set_memory, 0 },
	{ "metrics", true, set_metrics, FIELD(metrics) },
	{ "mirror", true, set_mirror, 0 },
	{ "mount_timeout", true, set_seconds, FIELD(mount_timeout) },
	{ "noallow_other", false, set_flag, FIELD(no_allow_other) },
	{ "nosplice", false, set_flag, FIELD(no_splice) },
	{ "opens", false, set_flag, FIELD(opens) },
	{ "parallel", true, set_seconds, FIELD(parallel) },
	{ "passthrough", false, set_flag, FIELD(passthrough) },
	{ "pin", false, set_flag, FIELD(pin) },
	{ "pin", true, set_text, FIELD(pin_file) },
	{ "prefetch", true, set_prefetch, FIELD(prefetch) },
	{ "prefetch_rate", true, set_size, FIELD(prefetch_rate) },
	{ "profile", true, set_text, FIELD(profile) },
	{ "proxy", true, set_proxy, 0 },
	{ "quota", true, set_quota, 0 },
	{ "record", true, set_copy, FIELD(record) },
	{ "request_timeout", true, set_seconds, FIELD(limits.total) },
	{ "revision", true, set_revision, 0 },
	{ "root", false, set_flag, FIELD(root) },
	{ "scrub", true, set_size, FIELD(scrub) },
	{ "soft", true, set_seconds, FIELD(timeout) },
	{ "stall_timeout", true, set_seconds, FIELD(limits.stall) },
	{ "tag", true, set_text, FIELD(tag) },
	{ "timeout", true, set_seconds, FIELD(timeout) },
	{ "ttl", true, set_ttl, FIELD(ttl) },
	{ "user", true, set_text, FIELD(user) },
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

int settings_parse_options(struct settings *s, char *list)
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
	secret_hide(list);
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

/* The daemon leaves the working directory. */
static int make_absolute(char **path)
{
	_cleanup_free_ char *here = NULL;
	char *absolute;

	if (!*path || **path == '/')
		return 0;
	here = getcwd(NULL, 0);
	absolute = here ? io_format("%s/%s", here, *path) : NULL;
	if (!absolute) {
		message_error("cannot tell the working directory: %s", strerror(errno));
		return EXIT_SOFTWARE;
	}
	free(*path);
	*path = absolute;
	return 0;
}

/* Whether the mount takes new snapshots as they come. */
static int decide_snapshot(struct settings *s)
{
	bool lasting = s->revision || s->date;

	if (!!s->tag + !!s->revision + !!s->date > 1) {
		message_error("tag, revision and date exclude one another");
		return EXIT_USAGE;
	}
	if (s->follow && (s->pin || s->pin_file || lasting)) {
		message_error("option follow: a mount that is pinned%s does not follow", lasting ? " by its revision or date" : "");
		return EXIT_USAGE;
	}
	if (s->pin_file && *s->pin_file != '/') {
		message_error("option pin: expected an absolute path, not '%s'", s->pin_file);
		return EXIT_USAGE;
	}
	s->pin = !s->follow && (s->pin || s->pin_file || lasting || s->root);
	s->follow = !s->pin;
	if (s->ttl == 0)
		s->ttl = SETTINGS_DEFAULT_TTL;
	return 0;
}

int settings_finish(struct settings *s)
{
	int code = decide_snapshot(s);

	if (code == 0)
		code = read_keys(s);
	if (code)
		return code;
	/* Where the kernel opens files without asking there is no such thing as an open. */
	if (s->verify == FILES_VERIFY_OPEN)
		s->opens = true;
	if (s->cache && strcmp(s->cache, "ram") == 0) {
		s->in_memory = true;
		return make_absolute(&s->record);
	}
	if (!s->cache)
		s->cache = default_cache();
	if (!s->cache) {
		message_error("no cache directory given, and HOME is not set: use -c DIRECTORY");
		return EXIT_USAGE;
	}
	code = make_absolute(&s->cache);
	return code ? code : make_absolute(&s->record);
}

int settings_on_option(struct settings *s, int id, const char *value)
{
	switch (id) {
	case 'K':
		return settings_add_key(s, value);
	case 'c':
		free(s->cache);
		s->cache = strdup(value);
		return s->cache ? 0 : EXIT_SOFTWARE;
	case 'q':
		return settings_set_quota(s, value);
	case 't':
		s->tag = value;
		return 0;
	case 'o':
		return settings_parse_options(s, (char *)value);
	case SETTINGS_ID_PROXY:
		return settings_set_proxy(s, (char *)value);
	}
	return 0;
}
