/* SPDX-License-Identifier: MIT */
/*
 * What the machine says of itself (machine.h).
 */
#include "contextualize/machine.h"

#include "common/io.h"
#include "contextualize/context.h"

#include <dirent.h>
#include <strings.h>

#define MACHINE_MAX_TEXT 65536

static const char *machine_file(struct machine *m, const char *path)
{
	_cleanup_free_ char *text = NULL;
	char *copy;

	if (ctx_read(path, MACHINE_MAX_TEXT, &text, NULL) < 0)
		return "";
	copy = arena_string(&m->arena, text);
	return copy ? copy : "";
}

/*
 * The next word of a command line: blanks separate, double quotes keep blanks in. A new string in the arena, NULL at the end.
 */
static char *machine_word(struct arena *arena, const char **text)
{
	const char *p = *text;
	bool quoted = false;
	char *word, *out;

	while (*p == ' ' || *p == '\t' || *p == '\n')
		p++;
	if (!*p)
		return NULL;
	word = out = arena_alloc(arena, strlen(p) + 1);
	if (!word)
		return NULL;
	for (; *p && (quoted || (*p != ' ' && *p != '\t' && *p != '\n')); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			*out++ = *p;
	}
	*text = p;
	return word;
}

/* The last NAME=VALUE of the command line. */
static const char *machine_argument(struct machine *m, const char *name)
{
	const char *rest = m->command_line, *found = NULL;
	size_t length = strlen(name);
	char *word;

	while ((word = machine_word(&m->arena, &rest)))
		if (strncmp(word, name, length) == 0 && word[length] == '=')
			found = word + length + 1;
	return found;
}

static const char *machine_conf(struct machine *m, const char *key)
{
	_cleanup_free_ char *text = NULL;
	const char *found = NULL;
	size_t length = strlen(key);
	char *line, *save = NULL;

	if (ctx_read("/etc/spore/image.conf", MACHINE_MAX_TEXT, &text, NULL) < 0)
		return NULL;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, length) == 0 && line[length] == '=')
			found = line + length + 1;
	return found ? arena_string(&m->arena, found) : NULL;
}

const char *machine_setting(struct machine *m, const char *key)
{
	char name[64];
	const char *value;

	snprintf(name, sizeof name, "spore.%s", key);
	value = machine_argument(m, name);
	return value ? value : machine_conf(m, key);
}

bool machine_parse_seed(struct arena *arena, const char *text, struct seed_request *ret)
{
	char *copy, *save = NULL, *word;
	const char *start = strstr(text, "ds=nocloud");

	if (!start)
		return false;
	copy = arena_string(arena, start + 3);
	word = copy ? strtok_r(copy, ";", &save) : NULL;
	if (!word || (strcmp(word, "nocloud") != 0 && strcmp(word, "nocloud-net") != 0))
		return false;
	*ret = (struct seed_request){ .asked = true };
	while ((word = strtok_r(NULL, ";", &save))) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(word, "s") == 0 || strcmp(word, "seedfrom") == 0)
			ret->seed = *value ? value : NULL;
		else if (strcmp(word, "h") == 0 || strcmp(word, "local-hostname") == 0)
			ret->hostname = value;
		else if (strcmp(word, "i") == 0 || strcmp(word, "instance-id") == 0)
			ret->instance_id = value;
	}
	return true;
}

/* SMBIOS type 11: header, count, then strings each ended by a NUL, all by another. Looks for one that asks for NoCloud. */
static void machine_type11(struct machine *m)
{
	for (unsigned n = 0; n < 8 && !m->seed.asked; n++) {
		char path[64];
		_cleanup_free_ char *raw = NULL, *full = NULL;
		size_t size = 0, at;

		snprintf(path, sizeof path, "/sys/firmware/dmi/entries/11-%u/raw", n);
		full = ctx_path(path);
		if (!full || io_read_file(full, MACHINE_MAX_TEXT, &raw, &size) < 0 || size < 5)
			return;
		for (at = (uint8_t)raw[1]; at < size; at += strlen(raw + at) + 1)
			if (strncmp(raw + at, "ds=nocloud", 10) == 0 && machine_parse_seed(&m->arena, raw + at, &m->seed))
				return;
	}
}

static void machine_seed(struct machine *m)
{
	const char *ds = machine_argument(m, "ds");
	char *text = ds ? arena_format(&m->arena, "ds=%s", ds) : NULL;

	if (text && machine_parse_seed(&m->arena, text, &m->seed))
		return;
	if (machine_parse_seed(&m->arena, m->product_serial, &m->seed))
		return;
	machine_type11(m);
}

errint_t machine_read(struct machine *m)
{
	const char *url = getenv("SPORE_METADATA_URL");

	*m = (struct machine){ .sys_vendor = "" };
	m->sys_vendor = machine_file(m, "/sys/class/dmi/id/sys_vendor");
	m->product_name = machine_file(m, "/sys/class/dmi/id/product_name");
	m->product_serial = machine_file(m, "/sys/class/dmi/id/product_serial");
	m->product_uuid = machine_file(m, "/sys/class/dmi/id/product_uuid");
	m->chassis_asset_tag = machine_file(m, "/sys/class/dmi/id/chassis_asset_tag");
	m->hypervisor_uuid = machine_file(m, "/sys/hypervisor/uuid");
	m->command_line = machine_file(m, "/proc/cmdline");
	m->datasource = machine_setting(m, "datasource");
	if (!m->datasource || !*m->datasource)
		m->datasource = "auto";
	m->metadata_url = url && *url ? url : machine_setting(m, "metadata_url");
#if defined(__x86_64__) || defined(__i386__)
	m->dmi_trusted = true;
#endif
	machine_seed(m);
	return 0;
}

void machine_done(struct machine *m)
{
	arena_done(&m->arena);
}

bool machine_allows(const struct machine *m, const char *source)
{
	const char *p = m->datasource;
	size_t length = strlen(source);

	if (strcmp(p, "auto") == 0)
		return true;
	/* A list is fine too: "configdrive,openstack". */
	while (*p) {
		size_t n = strcspn(p, ", ");

		if (n == length && strncasecmp(p, source, n) == 0)
			return true;
		p += n + (p[n] != '\0');
	}
	return false;
}
