/* SPDX-License-Identifier: MIT */
/* Command lines from tables; see options.h. */
#include "common/options.h"
#include "common/message.h"

#include <getopt.h>

#ifndef SPORE_VERSION
#define SPORE_VERSION "unknown"
#endif

#define MAX_OPTIONS 48
enum { ID_HELP = 0x10000, ID_VERSION, ID_LIST };

static const struct option_spec common_options[] = {
	{ 'h', "help", NULL, "print this help and exit", ID_HELP },
	{ 0, "version", NULL, "print the version and exit", ID_VERSION },
	{ 0 }
};

static int spec_id(const struct option_spec *s)
{
	return s->id ? s->id : s->letter;
}

static void print_options(const struct option_spec *s)
{
	for (; s && s->name; s++) {
		char left[64];
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", s->letter ? '-' : ' ', s->letter ? s->letter : ' ',
			 s->letter ? "," : " ", s->name, s->argument ? "=" : "", s->argument ? s->argument : "");
		printf("  %-30s %s\n", left, s->help);
	}
}

static void print_command_help(const char *program, const struct command *c)
{
	printf("Usage: %s%s%s [OPTION]... %s\n\n%s\n\nOptions:\n", program, c->name ? " " : "", c->name ? c->name : "",
	       c->operands ? c->operands : "", c->summary);
	print_options(c->options);
	print_options(common_options);
}

static void list_options(const struct command *c)
{
	for (const struct option_spec *s = c->options; s && s->name; s++)
		printf("%s --%s\n", c->name ? c->name : "-", s->name);
}

/* getopt's tables from ours. */
struct getopt_tables {
	char letters[2 * MAX_OPTIONS + 2];
	struct option options[2 * MAX_OPTIONS];
	size_t count;
};

static void add_specs(struct getopt_tables *t, const struct option_spec *s)
{
	size_t used = strlen(t->letters);

	for (; s && s->name && t->count < MAX_OPTIONS; s++) {
		t->options[t->count++] = (struct option){ .name = s->name,
			.has_arg = s->argument ? required_argument : no_argument, .val = spec_id(s) };
		if (!s->letter)
			continue;
		t->letters[used++] = s->letter;
		if (s->argument)
			t->letters[used++] = ':';
	}
}

/* The handler is told the table's id also where the letter was used. */
static int id_of(const struct option_spec *s, int value)
{
	for (; s && s->name; s++)
		if (s->letter == value)
			return spec_id(s);
	return value;
}

static int usage_error(const char *program, const struct command *c)
{
	message_error("see '%s%s%s --help'", program, c->name ? " " : "", c->name ? c->name : "");
	return EXIT_USAGE;
}

static int run_parsed(const char *program, const struct command *c, int argc, char **argv)
{
	int operands = argc - optind;

	if (operands < c->min_operands || (c->max_operands >= 0 && operands > c->max_operands)) {
		message_error("%s operands: expected %s", operands < c->min_operands ? "missing" : "too many",
			      c->operands && *c->operands ? c->operands : "none");
		return usage_error(program, c);
	}
	return c->run(c->context, operands, argv + optind);
}

int options_run(const char *program, const struct command *c, int argc, char **argv)
{
	struct getopt_tables t = { .letters = "" };
	int value;

	message_init(program);
	add_specs(&t, c->options);
	add_specs(&t, common_options);
	t.options[t.count] = (struct option){ .name = "list-options", .val = ID_LIST };
	optind = 0;
	while ((value = getopt_long(argc, argv, t.letters, t.options, NULL)) != -1) {
		int id = value < 256 ? id_of(c->options, value) : value;
		int code = 0;
		if (value == '?')
			return usage_error(program, c);
		if (value == 'h' && id == 'h')
			id = ID_HELP;
		switch (id) {
		case ID_HELP:
			print_command_help(program, c);
			return 0;
		case ID_VERSION:
			printf("%s (Spore) %s\n", program, SPORE_VERSION);
			return 0;
		case ID_LIST:
			list_options(c);
			return 0;
		default:
			code = c->on_option ? c->on_option(c->context, id, optarg) : 0;
		}
		if (code)
			return code;
	}
	return run_parsed(program, c, argc, argv);
}

static void print_verbs(const char *program, const char *intro, const struct command *commands)
{
	printf("Usage: %s COMMAND [OPTION]... [OPERAND]...\n\n%s\n\nCommands:\n", program, intro);
	for (const struct command *c = commands; c->name; c++)
		printf("  %-14s %s\n", c->name, c->summary);
	printf("\nOptions:\n");
	print_options(common_options);
	printf("\n'%s COMMAND --help' tells the options of one command.\n", program);
}

int options_run_verbs(const char *program, const char *intro, const struct command *commands, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : NULL;

	message_init(program);
	if (!verb) {
		message_error("no command given; see '%s --help'", program);
		return EXIT_USAGE;
	}
	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
		print_verbs(program, intro, commands);
		return 0;
	}
	if (strcmp(verb, "--version") == 0) {
		printf("%s (Spore) %s\n", program, SPORE_VERSION);
		return 0;
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(verb, "--list-options") == 0) {
			printf("%s\n", c->name);
			list_options(c);
		} else if (strcmp(verb, c->name) == 0) {
			return options_run(program, c, argc - 1, argv + 1);
		}
	}
	if (strcmp(verb, "--list-options") == 0)
		return 0;
	message_error("unknown command '%s'; see '%s --help'", verb, program);
	return EXIT_USAGE;
}
