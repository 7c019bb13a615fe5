/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the guest: find, network, apply; and the table of all verbs. This file and check.c, seed.c are the only ones here that print.
 */
#include "contextualize/contextualize.h"

#include "common/io.h"
#include "common/message.h"
#include "common/options.h"
#include "contextualize/apply/apply.h"
#include "contextualize/apply/network.h"
#include "contextualize/find.h"

#include <time.h>

/* Exit codes of find and network. */
enum { FOUND = 0, NOT_FOUND = 1, FAILED = 2 };

#define FIND_DEADLINE_S 10
#define FIND_DEADLINE_MAX_S 600

static void print_diag(const struct diag_list *l, const char *file)
{
	size_t all = l->errors + l->warnings;

	for (size_t i = 0; i < l->count; i++) {
		_cleanup_free_ char *text = diag_format(&l->item[i], file);

		if (!text)
			continue;
		if (l->item[i].level == DIAG_ERROR)
			message_error("%s", text);
		else
			message_warning("%s", text);
	}
	if (all > l->count)
		message_warning("%s: %zu more errors and warnings are not shown", file, all - l->count);
}

/* ---- find ---- */

struct find_options {
	bool local, network, possible;
	uint64_t deadline_s;
};

static int find_option(void *context, int id, const char *value)
{
	struct find_options *o = context;

	if (id == 'l')
		o->local = true;
	else if (id == 'n')
		o->network = true;
	else if (id == 'p')
		o->possible = true;
	else if (parse_number(value, 1, FIND_DEADLINE_MAX_S, &o->deadline_s) < 0) {
		message_error("--deadline: '%s' is not a number of seconds from 1 to %d", value, FIND_DEADLINE_MAX_S);
		return EXIT_USAGE;
	}
	return 0;
}

/* Settings out of the user data, for the stages; its formats are judged again, in full, by apply. */
static errint_t find_settings(const struct context *c, struct userdata *u)
{
	struct diag_list diag = { .count = 0 };
	errint_t r = 0;

	if (c->user_data.data)
		r = userdata_split(u, c->user_data.data, c->user_data.size, &diag);
	for (size_t i = 0; i < diag.count; i++)
		if (strstr(diag.item[i].text, "setting") || strstr(diag.item[i].text, "ucernvm"))
			message_warning("user-data:%u: %s", diag.item[i].line, diag.item[i].text);
	diag_done(&diag);
	return r;
}

static int find_save(struct context *c)
{
	_cleanup_free_ char *dir = ctx_path(CONTEXT_DIR);
	struct userdata *u = calloc(1, sizeof *u);
	errint_t r = dir && u ? 0 : -ENOMEM;

	if (r == 0 && c->instance_id)
		r = find_settings(c, u);
	if (r == 0)
		r = context_save(c, dir, u ? &u->settings : NULL);
	if (u)
		userdata_done(u);
	free(u);
	if (r < 0) {
		message_error("cannot write the context to %s: %s", dir ? dir : CONTEXT_DIR, strerror(-r));
		return FAILED;
	}
	return 0;
}

static int find_report(struct finder *f, errint_t r, bool local, struct context *c)
{
	if (r == 0) {
		message_note("data source %s: %s; instance %s, user data %zu bytes%s", c->source, c->where ? c->where : "?", c->instance_id,
			     c->user_data.size, c->network.data ? ", with a network configuration" : "");
		if (*f->problem)
			message_warning("%s", f->problem);
		return find_save(c) == 0 ? FOUND : FAILED;
	}
	if (*f->problem)
		message_error("%s", f->problem);
	if (r != -ENOENT)
		message_error("a %s data source is there but cannot be read: %s; set 'datasource=' to choose another, or 'none'",
			      local ? "local" : "network", strerror(-r));
	c->source = "none";
	if (find_save(c) != 0)
		return FAILED;
	return r == -ENOENT ? NOT_FOUND : FAILED;
}

