/* SPDX-License-Identifier: MIT */
/* Checks of values; see definition_check.h. */
#include "mkimage/definition_check.h"
#include "mkimage/definition.h"
#include "common/boot_conf.h"
#include "common/message.h"

#include <ctype.h>

/* boot.conf allows 4096 bytes of options: leave room for console= and the debug entry. */
#define MAX_CMDLINE 3000

static bool one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(value, *words) == 0)
			return true;
	return false;
}

const char *check_text(const char *value)
{
	for (const char *p = value; *p; p++)
		if (iscntrl((unsigned char)*p) && *p != '\t')
			return "control characters are not allowed";
	return NULL;
}

const char *check_name(const char *value)
{
	size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (value[n] || n > BOOT_CONF_MAX_NAME || value[0] == '.' || value[0] == '-')
		return "a name has 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit";
	return NULL;
}

static const char *check_url(const char *url)
{
	size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;

	if (scheme == 0)
		return "a URL begins with http:// or https://";
	if (url[scheme] == '\0' || strchr("/:?#@", url[scheme]))
		return "the URL names no host";
	if (strpbrk(url, "\"'\\<>`{}|^"))
		return "the URL holds characters that must be written as %XX";
	if (strpbrk(url, "?#"))
		return "a repository's URL has no query and no fragment ('?', '#')";
	return NULL;
}

const char *check_urls(const char *value)
{
	char word[2048];
	const char *wrong = NULL;

	while (!wrong && definition_next_word(&value, word, sizeof(word)))
		wrong = strlen(word) == sizeof(word) - 1 ? "the URL is longer than 2046 bytes" : check_url(word);
	return wrong;
}

const char *check_cmdline(const char *value)
{
	return strlen(value) > MAX_CMDLINE ? "the command line is longer than 3000 bytes" : NULL;
}

const char *check_consoles(const char *value)
{
	char word[64];
	unsigned int count = 0;

	while (definition_next_word(&value, word, sizeof(word))) {
		if (++count > 8 || strlen(word) > 32 || !isalpha((unsigned char)word[0]))
			return "expected up to 8 devices as 'tty0 ttyS0,115200'";
		if (strncmp(word, "console=", 8) == 0)
			return "devices only, without 'console='";
	}
	return NULL;
}

const char *check_timeout(const char *value)
{
	uint64_t n;

	return parse_number(value, 0, BOOT_CONF_MAX_TIMEOUT, &n) < 0 ? "expected seconds from 0 to 3600" : NULL;
}

const char *check_yes_no(const char *value)
{
	static const char *const words[] = { "yes", "no", NULL };

	return one_of(value, words) ? NULL : "expected yes or no";
}

const char *check_datasource(const char *value)
{
	static const char *const words[] = { "auto", "none", "nocloud", "configdrive", "openstack", "ec2", NULL };

	return one_of(value, words) ? NULL : "expected auto, none, nocloud, configdrive, openstack or ec2";
}

const char *check_scratch(const char *value)
{
	static const char *const words[] = { "auto", "ram", NULL };
	bool named = (strncmp(value, "/dev/", 5) == 0 && value[5]) || (strncmp(value, "LABEL=", 6) == 0 && value[6]);

	return (named && !strpbrk(value, " \t")) || one_of(value, words) ? NULL : "expected auto, ram, /dev/NAME or LABEL=NAME";
}

const char *check_size(const char *value)
{
	uint64_t n;

	return parse_size(value, &n) < 0 ? "expected a size as 500M or 20G" : NULL;
}

const char *check_quota(const char *value)
{
	char number[8];
	uint64_t n;
	size_t size = strlen(value);

	if (size > 0 && value[size - 1] == '%') {
		snprintf(number, sizeof(number), "%.*s", (int)MIN(size - 1, (size_t)7), value);
		return parse_number(number, 1, 100, &n) < 0 ? "expected a share from 1% to 100%" : NULL;
	}
	return parse_size(value, &n) < 0 ? "expected a size as 4G, or a share as 50%" : NULL;
}

const char *check_profiles(const char *value)
{
	size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:");

	return value[n] ? "expected names of profiles, separated by colons, or none" : NULL;
}

const char *check_compression(const char *value)
{
	static const char *const words[] = { "xz", "zstd", "none", NULL };

	return one_of(value, words) ? NULL : "expected xz, zstd or none";
}

const char *check_fat(const char *value)
{
	static const char *const words[] = { "auto", "12", "16", "32", NULL };

	return one_of(value, words) ? NULL : "expected auto, 12, 16 or 32";
}
