/* SPDX-License-Identifier: MIT */
/*
 * The lines of the control protocol and of HTTP, a line of mountinfo, and the list of pins, from the same bytes. A request that parses is made again and must parse to the same words.
 */
#include "fetchfs/client/ctl_protocol.h"
#include "fetchfs/client/ctl_reply.h"
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

static void one_list(const char *text, size_t size)
{
	static struct pins_file f;

	if (pins_file_parse(text, size, &f) < 0)
		return;
	/* A path from the list is in its final form already. */
	for (size_t i = 0; i < f.count; i++) {
		char *again = NULL;
		if (pins_normalize(f.paths[i], &again) < 0 || strcmp(again, f.paths[i]) != 0)
			abort();
		free(again);
	}
	pins_file_done(&f);
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
	return 0;
}
