/* SPDX-License-Identifier: MIT */
/* fetchfs ctl: asks a mount, and prints its reply for people or as JSON. */
#include "fetchfs/client/client.h"
#include "common/message.h"
#include "fetchfs/client/ctl_client.h"

static bool as_json, as_list;

static const struct option_spec options[] = {
	{ 'j', "json", NULL, "print the reply as JSON", 0 },
	{ 'l', "list", NULL, "with pin: list what is pinned", 0 },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	(void)context;
	(void)value;
	if (id == 'j')
		as_json = true;
	else
		as_list = true;
	return 0;
}

static int print(const struct ctl_answer *a)
{
	if (a->text)
		fputs(a->text, stdout);
	else if (as_json)
		json_dumpf(a->object, stdout, JSON_INDENT(2));
	else
		ctl_print(a->object, stdout);
	if (!a->text && as_json)
		putchar('\n');
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	message_error("cannot write: %s", strerror(errno));
	return EXIT_CANNOT_CREATE;
}

static int ctl_run(void *context, int operands, char **operand)
{
	char error[CTL_ERROR_SIZE];
	struct ctl_answer answer;
	int code;

	(void)context;
	if (as_list && operands != 2) {
		message_error("--list: expected a verb that lists, as pin, and nothing behind it");
		return EXIT_USAGE;
	}
	code = ctl_ask(operand[0], operand[1], (size_t)operands - 2, operand + 2, &answer, error);
	if (code) {
		message_error("%s", error);
		return code;
	}
	code = print(&answer);
	ctl_answer_done(&answer);
	return code;
}

const struct command client_ctl_command = {
	.name = "ctl",
	.operands = "MOUNTPOINT VERB [ARGUMENT]...",
	.summary = "ask a running mount, or have it do something; the verb 'help' lists the verbs",
	.options = options,
	.on_option = on_option,
	.min_operands = 2,
	.max_operands = 2 + CTL_ARGUMENTS_MAX,
	.run = ctl_run,
};
