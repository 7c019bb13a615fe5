/* SPDX-License-Identifier: MIT */
/*
 * The lines of the control protocol (docs/format-ctl.md) and of the little HTTP that metrics are asked by, in memory. Knows their form and bounds; must not know
 * sockets, nor what verbs do.
 */
#ifndef SPORE_FETCHFS_CLIENT_CTL_PROTOCOL_H
#define SPORE_FETCHFS_CLIENT_CTL_PROTOCOL_H

#include "common/base.h"

#define CTL_NAME "fetchfs-ctl"
#define CTL_VERSION 1
#define CTL_REQUEST_MAX 16384		/* with the line feed */
#define CTL_VERB_MAX 32
#define CTL_ARGUMENTS_MAX 16
#define CTL_HEAD_MAX 64
#define CTL_BODY_MAX ((size_t)(16 * MIB))
#define CTL_HTTP_MAX 4096

struct ctl_request {
	char *verb;
	size_t count;
	char *arguments[CTL_ARGUMENTS_MAX];
};

enum ctl_kind { CTL_JSON, CTL_TEXT, CTL_ERROR };

/*
 * Takes a request's line (size bytes, without its line feed) apart, in place; line[size] must be writable. -EINVAL: malformed; -EPROTONOSUPPORT: another
 * version; -E2BIG: too many arguments.
 */
errint_t ctl_request_parse(char *line, size_t size, struct ctl_request *ret);
/* The line of a request, with its line feed (free). -EINVAL for a verb or an argument that cannot be sent, -EMSGSIZE. */
errint_t ctl_request_format(const char *verb, size_t count, char *const *arguments, char **ret);

/* The first line of a reply, with its line feed; returns its length. */
size_t ctl_head_format(enum ctl_kind kind, size_t body_size, char ret[CTL_HEAD_MAX]);
/* line: without its line feed. -EINVAL, -EPROTONOSUPPORT, -EMSGSIZE. */
errint_t ctl_head_parse(const char *line, size_t size, enum ctl_kind *ret_kind, size_t *ret_body_size);

/* What an HTTP request wants: the status to answer with, and for 200 whether the body too. complete false: more must come. */
struct ctl_http {
	bool complete;
	int status;
	bool head;
};
/* request: what came so far. */
void ctl_http_parse(const char *request, size_t size, struct ctl_http *ret);

#endif
