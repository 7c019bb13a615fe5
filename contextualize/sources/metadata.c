/* SPDX-License-Identifier: MIT */
/*
 * HTTP for the sources: everything under the finder's one deadline, with retries (source.h).
 */
#include "contextualize/sources/source.h"

#include "common/io.h"

#include <dirent.h>
#include <stdarg.h>
#include <time.h>

#define METADATA_CONNECT_MS 1500	/* for one attempt, so that the next address has its turn */
#define METADATA_EXCHANGE_MS 5000
#define METADATA_PAUSE_MS 200		/* doubles up to ten times that */

void finder_problem(struct finder *f, const char *format, ...)
{
	va_list ap;

	if (*f->problem)
		return;
	va_start(ap, format);
	vsnprintf(f->problem, sizeof f->problem, format, ap);
	va_end(ap);
}

void finder_done(struct finder *f)
{
	http_client_free(f->http);
	f->http = NULL;
}

uint32_t finder_left_ms(const struct finder *f)
{
	struct timespec t;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &t);
	left = (f->deadline_ns - (t.tv_sec * 1000000000LL + t.tv_nsec)) / 1000000;
	return left <= 0 ? 0 : (uint32_t)MIN(left, (int64_t)UINT32_MAX / 2);
}

static void finder_pause(const struct finder *f, unsigned round)
{
	uint32_t ms = MIN((uint32_t)METADATA_PAUSE_MS << MIN(round, 3u), finder_left_ms(f));
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static errint_t finder_request(struct finder *f, const char *method, const char *url, const char *const *headers, struct http_reply *ret)
{
	struct http_request q = { .method = method, .url = url, .headers = headers, .max = CONTEXT_MAX_BLOB };
	uint32_t left = finder_left_ms(f);
	errint_t r = 0;

	if (!left)
		return -ETIMEDOUT;
	q.timeout_ms = MIN(left, (uint32_t)METADATA_EXCHANGE_MS);
	q.connect_ms = MIN(left, (uint32_t)METADATA_CONNECT_MS);
	if (!f->http)
		r = http_client_new(&f->http);
	return r < 0 ? r : http_fetch(f->http, &q, ret);
}

static bool finder_try_again(errint_t r, long status)
{
	if (r < 0)
		return r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EIO;
	return status >= 500 || status == 429;
}

static errint_t finder_status(struct finder *f, const char *url, long status)
{
	if (status == 200)
		return 0;
	if (status == 404 || status == 410)
		return -ENOENT;
	finder_problem(f, "%s: the server answered with status %ld", url, status);
	return status == 401 || status == 403 ? -EACCES : -EPROTO;
}

errint_t finder_get(struct finder *f, const char *url, const char *const *headers, char **ret, size_t *ret_size)
{
	for (unsigned round = 0;; round++) {
		struct http_reply reply = { .body = NULL };
		errint_t r = finder_request(f, "GET", url, headers, &reply);

		if (finder_try_again(r, reply.status) && finder_left_ms(f)) {
			http_reply_done(&reply);
			finder_pause(f, round);
			continue;
		}
		if (r == 0)
			r = finder_status(f, url, reply.status);
		else
			finder_problem(f, "%s: %s", url, *reply.error ? reply.error : strerror(-r));
		if (r == 0) {
			*ret = steal_ptr(reply.body);
			*ret_size = reply.size;
		}
		http_reply_done(&reply);
		return r;
	}
}

errint_t finder_first(struct finder *f, const char *const *bases, const char *method, const char *path, const char *const *headers,
		      const char **ret_base, struct http_reply *ret_reply)
{
	char last[256] = "no answer";

	for (unsigned round = 0; finder_left_ms(f); round++) {
		for (size_t i = 0; bases[i] && finder_left_ms(f); i++) {
			_cleanup_free_ char *url = io_format("%s%s", bases[i], path);
			errint_t r = url ? finder_request(f, method, url, headers, ret_reply) : -ENOMEM;

			if (r == 0 && !finder_try_again(0, ret_reply->status)) {
				*ret_base = bases[i];
				return 0;
			}
			if (i == 0)
				snprintf(last, sizeof last, "%s", r == 0 ? "the server is not ready" : *ret_reply->error ? ret_reply->error : strerror(-r));
			http_reply_done(ret_reply);
			if (r == -ENOMEM)
				return r;
		}
		finder_pause(f, round);
	}
	finder_problem(f, "%s%s: %s", bases[0], path, last);
	return -ETIMEDOUT;
}

void finder_interface(char *ret, size_t room)
{
	_cleanup_free_ char *dir = ctx_path("/sys/class/net");
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *e;

	*ret = '\0';
	while (d && (e = readdir(d))) {
		char path[320];
		_cleanup_free_ char *state = NULL;

		if (e->d_name[0] == '.' || strcmp(e->d_name, "lo") == 0)
			continue;
		snprintf(path, sizeof path, "/sys/class/net/%s/operstate", e->d_name);
		if (ctx_read(path, 64, &state, NULL) == 0 && strcmp(state, "down") != 0 && strlen(e->d_name) < room) {
			strcpy(ret, e->d_name);
			break;
		}
	}
	if (d)
		closedir(d);
}
