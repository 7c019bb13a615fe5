/* SPDX-License-Identifier: MIT */
/*
 * contextualize check: says what a file of user data is, what would be done with it, and what is wrong with it. Host only.
 */
#include "contextualize/contextualize.h"

#include "common/io.h"
#include "common/message.h"
#include "common/options.h"
#include "contextualize/formats/cloud_config.h"
#include "contextualize/formats/netconfig.h"
#include "contextualize/formats/userdata.h"

#include <jansson.h>

struct check {
	const char *name;
	struct userdata userdata;
	struct cloud_config config;
	struct diag_list diag;
};

static struct check_options {
	bool json, network, quiet;
} check_options;

static int check_option(void *context, int id, const char *value)
{
	struct check_options *o = context;

	(void)value;
	if (id == 'j')
		o->json = true;
	else if (id == 'q')
		o->quiet = true;
	else
		o->network = true;
	return 0;
}

static errint_t check_parse(struct check *c, const char *data, size_t size)
{
	errint_t r = userdata_split(&c->userdata, data, size, &c->diag);

	for (size_t i = 0; i < c->userdata.count && r == 0; i++) {
		const struct part *p = &c->userdata.part[i];

		if (p->kind != PART_CLOUD_CONFIG)
			continue;
		c->diag.part = p->line_base || !*p->name ? NULL : p->name;
		c->diag.line_base = p->line_base;
		r = cloud_config_read(&c->config, p->data, p->size, &c->diag);
	}
	c->diag.part = NULL;
	c->diag.line_base = 0;
	return r;
}

static void check_done(struct check *c)
{
	userdata_done(&c->userdata);
	cloud_config_done(&c->config);
	diag_done(&c->diag);
	free(c);
}

static void print_items(const struct diag_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct diag *d = &l->item[i];
		_cleanup_free_ char *marked = io_format("%s: %s", d->level == DIAG_ERROR ? "error" : "warning", d->text);
		struct diag copy = *d;
		_cleanup_free_ char *text = NULL;

		copy.text = marked ? marked : d->text;
		text = diag_format(&copy, name);
		fprintf(stderr, "%s\n", text ? text : copy.text);
	}
	if (l->errors + l->warnings > l->count)
		fprintf(stderr, "%s: %zu more errors and warnings\n", name, l->errors + l->warnings - l->count);
}

/* ---- what would be done ---- */

typedef void check_line(void *context, const char *text);

__attribute__((format(printf, 3, 4)))
static void say(check_line *line, void *context, const char *format, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	line(context, text);
}

static void describe_users(const struct cloud_config *c, check_line *line, void *context)
{
	for (size_t i = 0; i < c->groups; i++)
		say(line, context, "group %s", c->group[i].name);
	if (c->default_user_listed || (!c->users_given && (c->default_user || c->ssh_keys.count || c->password)))
		say(line, context, "user %s%s", c->default_user ? c->default_user : "of the system's default name",
		    c->password ? ", with a password" : "");
	for (size_t i = 0; i < c->users; i++) {
		const struct cloud_user *u = &c->user[i];

		say(line, context, "user %s: %zu keys, %zu groups%s%s", u->name, u->ssh_keys.count, u->groups.count, u->sudo.count ? ", sudo" : "",
		    !(u->hashed_password || u->plain_password) ? "" : u->lock_password == TRI_FALSE ? ", with a password" : ", with a locked password");
	}
	if (c->ssh_keys.count)
		say(line, context, "%zu public keys for the default user (root where there is none)", c->ssh_keys.count);
	for (size_t i = 0; i < c->chpasswds; i++)
		say(line, context, "password of %s%s", c->chpasswd[i].user, c->chpasswd[i].random ? " (random)" : "");
	if ((c->password || c->chpasswds) && c->expire_passwords != TRI_FALSE)
		say(line, context, "passwords must be changed at the first login (chpasswd: expire)");
}

static void describe_config(const struct cloud_config *c, check_line *line, void *context)
{
	if ((c->hostname || c->fqdn) && c->preserve_hostname != TRI_TRUE)
		say(line, context, "host name %s", c->hostname ? c->hostname : c->fqdn);
	describe_users(c, line, context);
	if (c->ssh_pwauth != TRI_UNSET)
		say(line, context, "ssh with passwords: %s", c->ssh_pwauth == TRI_TRUE ? "yes" : "no");
	if (c->timezone)
		say(line, context, "time zone %s", c->timezone);
	if (c->locale)
		say(line, context, "locale %s", c->locale);
	for (size_t i = 0; i < c->files; i++)
		say(line, context, "file %s, %zu bytes%s", c->file[i].path, c->file[i].size, c->file[i].append ? ", appended" : "");
	if (c->bootcmds)
		say(line, context, "%zu commands on every boot", c->bootcmds);
	if (c->runcmds)
		say(line, context, "%zu commands on the first boot", c->runcmds);
}

static void describe(const struct check *c, check_line *line, void *context)
{
	for (size_t i = 0; i < c->userdata.settings.count; i++)
		say(line, context, "setting %s=%s", c->userdata.settings.item[i].key, c->userdata.settings.item[i].value);
	describe_config(&c->config, line, context);
	for (size_t i = 0; i < c->userdata.count; i++) {
		const struct part *p = &c->userdata.part[i];

		if (p->kind == PART_SCRIPT || p->kind == PART_BOOTHOOK)
			say(line, context, "script %s%s(%zu bytes), %s", p->name, *p->name ? " " : "", p->size,
			    p->kind == PART_SCRIPT ? "on the first boot" : "early on every boot");
	}
}

static void line_text(void *context, const char *text)
{
	(void)context;
	printf("  %s\n", text);
}

