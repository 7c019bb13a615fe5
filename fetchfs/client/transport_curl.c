/* SPDX-License-Identifier: MIT */
/* One attempt to fetch one file: curl's settings, limits, and what its results mean. Knows nothing of queues and retries. */
#include "fetchfs/client/transport_private.h"
#include "common/io.h"

#define CONNECT_TIMEOUT_MS 10000L
#define STALL_BYTES_PER_SECOND 64L
#define STALL_SECONDS 15L
#define DEADLINE_BASE_MS 30000
#define DEADLINE_BYTES_PER_SECOND 16384
#define MAX_REDIRECTS 5L
#define RECEIVE_BUFFER (256L * 1024)
#define CA_MAX_SIZE (4 * MIB)

#ifndef SPORE_VERSION
#define SPORE_VERSION "unknown"
#endif

static size_t take_body(char *data, size_t one, size_t size, void *context)
{
	struct transport_slot *s = context;
	struct transport_request *r = s->request;

	(void)one;
	if (size > r->max_size - r->size) {
		s->too_large = true;
		return 0;
	}
	if (r->size + size > r->room) {
		/* The exact size is nearly always known: then this happens once. */
		size_t room = r->min_size == r->max_size ? (size_t)r->max_size : MIN((size_t)r->max_size, MAX(2 * r->room, r->size + size));
		char *larger = realloc(r->data, room);
		if (!larger)
			return 0;
		r->data = larger;
		r->room = room;
	}
	memcpy(r->data + r->size, data, size);
	r->size += size;
	return size;
}

static void set_protocols(CURL *c)
{
#if CURL_AT_LEAST_VERSION(7, 85, 0)
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,file");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static void set_up(struct transport *t, struct transport_slot *s)
{
	CURL *c = s->curl;

	set_protocols(c);
	curl_easy_setopt(c, CURLOPT_PRIVATE, s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_SECOND);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "fetchfs/" SPORE_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	if (t->proxy)
		curl_easy_setopt(c, CURLOPT_PROXY, t->proxy);
	if (t->self_contained)
		curl_easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
	if (t->ca_data) {
		struct curl_blob blob = { .data = t->ca_data, .len = t->ca_size, .flags = CURL_BLOB_NOCOPY };
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	} else if (t->ca_file) {
		curl_easy_setopt(c, CURLOPT_CAINFO, t->ca_file);
	}
}

/* A transport that must live without files reads the certificates now. Having none is no error: plain HTTP needs none. */
static void read_certificates(struct transport *t)
{
	const char *file = t->ca_file ? t->ca_file : "/etc/ssl/certs/ca-certificates.crt";

	if (t->self_contained)
		(void)io_read_file(file, CA_MAX_SIZE, &t->ca_data, &t->ca_size);
}

errint_t transport_curl_init(struct transport *t)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -ENOMEM;
	read_certificates(t);
	t->multi = curl_multi_init();
	t->slots = calloc(t->parallel, sizeof(*t->slots));
	t->no_cache = curl_slist_append(NULL, "Cache-Control: no-cache");
	if (!t->multi || !t->slots || !t->no_cache)
		return -ENOMEM;
	for (unsigned i = 0; i < t->parallel; i++) {
		t->slots[i].curl = curl_easy_init();
		if (!t->slots[i].curl)
			return -ENOMEM;
		set_up(t, &t->slots[i]);
	}
	curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)t->parallel + 4);
	return 0;
}

void transport_curl_done(struct transport *t)
{
	for (unsigned i = 0; t->slots && i < t->parallel; i++)
		if (t->slots[i].curl)
			curl_easy_cleanup(t->slots[i].curl);
	if (t->multi)
		curl_multi_cleanup(t->multi);
	curl_slist_free_all(t->no_cache);
	free(t->slots);
	free(t->ca_data);
}

errint_t transport_curl_start(struct transport *t, struct transport_slot *s, struct transport_request *r)
{
	const struct transport_mirror *m = &t->mirrors[r->used_mirror];
	_cleanup_free_ char *url = io_format("%s/%s", m->url, r->path);
	uint64_t deadline = DEADLINE_BASE_MS + r->max_size * 1000 / DEADLINE_BYTES_PER_SECOND;

	if (!url)
		return -ENOMEM;
	s->request = r;
	s->too_large = false;
	s->error[0] = '\0';
	r->size = 0;
	r->error[0] = '\0';
	if (!r->data)
		r->room = 0;
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, r->fresh ? t->no_cache : NULL);
	curl_easy_setopt(s->curl, CURLOPT_URL, url);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)MIN(deadline, (uint64_t)INT32_MAX));
	curl_easy_setopt(s->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_size);
	/* Over TLS the server may offer HTTP/2: then better wait for that one connection than open several. */
	curl_easy_setopt(s->curl, CURLOPT_PIPEWAIT, strncmp(m->url, "https:", 6) == 0 ? 1L : 0L);
	if (curl_multi_add_handle(t->multi, s->curl) != CURLM_OK) {
		s->request = NULL;
		return -ENOMEM;
	}
	stats_add(t->stats, requests, 1);
	return 0;
}

static errint_t meaning_of(const struct transport_slot *s, CURLcode code, long status)
{
	if (s->too_large || code == CURLE_FILESIZE_EXCEEDED || code == CURLE_PARTIAL_FILE)
		return -EMSGSIZE;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_HTTP_RETURNED_ERROR:
		return status == 404 || status == 410 ? -ENOENT : -EIO;
	case CURLE_FILE_COULDNT_READ_FILE:
		return -ENOENT;
	default:
		return -EIO;
	}
}

static void explain(const struct transport_slot *s, struct transport_request *r, const char *url, CURLcode code, long status)
{
	const char *what = s->error[0] ? s->error : curl_easy_strerror(code);

	if (r->result == -EMSGSIZE)
		snprintf(r->error, sizeof(r->error), "%.160s/%.90s: the body has not the expected size", url, r->path);
	else if (code == CURLE_HTTP_RETURNED_ERROR)
		snprintf(r->error, sizeof(r->error), "%.160s/%.90s: HTTP status %ld", url, r->path, status);
	else if (code == CURLE_FILE_COULDNT_READ_FILE)
		snprintf(r->error, sizeof(r->error), "%.160s/%.90s: no such file", url, r->path);
	else
		snprintf(r->error, sizeof(r->error), "%.100s/%.80s: %.120s", url, r->path, what);
}

void transport_curl_end(struct transport *t, struct transport_slot *s, CURLcode code)
{
	struct transport_request *r = s->request;
	const struct transport_mirror *m = &t->mirrors[r->used_mirror];
	long status = 0;
	curl_off_t took = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->curl, CURLINFO_TOTAL_TIME_T, &took);
	r->took = took * 1000;
	curl_multi_remove_handle(t->multi, s->curl);
	stats_add(t->stats, bytes_fetched, r->size);
	r->result = meaning_of(s, code, status);
	/* Of HTTP only 200 brings a whole file. */
	if (r->result == 0 && m->is_http && status != 200) {
		code = CURLE_HTTP_RETURNED_ERROR;
		r->result = -EIO;
	}
	if (r->result == 0 && r->size < r->min_size)
		r->result = -EMSGSIZE;
	if (r->result < 0)
		explain(s, r, m->url, code, status);
	s->request = NULL;
}
