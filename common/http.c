/* SPDX-License-Identifier: MIT */
/*
 * Small blocking HTTP client (http.h).
 */
#include "common/http.h"

#include <curl/curl.h>
#include <strings.h>

struct http_client {
	CURL *curl;	/* kept between requests, for its connections */
};

struct http_sink {
	struct http_reply *reply;
	size_t max, room;
	errint_t error;
};

errint_t http_client_new(struct http_client **ret)
{
	struct http_client *c;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	c = calloc(1, sizeof *c);
	if (c)
		c->curl = curl_easy_init();
	if (!c || !c->curl) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	free(c);
}

bool http_url_is_local(const char *url)
{
	static const char *const prefix[] = { "169.254.", "127.", "[fe8", "[fe9", "[fea", "[feb", "[fd00:ec2:", "[::1]", "localhost" };
	const char *host = strstr(url, "://");

	if (!host)
		return false;
	host += 3;
	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strncasecmp(host, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return false;
}

/* curl's callback: its type is given. Always keeps room for the NUL. */
static size_t http_receive(char *data, size_t one, size_t count, void *context)
{
	struct http_sink *s = context;
	struct http_reply *r = s->reply;
	size_t size = one * count;

	if (size > s->max - r->size) {
		s->error = -EFBIG;
		return 0;
	}
	if (r->size + size + 1 > s->room) {
		size_t room = MAX(r->size + size + 1, MIN(2 * s->room, s->max + 1));
		char *grown = realloc(r->body, room);

		if (!grown) {
			s->error = -ENOMEM;
			return 0;
		}
		r->body = grown;
		s->room = room;
	}
	memcpy(r->body + r->size, data, size);
	r->size += size;
	r->body[r->size] = '\0';
	return size;
}

static errint_t http_error_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -ECONNREFUSED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	case CURLE_FILE_COULDNT_READ_FILE:
		return -ENOENT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return -EACCES;
	case CURLE_FILESIZE_EXCEEDED:
		return -EFBIG;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static void http_set_up(CURL *e, const struct http_request *q, struct http_sink *sink, struct curl_slist *headers)
{
	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_URL, q->url);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, sink->reply->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(q->connect_ms ? q->connect_ms : q->timeout_ms));
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, q->no_redirects ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)HTTP_MAX_REDIRECTS);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "spore");
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_receive);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, sink);
	if (q->method && strcmp(q->method, "GET") != 0)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
	if (http_url_is_local(q->url))
		curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, q->allow_file ? "http,https,file" : "http,https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS | (q->allow_file ? CURLPROTO_FILE : 0L));
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static errint_t http_headers(const struct http_request *q, struct curl_slist **ret)
{
	for (size_t i = 0; q->headers && q->headers[i]; i++) {
		struct curl_slist *grown = curl_slist_append(*ret, q->headers[i]);

		if (!grown)
			return -ENOMEM;
		*ret = grown;
	}
	return 0;
}

errint_t http_fetch(struct http_client *c, const struct http_request *q, struct http_reply *ret)
{
	struct http_sink sink = { .reply = ret, .max = q->max };
	struct curl_slist *headers = NULL;
	CURLcode code;
	errint_t r;

	*ret = (struct http_reply){ .body = calloc(1, 1) };
	if (!ret->body)
		return -ENOMEM;
	sink.room = 1;
	r = http_headers(q, &headers);
	if (r == 0) {
		http_set_up(c->curl, q, &sink, headers);
		code = curl_easy_perform(c->curl);
		r = sink.error ? sink.error : http_error_of(code);
		if (r < 0 && !ret->error[0])
			snprintf(ret->error, sizeof ret->error, "%s", curl_easy_strerror(code));
		if (r == -EFBIG)
			snprintf(ret->error, sizeof ret->error, "the reply is larger than %zu bytes", q->max);
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &ret->status);
		if (r == 0 && ret->status == 0)
			ret->status = 200;	/* a file */
	}
	curl_slist_free_all(headers);
	return r;
}

void http_reply_done(struct http_reply *r)
{
	free(r->body);
	r->body = NULL;
	r->size = 0;
}
