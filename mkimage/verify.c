/* SPDX-License-Identifier: MIT */
/* mkimage verify: the findings of an examination, and an exit code. */
#include "mkimage/examine.h"
#include "mkimage/verbs.h"

#include <jansson.h>

static bool as_json;

enum { ID_JSON = 1000 };

const struct option_spec verify_options[] = {
	{ 0, "json", NULL, "print the findings as JSON", ID_JSON },
	{ 'q', "quiet", NULL, "print nothing but what is wrong", 0 },
	{ 0 }
};

int verify_on_option(void *context, int id, const char *value)
{
	(void)context, (void)value;
	if (id == ID_JSON)
		as_json = true;
	else
		message_set_quiet(true);
	return 0;
}

static int print_json(const char *path, const struct examination *x)
{
	json_t *list = json_array();

	for (size_t i = 0; i < x->finding_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "severity", x->findings[i].error ? "error" : "warning",
						      "text", x->findings[i].text));
	json_t *o = json_pack("{s:s, s:b, s:o}", "image", path, "good", x->errors == 0, "findings", list);
	int failed = !o || json_dumpf(o, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF;
	json_decref(o);
	return failed ? EXIT_SOFTWARE : 0;
}

static void print_text(const char *path, const struct examination *x)
{
	for (size_t i = 0; i < x->finding_count; i++)
		(x->findings[i].error ? message_error : message_warning)("%s: %s", path, x->findings[i].text);
	if (x->errors)
		message_error("%s: %zu error%s: build the image again, or fetch it again", path, x->errors, x->errors == 1 ? "" : "s");
	else
		message_note("%s: good", path);
}

int verify_run(void *context, int operands, char **operand)
{
	struct problem problem = { .exit_code = 0 };
	struct examination *x = malloc(sizeof(*x));
	int code = 0;

	(void)context, (void)operands;
	if (!x) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	if (examine(operand[0], x, &problem) < 0) {
		message_error("%s", problem.text);
		code = problem.exit_code;
	} else if (as_json) {
		code = print_json(operand[0], x);
	} else {
		print_text(operand[0], x);
	}
	if (code == 0 && x->errors)
		code = EXIT_DATA;
	examination_done(x);
	free(x);
	return code;
}
