/* SPDX-License-Identifier: MIT */
/* What a mount was asked for: options of the command line and of -o, which is where fstab puts them. Knows words; must not know what they do. */
#ifndef SPORE_FETCHFS_CLIENT_SETTINGS_H
#define SPORE_FETCHFS_CLIENT_SETTINGS_H

#include "common/signify.h"
#include "fetchfs/client/files.h"
#include "fetchfs/client/log.h"
#include "fetchfs/client/transport.h"

#define SETTINGS_MAX_KEYS 16
#define SETTINGS_MAX_LISTS 32
#define SETTINGS_DEFAULT_MOUNT_TIMEOUT 60	/* seconds */
#define SETTINGS_DEFAULT_TTL 300		/* seconds */

struct settings {
	const char *urls[TRANSPORT_MAX_MIRRORS];	/* without user and password: they may be shown */
	char *secret_urls[TRANSPORT_MAX_MIRRORS];	/* with them: for the transport alone */
	size_t url_count;
	const char *mountpoint;
	const char *key_files[SETTINGS_MAX_KEYS];
	struct signify_public keys[SETTINGS_MAX_KEYS];
	size_t key_count;
	char *cache;			/* directory; NULL with in_memory */
	bool in_memory;			/* "cache=ram" */
	char *lower;			/* directories of caches beneath, separated by colons, or NULL */
	uint64_t quota;			/* bytes; 0: not given */
	unsigned quota_percent;
	uint64_t free;			/* bytes that stay free on the cache's file system; 0: not given */
	unsigned free_percent;
	bool no_free;			/* "free=0" */
	enum files_verify verify;
	uint64_t scrub;			/* bytes per second; 0: none */
	char *proxy;			/* with user and password: not to be shown */
	const char *tag, *ca_file;
	const char *cert_file, *key_file, *credentials_file, *headers_file;
	struct transport_limits limits;
	const char *profile;		/* NAME[:NAME...]; NULL: the default */
	char *record;			/* file */
	uint64_t prefetch, prefetch_rate;	/* bytes; bytes a second, 0: no limit */
	bool has_prefetch;
	unsigned timeout;		/* seconds that a read waits; 0: without end (hard) */
	unsigned mount_timeout;
	unsigned parallel;
	uint64_t memory;		/* bytes; 0: the default */
	const char *user;		/* name or number; NULL: not given */
	const char *control;		/* directory of the control socket, or "off" */
	const char *metrics;		/* port or path */
	enum log_target log;
	int log_level;			/* 0: not given */
	uint64_t revision;		/* 0: not given */
	int64_t date;			/* seconds since 1970; 0: not given */
	bool follow, pin;		/* given; settings_finish leaves exactly one of them */
	const char *pin_file;		/* or NULL */
	unsigned ttl;			/* seconds between questions for a new snapshot */
	bool foreground, root, passthrough, opens, no_splice;
	bool allow_other, no_allow_other;
	char *kernel_options;		/* "ro,nosuid" */
	char *texts[SETTINGS_MAX_LISTS];	/* what -o brought, cut into words that others point to */
	size_t text_count;
};

void settings_init(struct settings *s);
void settings_done(struct settings *s);
/* 0, or an exit code after a message. Texts must outlive the settings. User and password in the URL are overwritten: arguments can be seen by everybody. */
int settings_add_url(struct settings *s, char *url);
int settings_add_key(struct settings *s, const char *file);
int settings_set_quota(struct settings *s, const char *text);
/* The list behind -o; of URLs in it user and password are overwritten, as above. */
int settings_parse_options(struct settings *s, char *list);
/* Puts the first count URLs behind the others. */
void settings_turn_urls(struct settings *s, size_t count);
/* As settings_add_url. */
int settings_set_proxy(struct settings *s, char *text);
/* The options that several commands have: K, c, q, t, o, and this number for --proxy. value: from argv, where what is secret is overwritten. */
#define SETTINGS_ID_PROXY 1000
int settings_on_option(struct settings *s, int id, const char *value);
/* When all is given: reads keys, and fills in what was not said. */
int settings_finish(struct settings *s);

#endif
