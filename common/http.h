/* SPDX-License-Identifier: MIT */
/*
 * One HTTP request at a time, whole, into memory (libcurl's easy interface): for small things such as a cloud's metadata, where a deadline and a
 * cap on the size matter more than throughput. Knows nothing of clouds. fetchfs has its own engine (curl multi) and does not use this.
 */
#ifndef SPORE_COMMON_HTTP_H
#define SPORE_COMMON_HTTP_H

#include "common/base.h"

#define HTTP_MAX_REDIRECTS 5

struct http_client;

struct http_request {
	const char *method;	/* "GET" (NULL: the same) or "PUT" (without a body) */
	const char *url;	/* http, https, and file where allow_file */
	const char *const *headers;	/* "Name: value", ends with NULL; may be NULL. Not sent on to another host by a redirect of curl's */
	uint32_t connect_ms;	/* bound on making the connection; 0: as timeout_ms */
	uint32_t timeout_ms;	/* bound on the whole exchange; at least 1 */
	size_t max;		/* largest body, in bytes: beyond it -EFBIG */
	bool allow_file;
	bool no_redirects;
};

struct http_reply {
	long status;		/* 200, 404 …; 200 for a file that was read */
	char *body;		/* ends with a NUL that size does not count; owned by the reply */
	size_t size;
	char error[256];	/* why there was no reply, for a message; "" where there was */
};

errint_t http_client_new(struct http_client **ret);
void http_client_free(struct http_client *c);

/*
 * 0: there was a reply of any status. Otherwise nothing usable came: -ETIMEDOUT, -ECONNREFUSED (no connection), -EFBIG, -ENOENT (file URL),
 * -EINVAL (not a URL that is allowed), -EACCES (certificate), -EIO (everything else); ret->error says more. Call http_reply_done in every case.
 * Proxies of the environment are used, but never for addresses that are link-local or private to a cloud's host.
 */
errint_t http_fetch(struct http_client *c, const struct http_request *request, struct http_reply *ret);
void http_reply_done(struct http_reply *r);

/* Is the URL's host an address that only the machine's own link can reach (169.254/16, fe80::/10, fd00:ec2::/32, loopback)? */
bool http_url_is_local(const char *url);

#endif
