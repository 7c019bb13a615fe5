/* SPDX-License-Identifier: MIT */
/* From a request in memory to its reply in memory. */
#include "fetchfs/client/ctl_private.h"
#include "common/io.h"
#include "common/message.h"
#include "fetchfs/client/log.h"

static const struct ctl_verb *find_verb(const struct ctl *c, const char *name, void **ret_context)
{
	for (size_t t = 0; t < c->table_count; t++) {
		for (const struct ctl_verb *v = c->tables[t].verbs; v->name; v++) {
			if (strcmp(v->name, name) == 0) {
				*ret_context = c->tables[t].context;
				return v;
			}
		}
	}
	return NULL;
}

static void help(const struct ctl *c, struct ctl_reply *reply)
{
	json_t *list = ctl_list(reply->root, "verbs");

	for (size_t t = 0; t < c->table_count; t++) {
		for (const struct ctl_verb *v = c->tables[t].verbs; v->name; v++) {
			json_t *item = ctl_item(list);
			ctl_text(item, "verb", v->name);
			ctl_text(item, "operands", v->operands);
			ctl_text(item, "help", v->help);
		}
	}
}

static void run_verb(const struct ctl *c, const struct ctl_request *request, struct ctl_reply *reply)
{
	void *context;
	const struct ctl_verb *v = find_verb(c, request->verb, &context);

	if (strcmp(request->verb, "help") == 0)
		help(c, reply);
	else if (!v)
		ctl_fail(reply, EXIT_USAGE, "this mount has no verb '%s'; 'help' lists those that it has", request->verb);
	else if (request->count < v->min || request->count > v->max)
		ctl_fail(reply, EXIT_USAGE, "%s: expected %s", v->name, *v->operands ? v->operands : "no operands");
	else if (v->run(context, request, reply) != 0 && !reply->error[0])
		ctl_fail(reply, EXIT_SOFTWARE, "%s failed", v->name);
}

static void understand(const struct ctl *c, char *line, size_t size, struct ctl_reply *reply)
{
	struct ctl_request request;
	errint_t r = ctl_request_parse(line, size, &request);

	if (r == 0) {
		log_debug("control: %s%s%s", request.verb, request.count ? " " : "", request.count ? request.arguments[0] : "");
		run_verb(c, &request, reply);
	} else if (r == -EPROTONOSUPPORT) {
		ctl_fail(reply, EXIT_UNAVAILABLE, "this mount speaks version %d of the control protocol", CTL_VERSION);
	} else {
		ctl_fail(reply, EXIT_DATA, r == -E2BIG ? "more than %d arguments" : "malformed request", CTL_ARGUMENTS_MAX);
	}
}

/* Takes over body. */
static errint_t put_reply(struct ctl_connection *k, enum ctl_kind kind, char *body)
{
	char head[CTL_HEAD_MAX];
	size_t body_size = body ? strlen(body) : 0, head_size;

	if (!body)
		return -ENOMEM;
	if (body_size > CTL_BODY_MAX) {
		free(body);
		return -EMSGSIZE;
	}
	head_size = ctl_head_format(kind, body_size, head);
	k->out = malloc(head_size + body_size);
	if (k->out) {
		memcpy(k->out, head, head_size);
		memcpy(k->out + head_size, body, body_size);
		k->out_size = head_size + body_size;
	}
	free(body);
	return k->out ? 0 : -ENOMEM;
}

static errint_t make_reply(struct ctl_connection *k, struct ctl_reply *reply)
{
	char *body;

	if (reply->code) {
		json_object_clear(reply->root);
		ctl_text(reply->root, "error", reply->error);
		ctl_number(reply->root, "code", (uint64_t)reply->code);
	} else if (reply->text) {
		return put_reply(k, CTL_TEXT, steal_ptr(reply->text));
	}
	body = json_dumps(reply->root, JSON_COMPACT);
	return put_reply(k, reply->code ? CTL_ERROR : CTL_JSON, body);
}

static errint_t send_reply(struct ctl_connection *k, struct ctl_reply *reply)
{
	errint_t r = make_reply(k, reply);

	if (r != -EMSGSIZE)
		return r;
	ctl_fail(reply, EXIT_SOFTWARE, "the reply is larger than %zu bytes", CTL_BODY_MAX);
	return make_reply(k, reply);
}

static errint_t serve_control(struct ctl *c, struct ctl_connection *k, bool *ret_complete)
{
	char *end = memchr(k->in, '\n', k->in_used);
	struct ctl_reply reply;
	errint_t r;

	*ret_complete = end || k->in_used >= CTL_REQUEST_MAX;
	if (!*ret_complete)
		return 0;
	r = ctl_reply_init(&reply);
	if (r < 0)
		return r;
	if (!end)
		ctl_fail(&reply, EXIT_DATA, "a request is longer than %d bytes", CTL_REQUEST_MAX);
	else if (end + 1 != k->in + k->in_used)
		ctl_fail(&reply, EXIT_DATA, "more than one request in a connection");
	else
		understand(c, k->in, (size_t)(end - k->in), &reply);
	r = send_reply(k, &reply);
	ctl_reply_done(&reply);
	return r;
}

static const char *reason_of(int status)
{
	return status == 200 ? "OK" : status == 404 ? "Not Found" : status == 405 ? "Method Not Allowed" : "Bad Request";
}

static errint_t serve_metrics(struct ctl *c, struct ctl_connection *k, bool *ret_complete)
{
	struct ctl_http http;
	_cleanup_free_ char *body = NULL;
	bool good;

	ctl_http_parse(k->in, k->in_used, &http);
	*ret_complete = http.complete;
	if (!http.complete)
		return 0;
	good = http.status == 200;
	body = good ? c->metrics(c->metrics_context) : io_format("%d %s: GET /metrics is what there is\n", http.status, reason_of(http.status));
	if (!body)
		return -ENOMEM;
	k->out = io_format("HTTP/1.0 %d %s\r\nContent-Type: text/plain; %scharset=utf-8\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
			   http.status, reason_of(http.status), good ? "version=0.0.4; " : "", strlen(body),
			   http.status == 405 ? "Allow: GET, HEAD\r\n" : "", http.head ? "" : body);
	if (!k->out)
		return -ENOMEM;
	k->out_size = strlen(k->out);
	return 0;
}

errint_t ctl_serve(struct ctl *c, struct ctl_connection *k, bool *ret_complete)
{
	return k->door == CTL_DOOR ? serve_control(c, k, ret_complete) : serve_metrics(c, k, ret_complete);
}