static void line_json(void *context, const char *text)
{
	json_array_append_new(context, json_string(text));
}

static void print_text(const struct check *c)
{
	const struct userdata *u = &c->userdata;

	if (!u->count)
		printf("%s: %s\n", c->name, u->settings.count ? "settings only" : c->diag.errors + c->diag.warnings ? "nothing that can be used" : "empty");
	else if (u->count == 1 && !u->mime)
		printf("%s: %s\n", c->name, part_kind_name(u->part[0].kind));
	else
		printf("%s: MIME message with %zu parts that can be used\n", c->name, u->count);
	for (size_t i = 0; i < u->count && u->mime; i++)
		printf("  %s: %s\n", u->part[i].name, part_kind_name(u->part[i].kind));
	describe(c, line_text, NULL);
}

static json_t *json_of_diag(const struct diag_list *l)
{
	json_t *items = json_array();

	for (size_t i = 0; i < l->count; i++) {
		const struct diag *d = &l->item[i];

		json_array_append_new(items, json_pack("{s:s, s:s, s:i, s:i, s:s*}", "level", d->level == DIAG_ERROR ? "error" : "warning", "part",
						       d->part, "line", (int)d->line, "column", (int)d->column, "text", d->text));
	}
	return items;
}

static void print_json(const struct check *c)
{
	json_t *parts = json_array(), *actions = json_array(), *root;

	for (size_t i = 0; i < c->userdata.count; i++)
		json_array_append_new(parts, json_pack("{s:s, s:s, s:i}", "name", c->userdata.part[i].name, "kind",
						       part_kind_name(c->userdata.part[i].kind), "size", (int)c->userdata.part[i].size));
	describe(c, line_json, actions);
	root = json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "file", c->name, "errors", (int)c->diag.errors, "warnings", (int)c->diag.warnings, "parts",
			 parts, "actions", actions, "messages", json_of_diag(&c->diag));
	if (root)
		json_dumpf(root, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(root);
}

/* ---- the verb ---- */

int contextualize_check_data(const char *name, const char *data, unsigned long size)
{
	struct check *c = calloc(1, sizeof *c);
	errint_t r = c ? check_parse(c, data, size) : -ENOMEM;
	int code;

	if (r < 0) {
		message_error("cannot check %s: %s", name, strerror(-r));
		if (c)
			check_done(c);
		return EXIT_SOFTWARE;
	}
	print_items(&c->diag, name);
	code = c->diag.errors ? EXIT_DATA : 0;
	check_done(c);
	return code;
}

static int check_user_data(const char *name, const char *data, size_t size, const struct check_options *o)
{
	struct check *c = calloc(1, sizeof *c);
	errint_t r;
	int code;

	if (!c)
		return EXIT_SOFTWARE;
	c->name = name;
	r = check_parse(c, data, size);
	if (r < 0)
		message_error("cannot check %s: %s", name, strerror(-r));
	if (r == 0 && o->json)
		print_json(c);
	if (r == 0 && !o->json && !o->quiet)
		print_text(c);
	if (r == 0 && !o->json)
		print_items(&c->diag, name);
	code = r < 0 ? EXIT_SOFTWARE : c->diag.errors ? EXIT_DATA : 0;
	check_done(c);
	return code;
}

static int check_network(const char *name, const char *data, size_t size, const struct check_options *o)
{
	struct netconfig *n = calloc(1, sizeof *n);
	struct diag_list diag = { .count = 0 };
	enum network_format f = network_format_guess(data, size);
	errint_t r = n ? netconfig_read(n, f, data, size, &diag) : -ENOMEM;

	if (r == 0 && !o->quiet && !o->json) {
		printf("%s: network configuration %s\n", name, network_format_name(f));
		for (size_t i = 0; i < n->links; i++)
			printf("  %s%s%s: %zu addresses, %zu routes%s%s\n", n->link[i].id, *n->link[i].mac ? " " : "", n->link[i].mac, n->link[i].addresses,
			       n->link[i].routes, n->link[i].dhcp4 ? ", DHCP" : "", n->link[i].dhcp6 ? ", DHCPv6" : "");
	}
	if (o->json) {
		json_t *root = json_pack("{s:s, s:s, s:i, s:i, s:o}", "file", name, "network", network_format_name(f), "errors", (int)diag.errors, "warnings",
					 (int)diag.warnings, "messages", json_of_diag(&diag));

		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(root);
	} else {
		print_items(&diag, name);
	}
	r = diag.errors ? EXIT_DATA : r < 0 ? EXIT_SOFTWARE : 0;
	if (n)
		netconfig_done(n);
	free(n);
	diag_done(&diag);
	return r;
}

static int check_run(void *context, int operands, char **operand)
{
	struct check_options *o = context;
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	const char *path = strcmp(operand[0], "-") == 0 ? "/dev/stdin" : operand[0];
	errint_t r = io_read_file(path, USERDATA_MAX_SIZE, &data, &size);

	(void)operands;
	if (r < 0) {
		message_error("cannot read %s: %s", operand[0], r == -EFBIG ? "larger than 16 MiB" : strerror(-r));
		return EXIT_NO_INPUT;
	}
	return o->network ? check_network(operand[0], data, size, o) : check_user_data(operand[0], data, size, o);
}

static const struct option_spec check_specs[] = {
	{ 'n', "network", NULL, "FILE is a network configuration, not user data", 0 },
	{ 'j', "json", NULL, "print one JSON object", 0 },
	{ 'q', "quiet", NULL, "print errors and warnings only", 0 },
	{ 0 }
};

const struct command contextualize_check_command = {
	"check", "FILE", "say what a file of user data would do, and what is wrong with it", check_specs, check_option, 1, 1, check_run, &check_options,
};
