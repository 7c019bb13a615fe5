/* SPDX-License-Identifier: MIT */
/*
 * The lines of the control protocol and of HTTP, a line of mountinfo, and the lists of pins, from the same bytes; and what the two sockets answer to them. A request that parses is made again and must parse to the same words.
 */
#include "fetchfs/client/ctl_private.h"
#include "fetchfs/client/mounts.h"
#include "fetchfs/client/pins_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_request(char *line, size_t size)
{
	struct ctl_request a, b;
	char *again;

	if (ctl_request_parse(line, size, &a) < 0)
		return;
	/* An argument that a client would not send, an empty one, does not come out of the parser either. */
	if (ctl_request_format(a.verb, a.count, a.arguments, &again) == -EMSGSIZE)
		return;
	if (ctl_request_parse(again, strlen(again) - 1, &b) < 0 || strcmp(a.verb, b.verb) != 0 || a.count != b.count)
		abort();
	for (size_t i = 0; i < a.count; i++)
		if (strcmp(a.arguments[i], b.arguments[i]) != 0)
			abort();
	free(again);
}

static void one_reply(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);
	enum ctl_kind kind;
	size_t body;
	json_t *object;

	if (!end || ctl_head_parse(text, (size_t)(end - text), &kind, &body) < 0)
		return;
	object = json_loadb(end + 1, size - (size_t)(end + 1 - text), 0, NULL);
	if (json_is_object(object)) {
		FILE *null = fopen("/dev/null", "we");
		if (null) {
			ctl_print(object, null);
			fclose(null);
		}
	}
	json_decref(object);
}

/* A path from a list is in its final form already. */
static void end_list(struct pins_file *f)
{
	for (size_t i = 0; i < f->count; i++) {
		char *again = NULL;
		if (pins_normalize(f->paths[i], &again) < 0 || strcmp(again, f->paths[i]) != 0)
			abort();
		free(again);
	}
	pins_file_done(f);
}

static void one_list(const char *text, size_t size)
{
	static struct pins_file f;
	unsigned bad, line;

	if (pins_file_parse(text, size, &f) == 0)
		end_list(&f);
	pins_tree_parse(text, size, &f, &bad, &line);
	if (!bad != !line || f.count > PINS_MAX)
		abort();
	end_list(&f);
}

static int echo(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	json_t *list = ctl_list(reply->root, "arguments");

	(void)context;
	for (size_t i = 0; i < request->count; i++)
		ctl_text(ctl_item(list), "argument", request->arguments[i]);
	return 0;
}

static char *metrics(void *context)
{
	(void)context;
	return strdup("x 1\n");
}

/* A complete request has an answer, and of the control socket's answers the head is right and the body JSON or text. */
static void one_connection(struct ctl *c, enum ctl_door door, const uint8_t *data, size_t size)
{
	size_t room = door == CTL_DOOR ? CTL_REQUEST_MAX : CTL_HTTP_MAX, body;
	struct ctl_connection k = { .fd = -1, .door = door, .in = malloc(room + 1), .in_used = MIN(size, room) };
	enum ctl_kind kind;
	bool complete = false;
	const char *end;

	if (!k.in)
		return;
	memcpy(k.in, data, k.in_used);
	if (ctl_serve(c, &k, &complete) < 0 || complete != !!k.out)
		abort();
	if (complete && door == CTL_DOOR) {
		end = memchr(k.out, '\n', k.out_size);
		if (!end || ctl_head_parse(k.out, (size_t)(end - k.out), &kind, &body) < 0 || body != k.out_size - (size_t)(end + 1 - k.out))
			abort();
	}
	free(k.in);
	free(k.out);
}

static void both_sockets(const uint8_t *data, size_t size)
{
	static const struct ctl_verb verbs[] = { { "cache", "", "echo", 0, CTL_ARGUMENTS_MAX, echo }, { "pin", "", "echo", 1, 1, echo }, { .name = NULL } };
	static struct ctl *c;

	if (!c && (ctl_new(&c) < 0 || ctl_add(c, verbs, NULL) < 0))
		abort();
	ctl_set_metrics(c, metrics, NULL);
	one_connection(c, CTL_DOOR, data, size);
	one_connection(c, METRICS_DOOR, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct mounts_line line;
	struct ctl_http http;

	if (!text)
		return 0;
	memcpy(text, data, size);
	ctl_http_parse(text, size, &http);
	one_reply(text, size);
	one_list(text, size);
	one_request(text, MIN(size, (size_t)CTL_REQUEST_MAX - 1));
	memcpy(text, data, size);
	text[size] = '\0';
	(void)mounts_parse(text, &line);
	free(text);
	both_sockets(data, size);
	return 0;
}
