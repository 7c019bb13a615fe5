/* SPDX-License-Identifier: MIT */
/* fetchfs ctl: asks a mount, and prints its reply for people or as JSON. */
#include "fetchfs/client/client.h"
#include "common/message.h"
#include "fetchfs/client/ctl_client.h"
#include "fetchfs/client/ctl_upgrade.h"

#include <time.h>

#define PAUSE_MS 100

static bool as_json, as_list, wait_for_pin;

static const struct option_spec options[] = {
	{ 'j', "json", NULL, "print the reply as JSON", 0 },
	{ 'l', "list", NULL, "with pin: list what is pinned", 0 },
	{ 'w', "wait", NULL, "with pin PATH: return when it is complete, or cannot become so", 0 },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	(void)context;
	(void)value;
	if (id == 'j')
		as_json = true;
	else if (id == 'l')
		as_list = true;
	else
		wait_for_pin = true;
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

/* The item of a list of pins; NULL: it is not there. */
static json_t *find_pin(const json_t *reply, const char *path)
{
	json_t *pins = json_object_get(reply, "pins"), *item;
	size_t i;

	json_array_foreach(pins, i, item) {
		const char *other = json_string_value(json_object_get(item, "path"));
		if (other && strcmp(other, path) == 0)
			return item;
	}
	return NULL;
}

static bool is_settled(const json_t *pin)
{
	const char *state = json_string_value(json_object_get(pin, "state"));

	return !state || (strcmp(state, "queued") != 0 && strcmp(state, "fetching") != 0);
}

/* Asks until nothing changes any more; the last state takes the place of the first reply. */
static int wait_until_settled(const char *place, struct ctl_answer *a, char error[CTL_ERROR_SIZE])
{
	_cleanup_free_ char *path = NULL;
	const char *state, *text = json_string_value(json_object_get(a->object, "path"));
	struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	if (!text || !(path = strdup(text)))
		return 0;
	while (!is_settled(a->object)) {
		struct ctl_answer list;
		json_t *pin;
		int code;
		nanosleep(&pause, NULL);
		code = ctl_ask(place, "pin", 0, NULL, &list, error);
		if (code)
			return code;
		pin = json_incref(find_pin(list.object, path));
		ctl_answer_done(&list);
		if (!pin) {
			snprintf(error, CTL_ERROR_SIZE, "'%.300s' was unpinned meanwhile", path);
			return EXIT_NO_INPUT;
		}
		json_decref(a->object);
		a->object = pin;
	}
	state = json_string_value(json_object_get(a->object, "state"));
	text = json_string_value(json_object_get(a->object, "error"));
	if (state && strcmp(state, "complete") == 0)
		return 0;
	snprintf(error, CTL_ERROR_SIZE, "'%.200s' is not complete: %.200s", path, text ? text : "");
	return EXIT_UNAVAILABLE;
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
	if (wait_for_pin && (operands != 3 || strcmp(operand[1], "pin") != 0)) {
		message_error("--wait: expected 'pin PATH'");
		return EXIT_USAGE;
	}
	/* The one thing that is not the worker's to do. */
	if (strcmp(operand[1], "upgrade") == 0 && operands <= 3)
		code = ctl_upgrade(operand[0], operands == 3 ? operand[2] : NULL, &answer, error);
	else
		code = ctl_ask(operand[0], operand[1], (size_t)operands - 2, operand + 2, &answer, error);
	if (code == 0 && wait_for_pin)
		code = wait_until_settled(operand[0], &answer, error);
	if (code)
		message_error("%s", error);
	else
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