static int find_run(void *context, int operands, char **operand)
{
	struct find_options *o = context;
	struct machine machine;
	struct finder f = { .machine = &machine };
	struct context c = { .source = NULL };
	struct timespec now;
	errint_t r;
	int code;

	(void)operands;
	(void)operand;
	if (o->possible) {
		r = machine_read(&machine);
		code = r == 0 && find_possible(&machine) ? FOUND : NOT_FOUND;
		machine_done(&machine);
		return code;
	}
	if (o->local == o->network) {
		message_error("find: say either --local or --network");
		return EXIT_USAGE;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	f.deadline_ns = now.tv_sec * 1000000000LL + now.tv_nsec + (int64_t)o->deadline_s * 1000000000LL;
	r = machine_read(&machine);
	if (r == 0)
		r = find_context(&f, o->local, &c);
	code = find_report(&f, r, o->local, &c);
	finder_done(&f);
	context_done(&c);
	machine_done(&machine);
	return code;
}

/* ---- network ---- */

/* Fills n from the context; NOT_FOUND where there is nothing to read. */
static int network_load(struct context *c, struct netconfig *n, struct diag_list *diag)
{
	_cleanup_free_ char *dir = ctx_path(CONTEXT_DIR);
	errint_t r = dir ? context_load(c, dir) : -ENOMEM;

	if (r == -ENOENT || (r == 0 && !c->network.data))
		return NOT_FOUND;
	if (r == 0)
		r = netconfig_read(n, c->network_format, c->network.data, c->network.size, diag);
	if (r == -EBADMSG)
		return NOT_FOUND;	/* diag says why; DHCP is the way out */
	if (r < 0)
		message_error("cannot read the context in %s: %s", dir ? dir : CONTEXT_DIR, strerror(-r));
	return r < 0 ? FAILED : FOUND;
}

static int network_run(void *context, int operands, char **operand)
{
	struct context c = { .source = NULL };
	struct diag_list diag = { .count = 0 };
	struct net_interfaces interfaces = { .count = 0 };
	struct netconfig *n = calloc(1, sizeof *n);
	int code = FAILED;

	(void)context;
	(void)operands;
	(void)operand;
	if (n)
		code = network_load(&c, n, &diag);
	if (code == FOUND) {
		errint_t r = network_interfaces(&interfaces);

		if (r == 0 && network_match(n, &interfaces, &diag) == 0)
			code = NOT_FOUND;
		if (r == 0 && code == FOUND)
			r = network_apply(n, &interfaces, &diag);
		if (r == 0 && code == FOUND)
			r = network_write_networkd(n, &interfaces);
		if (r < 0) {
			message_error("cannot set up the network: %s", strerror(-r));
			code = FAILED;
		}
	}
	print_diag(&diag, "network-config");
	if (code == NOT_FOUND && n && (n->links || diag.errors))
		message_warning("the network configuration fits no interface of this machine: DHCP is used");
	for (size_t i = 0; i < interfaces.count && code == FOUND; i++)
		if (interfaces.item[i].link)
			message_note("interface %s: %zu addresses, %zu routes%s", interfaces.item[i].name, interfaces.item[i].link->addresses,
				     interfaces.item[i].link->routes, interfaces.item[i].link->dhcp4 ? ", DHCP" : "");
	if (n)
		netconfig_done(n);
	free(n);
	diag_done(&diag);
	context_done(&c);
	return code;
}

/* ---- apply ---- */

struct apply_arguments {
	const char *root, *state;
};

static int apply_option(void *context, int id, const char *value)
{
	struct apply_arguments *o = context;

	if (id == 'r')
		o->root = value;
	else
		o->state = value;
	return 0;
}

/* The OS sees the state directory without $SPORE_ROOT. */
static const char *state_in_os(const char *state)
{
	const char *root = getenv("SPORE_ROOT");
	size_t n = root ? strlen(root) : 0;

	return n && strncmp(state, root, n) == 0 ? state + n : state;
}

static void apply_report(const struct apply *a)
{
	if (a->handed_on)
		message_note("user data handed on to the cloud-init of the root file system (instance %s)", a->context->instance_id);
	else if (strcmp(a->context->source, "none") == 0)
		message_note("no user data (instance %s)", a->context->instance_id);
	else if (a->new_instance)
		message_note("instance %s: %u users, %u files, %u scripts", a->context->instance_id, a->users, a->files, a->scripts);
	else
		message_note("instance %s has been applied before: only what is for every boot", a->context->instance_id);
	for (size_t i = 0; i < a->randoms; i++)
		message_note("random password of user %s: %s", a->random[i].user, a->random[i].password);
}

/* What network-config was kept from an earlier boot still says how networkd is to go on. */
static errint_t apply_networkd(struct apply *a, struct diag_list *diag)
{
	struct net_interfaces interfaces = { .count = 0 };
	struct netconfig *n;
	errint_t r = 0;

	if (!a->context->network.data)
		return 0;
	n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	if (netconfig_read(n, a->context->network_format, a->context->network.data, a->context->network.size, diag) == 0 &&
	    network_interfaces(&interfaces) == 0 && network_match(n, &interfaces, diag))
		r = network_write_networkd(n, &interfaces);
	netconfig_done(n);
	free(n);
	return r;
}

static int apply_verb_run(void *context, int operands, char **operand)
{
	struct apply_arguments *o = context;
	struct apply_options options = { .root = o->root, .state = o->state };
	struct diag_list diag = { .count = 0 }, ignored = { .count = 0 };
	_cleanup_free_ char *dir = ctx_path(CONTEXT_DIR);
	struct apply *a = calloc(1, sizeof *a);
	struct machine machine;
	errint_t r;

	(void)operands;
	(void)operand;
	if (!o->root || !o->state) {
		message_error("apply: --root and --state are needed");
		free(a);
		return EXIT_USAGE;
	}
	r = dir && a ? machine_read(&machine) : -ENOMEM;
	if (r == 0) {
		options.state_in_os = state_in_os(o->state);
		options.machine = machine.product_uuid;
		r = apply_run(a, &options, dir, &diag);
		/* What a later boot would only repeat is not said again. */
		if (r < 0 || a->new_instance || a->handed_on)
			print_diag(&diag, "user-data");
		if (r == 0)
			apply_report(a);
		/* Its errors were printed when the network was set up. */
		if (r == 0)
			r = apply_networkd(a, &ignored);
		apply_done(a);
		machine_done(&machine);
	}
	if (r < 0)
		message_error("cannot apply user data to %s: %s", o->root, strerror(-r));
	free(a);
	diag_done(&ignored);
	diag_done(&diag);
	return r < 0 ? EXIT_CANNOT_CREATE : 0;
}

/* ---- table ---- */

static const struct option_spec find_specs[] = {
	{ 'l', "local", NULL, "ask the sources that need no network: firmware, volumes", 0 },
	{ 'n', "network", NULL, "ask the sources that the machine's firmware or the command line names", 0 },
	{ 'p', "possible", NULL, "say only, by the exit code, whether a source on the network would be asked", 0 },
	{ 'd', "deadline", "SECONDS", "give up on the network after this time (10)", 0 },
	{ 0 }
};

static const struct option_spec apply_specs[] = {
	{ 'r', "root", "DIR", "the new root file system", 0 },
	{ 's', "state", "DIR", "where to remember what was applied (on scratch)", 0 },
	{ 0 }
};

#ifdef SPORE_GUEST
#define COMMAND_COUNT 3
#else
#define COMMAND_COUNT 5
#endif

int contextualize_main(int argc, char **argv)
{
	struct find_options find = { .deadline_s = FIND_DEADLINE_S };
	struct apply_arguments apply = { .root = NULL };
	struct command commands[COMMAND_COUNT + 1] = {
#ifndef SPORE_GUEST
		[3] = contextualize_check_command,
		[4] = contextualize_seed_command,
#endif
		[0] = { "find", "", "find the data source and copy what it says to " CONTEXT_DIR, find_specs, find_option, 0, 0, find_run, &find },
		[1] = { "network", "", "set up the network that the data source describes", NULL, NULL, 0, 0, network_run, NULL },
		[2] = { "apply", "", "apply user data to a root file system", apply_specs, apply_option, 0, 0, apply_verb_run, &apply },
	};

	return options_run_verbs("contextualize",
				 "Finds a cloud's user data, applies them before the system starts, checks them, and makes seeds that carry them.",
				 commands, argc, argv);
}
