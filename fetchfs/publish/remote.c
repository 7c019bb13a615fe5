/* SPDX-License-Identifier: MIT */
/* Files over HTTP for the host's tools; see remote.h. */
#include "fetchfs/publish/remote.h"
#include "common/http.h"
#include "common/io.h"

#include <time.h>

#define ATTEMPTS 4
#define CONNECT_MS 15000
#define TIMEOUT_MS 300000

struct remote {
	struct http_client *client;
	char *url;		/* without a slash at its end */
};

errint_t remote_open(const char *url, struct remote **ret, struct trouble *t)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r || !(r->url = strdup(url)) || http_client_new(&r->client) < 0) {
		remote_close(r);
		return trouble_errno(t, -ENOMEM, "cannot prepare to fetch from %s", url);
	}
	for (size_t n = strlen(r->url); n > 0 && r->url[n - 1] == '/'; n--)
		r->url[n - 1] = '\0';
	*ret = r;
	return 0;
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	if (r->client)
		http_client_free(r->client);
	free(r->url);
	free(r);
}

static bool worth_retrying(errint_t e, const struct http_reply *reply)
{
	if (e < 0)
		return e != -EFBIG && e != -EINVAL && e != -EACCES && e != -ENOMEM;
	return reply->status == 408 || reply->status == 429 || reply->status >= 500;
}

/* A quarter of a second, doubling. */
static void pause_before(unsigned attempt)
{
	unsigned long ms = 125UL << attempt;
	struct timespec pause = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
}

static errint_t judge(errint_t e, const struct http_reply *reply, const char *url, size_t max, struct trouble *t)
{
	if (e == -EFBIG)
		return trouble_set(t, e, EXIT_DATA, "%s is larger than such a file may be (%zu bytes)", url, max);
	if (e < 0)
		return trouble_set(t, e, EXIT_UNAVAILABLE, "cannot fetch %s: %s", url, reply->error[0] ? reply->error : strerror(-e));
	if (reply->status == 404 || reply->status == 410)
		return -ENOENT;
	if (reply->status != 200)
		return trouble_set(t, -EIO, EXIT_UNAVAILABLE, "cannot fetch %s: the server answers %ld", url, reply->status);
	return 0;
}

errint_t remote_get(struct remote *r, const char *name, size_t max, char **ret_data, size_t *ret_size, struct trouble *t)
{
	_cleanup_free_ char *url = io_format("%s/%s", r->url, name);
	struct http_request request = { .url = url, .connect_ms = CONNECT_MS, .timeout_ms = TIMEOUT_MS, .max = max };
	struct http_reply reply;
	errint_t e;

	if (!url)
		return -ENOMEM;
	for (unsigned attempt = 0;;) {
		e = http_fetch(r->client, &request, &reply);
		if (!worth_retrying(e, &reply) || ++attempt == ATTEMPTS)
			break;
		http_reply_done(&reply);
		pause_before(attempt);
	}
	e = judge(e, &reply, url, max, t);
	if (e == 0) {
		*ret_data = steal_ptr(reply.body);
		*ret_size = reply.size;
	}
	http_reply_done(&reply);
	return e;
}
