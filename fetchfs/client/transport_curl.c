/* SPDX-License-Identifier: MIT */
/* One attempt to fetch one file: curl's settings, limits, redirects, and what its results mean. Knows nothing of queues and retries. */
#include "fetchfs/client/transport_private.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"

#include <ctype.h>
#include <strings.h>

#define DEFAULT_CONNECT 10	/* seconds, as the next two */
#define DEFAULT_STALL 15
#define DEFAULT_TOTAL 30
#define STALL_BYTES_PER_SECOND 64L
#define DEADLINE_BYTES_PER_SECOND 16384
#define MAX_REDIRECTS 5
#define JUNK_MAX (64 * KIB)	/* of a redirect's body */

#ifndef SPORE_VERSION
#define SPORE_VERSION "unknown"
#endif

static bool is_http(const struct transport *t, const struct transport_slot *s)
{
	return t->mirrors[s->route.mirror].is_http;
}

/* With the first bytes: is there any use in the rest? */
static bool begin_body(struct transport_slot *s, bool http)
{
	const struct transport_request *r = s->request;
	curl_off_t length = -1;
	long status = 0;

	s->first_byte = clock_now();
	curl_easy_getinfo(s->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	s->expected = length > 0 ? (uint64_t)length : r->min_size == r->max_size ? r->max_size : 0;
	if (length > 0 && (uint64_t)length > r->max_size && (!http || status == 200))
		s->too_large = true;
	return !s->too_large;
}

static size_t take_body(char *data, size_t one, size_t size, void *context)
{
	struct transport_slot *s = context;
	const struct transport_request *r = s->request;
	long status = 0;

	(void)one;
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300) {
		/* Of a redirect: read, so that the connection can be used again. */
		s->junk += size;
		return s->junk > JUNK_MAX ? 0 : size;
	}
	if (!s->first_byte && !begin_body(s, status != 0))
		return 0;
	s->last_byte = clock_now();
	if (size > r->max_size - s->size) {
		s->too_large = true;
		return 0;
	}
	if (s->size + size > s->room) {
		/* The exact size is nearly always known: then this happens once. */
		size_t room = r->min_size == r->max_size ? (size_t)r->max_size : MIN((size_t)r->max_size, MAX(2 * s->room, s->size + size));
		char *larger = realloc(s->data, room);
		if (!larger)
			return 0;
		s->data = larger;
		s->room = room;
	}
	memcpy(s->data + s->size, data, size);
	s->size += size;
	return size;
}

static void set_protocols(CURL *c)
{
#if CURL_AT_LEAST_VERSION(7, 85, 0)
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,file");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);
#endif
}

static void set_tls(struct transport *t, CURL *c)
{
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (t->ca_data) {
		blob.data = t->ca_data;
		blob.len = t->ca_size;
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	}
	if (t->cert_data) {
		blob.data = t->cert_data;
		blob.len = t->cert_size;
		curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &blob);
		/* With the zero byte behind it: mbedTLS tells PEM from DER by that. */
		blob.data = t->key_data ? t->key_data : t->cert_data;
		blob.len = (t->key_data ? t->key_size : t->cert_size) + 1;
		curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &blob);
	}
}

static void set_up(struct transport *t, struct transport_slot *s)
{
	CURL *c = s->curl;

	set_protocols(c);
	set_tls(t, c);
	curl_easy_setopt(c, CURLOPT_PRIVATE, s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->curl_error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)t->limits.connect);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_SECOND);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->limits.stall);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)TRANSPORT_RECEIVE_BUFFER);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "fetchfs/" SPORE_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* What is meant for the server does not go to a proxy that only connects to it. */
	curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	if (t->proxies.count)
		curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	if (t->self_contained)
		curl_easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
}

static errint_t append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = line ? curl_slist_append(*list, line) : *list;

	if (line && !longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

/* The header lines of a request to a mirror; m NULL: to a server that must not see any secret. */
static errint_t make_headers(struct transport *t, const struct transport_mirror *m, bool fresh, struct curl_slist **ret)
{
	errint_t r = 0;

	if (fresh) {
		r = append(ret, "Cache-Control: no-cache");
		if (r == 0)
			r = append(ret, "Pragma: no-cache");
	}
	if (r == 0 && m)
		r = append(ret, m->authorization ? m->authorization : t->authorization);
	for (size_t i = 0; r == 0 && m && i < t->extra.count; i++)
		r = append(ret, t->extra.lines[i]);
	return r;
}

static errint_t make_all_headers(struct transport *t)
{
	errint_t r = 0;

	for (int fresh = 0; r == 0 && fresh < 2; fresh++) {
		r = make_headers(t, NULL, fresh, &t->headers[fresh]);
		for (size_t i = 0; r == 0 && i < t->mirror_count; i++)
			r = make_headers(t, &t->mirrors[i], fresh, &t->mirrors[i].headers[fresh]);
	}
	return r;
}

errint_t transport_curl_init(struct transport *t)
{
	errint_t r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -ENOMEM;
	t->limits.connect = t->limits.connect ? t->limits.connect : DEFAULT_CONNECT;
	t->limits.stall = t->limits.stall ? t->limits.stall : DEFAULT_STALL;
	t->limits.total = t->limits.total ? t->limits.total : DEFAULT_TOTAL;
	t->slot_count = t->parallel + MAX(t->parallel / 2, 2);
	t->multi = curl_multi_init();
	t->slots = calloc(t->slot_count, sizeof(*t->slots));
	r = t->multi && t->slots ? make_all_headers(t) : -ENOMEM;
	for (unsigned i = 0; r == 0 && i < t->slot_count; i++) {
		t->slots[i].curl = curl_easy_init();
		if (!t->slots[i].curl)
			return -ENOMEM;
		set_up(t, &t->slots[i]);
	}
	if (r < 0)
		return r;
	curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)t->slot_count + 4);
	return 0;
}

void transport_curl_done(struct transport *t)
{
	for (unsigned i = 0; t->slots && i < t->slot_count; i++) {
		if (t->slots[i].curl)
			curl_easy_cleanup(t->slots[i].curl);
		free(t->slots[i].data);
	}
	if (t->multi)
		curl_multi_cleanup(t->multi);
	curl_slist_free_all(t->headers[0]);
	curl_slist_free_all(t->headers[1]);
	free(t->slots);
}

static void set_proxy(struct transport *t, struct transport_slot *s)
{
	const struct proxy *p;

	if (s->route.proxy < 0)
		return;
	p = &t->proxies.proxies[s->route.proxy];
	curl_easy_setopt(s->curl, CURLOPT_PROXY, p->url);
	curl_easy_setopt(s->curl, CURLOPT_PROXYUSERNAME, p->name);
	curl_easy_setopt(s->curl, CURLOPT_PROXYPASSWORD, p->password);
}

/* Sends the slot's request to url; with what only the mirror may see, or without. */
static errint_t send_to(struct transport *t, struct transport_slot *s, const char *url, bool trusted)
{
	const struct transport_request *r = s->request;
	struct curl_slist **headers = trusted ? t->mirrors[s->route.mirror].headers : t->headers;
	int64_t left = MAX((s->deadline - clock_now()) / NS_PER_MS, 1);

	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers[r->fresh || r->revalidate]);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)MIN(left, (int64_t)INT32_MAX));
	curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, s->route.new_connection ? 1L : 0L);
	curl_easy_setopt(s->curl, CURLOPT_FORBID_REUSE, 0L);
	/* Over TLS the server may offer HTTP/2: then better wait for that one connection than open several. */
	curl_easy_setopt(s->curl, CURLOPT_PIPEWAIT, strncmp(url, "https:", 6) == 0 && !s->route.new_connection ? 1L : 0L);
	if (curl_easy_setopt(s->curl, CURLOPT_URL, url) != CURLE_OK || curl_multi_add_handle(t->multi, s->curl) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

static void discard_body(struct transport_slot *s)
{
	free(s->data);
	s->data = NULL;
	s->size = s->room = 0;
}

errint_t transport_curl_start(struct transport *t, struct transport_slot *s, struct transport_request *r, const struct transport_route *route)
{
	_cleanup_free_ char *url = io_format("%s/%s", t->mirrors[route->mirror].url, r->path);
	int64_t now = clock_now();

	if (!url)
		return -ENOMEM;
	transport_slot_drop(t, s);
	s->request = r;
	s->route = *route;
	s->rival = NULL;
	s->is_hedge = s->too_large = s->by_proxy = false;
	s->next_race = 0;
	s->redirects = 0;
	s->expected = s->junk = 0;
	s->first_byte = s->last_byte = s->latency = s->retry_after = 0;
	s->curl_error[0] = s->error[0] = '\0';
	s->started = now;
	s->deadline = now + t->limits.total * NS_PER_SECOND + (int64_t)(r->max_size * 1000 / DEADLINE_BYTES_PER_SECOND) * NS_PER_MS;
	if (r->until)
		s->deadline = MIN(s->deadline, r->until);
	set_proxy(t, s);
	if (send_to(t, s, url, true) < 0) {
		s->request = NULL;
		return -ENOMEM;
	}
	stats_add(t->stats, requests, 1);
	return 0;
}

void transport_slot_drop(struct transport *t, struct transport_slot *s)
{
	memory_give(t->memory, MEMORY_TRANSFERS, s->reserved);
	s->reserved = 0;
	discard_body(s);
}

void transport_curl_cancel(struct transport *t, struct transport_slot *s)
{
	/* Whatever made it slow, the next request shall not wait behind it. */
	curl_easy_setopt(s->curl, CURLOPT_FORBID_REUSE, 1L);
	curl_multi_remove_handle(t->multi, s->curl);
	stats_add(t->stats, bytes_fetched, s->size);
	transport_slot_drop(t, s);
	s->request = NULL;
	s->rival = NULL;
}

/* "http://host:port" of a URL, lower case; NULL: it has none. */
static char *origin_of(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		origin = io_format("%s://%s:%s", scheme, host, port);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return origin;
}

/* True: the attempt goes on elsewhere. Else what is wrong is in error. */
static bool follow(struct transport *t, struct transport_slot *s)
{
	const struct transport_mirror *m = &t->mirrors[s->route.mirror];
	_cleanup_free_ char *ours = origin_of(m->url), *theirs = NULL, *target = NULL;
	char *location = NULL;

	curl_easy_getinfo(s->curl, CURLINFO_REDIRECT_URL, &location);
	if (!location || (strncasecmp(location, "http://", 7) != 0 && strncasecmp(location, "https://", 8) != 0)) {
		snprintf(s->error, sizeof(s->error), "%.160s/%.80s: a redirect to nowhere", m->url, s->request->path);
		return false;
	}
	theirs = origin_of(location);
	target = strdup(location);
	if (s->redirects == MAX_REDIRECTS || !ours || !theirs || !target) {
		snprintf(s->error, sizeof(s->error), "%.120s/%.80s: more than %d redirects, the last to %.60s", m->url, s->request->path, MAX_REDIRECTS,
			 theirs ? theirs : "nowhere");
		return false;
	}
	s->redirects++;
	discard_body(s);
	s->junk = 0;
	s->first_byte = s->last_byte = 0;
	curl_multi_remove_handle(t->multi, s->curl);
	if (send_to(t, s, target, strcasecmp(ours, theirs) == 0) == 0)
		return true;
	snprintf(s->error, sizeof(s->error), "%.120s/%.80s: cannot follow a redirect to %.60s", m->url, s->request->path, theirs);
	return false;
}

/* No file of a repository begins with <: packs have a magic number, signed texts begin with a word. */
static bool looks_like_html(const struct transport_slot *s)
{
	size_t at = s->size >= 3 && memcmp(s->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (at < s->size && memchr(" \t\r\n", s->data[at], 4))
		at++;
	return at + 1 < s->size && s->data[at] == '<' && (memchr("!?", s->data[at + 1], 2) || isalpha((unsigned char)s->data[at + 1]));
}

static bool is_called_html(const struct transport_slot *s)
{
	char *type = NULL;

	curl_easy_getinfo(s->curl, CURLINFO_CONTENT_TYPE, &type);
	return type && (strncasecmp(type, "text/html", 9) == 0 || strncasecmp(type, "application/xhtml", 17) == 0);
}

static const char *encoding_of(const struct transport_slot *s)
{
	struct curl_header *h;

	if (curl_easy_header(s->curl, "Content-Encoding", 0, CURLH_HEADER, -1, &h) != CURLHE_OK || strcasecmp(h->value, "identity") == 0)
		return NULL;
	return h->value;
}

/* It goes into one line of a log: some TLS libraries end their messages with a line feed, and a server may send anything. */
static void make_printable(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
		text[--n] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

/* What only looks like an answer of the server. Fills what, and returns true. */
static bool is_foreign(const struct transport_slot *s, bool wrong_size, char what[200])
{
	const char *encoding = encoding_of(s);
	_cleanup_free_ char *origin = NULL;
	char *url = NULL;

	if (looks_like_html(s) || (wrong_size && is_called_html(s))) {
		curl_easy_getinfo(s->curl, CURLINFO_EFFECTIVE_URL, &url);
		origin = s->redirects && url ? origin_of(url) : NULL;
		snprintf(what, 200, "an HTML page instead of the file%s%.80s: a captive portal, or a server's page for errors", origin ? ", from " : "",
			 origin ? origin : "");
		return true;
	}
	if (!encoding)
		return false;
	snprintf(what, 200, "Content-Encoding '%.20s', which nobody asked for", encoding);
	return true;
}

static errint_t meaning_of(const struct transport_slot *s, CURLcode code, long status)
{
	if (s->too_large || code == CURLE_PARTIAL_FILE)
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

static void explain(const struct transport *t, struct transport_slot *s, CURLcode code, long status)
{
	char what[200];
	const char *proxy = s->route.proxy >= 0 ? t->proxies.proxies[s->route.proxy].url : "";

	if (s->result == -EMSGSIZE)
		snprintf(what, sizeof(what), "the body has not the expected size");
	else if (code == CURLE_HTTP_RETURNED_ERROR && status == 511)
		snprintf(what, sizeof(what), "HTTP status 511: the network wants a login (a captive portal)");
	else if (code == CURLE_HTTP_RETURNED_ERROR)
		snprintf(what, sizeof(what), "HTTP status %ld", status);
	else if (code == CURLE_FILE_COULDNT_READ_FILE)
		snprintf(what, sizeof(what), "no such file");
	else
		snprintf(what, sizeof(what), "%.190s", s->curl_error[0] ? s->curl_error : curl_easy_strerror(code));
	snprintf(s->error, sizeof(s->error), "%.100s/%.80s: %.100s%s%.60s%s", t->mirrors[s->route.mirror].url, s->request->path, what,
		 *proxy ? " (through the proxy " : "", proxy, *proxy ? ")" : "");
}

/* Did it get no further than the proxy? */
static bool blames_proxy(const struct transport *t, const struct transport_slot *s, CURLcode code, long status)
{
	if (s->route.proxy < 0 || !*t->proxies.proxies[s->route.proxy].url)
		return false;
	return code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY || code == CURLE_COULDNT_CONNECT || status == 407;
}

static void measure(struct transport_slot *s)
{
	curl_off_t sent = 0, first = 0, retry = 0, took = 0;

	curl_easy_getinfo(s->curl, CURLINFO_PRETRANSFER_TIME_T, &sent);
	curl_easy_getinfo(s->curl, CURLINFO_STARTTRANSFER_TIME_T, &first);
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &retry);
	curl_easy_getinfo(s->curl, CURLINFO_TOTAL_TIME_T, &took);
	s->took = (int64_t)took * 1000;
	s->latency = first > sent ? (int64_t)(first - sent) * 1000 : 0;
	s->retry_after = MIN((int64_t)retry, INT64_C(86400)) * NS_PER_SECOND;
}

bool transport_curl_end(struct transport *t, struct transport_slot *s, CURLcode code)
{
	const struct transport_request *r = s->request;
	char what[200];
	bool wrong_size;
	long status = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)) {
		if (follow(t, s))
			return false;
		s->result = -EIO;
	} else {
		measure(s);
		wrong_size = s->too_large || s->size < r->min_size;
		s->result = meaning_of(s, code, status);
		/* Of HTTP only 200 brings a whole file. */
		if (s->result == 0 && is_http(t, s) && status != 200) {
			code = CURLE_HTTP_RETURNED_ERROR;
			s->result = -EIO;
		}
		if (s->result == 0 && wrong_size)
			s->result = -EMSGSIZE;
		s->by_proxy = s->result < 0 && blames_proxy(t, s, code, status);
		if (s->result < 0)
			explain(t, s, code, status);
		if (is_http(t, s) && status == 200 && (s->result == 0 || wrong_size) && is_foreign(s, wrong_size, what)) {
			s->result = -EIO;
			snprintf(s->error, sizeof(s->error), "%.100s/%.80s: %.130s", t->mirrors[s->route.mirror].url, r->path, what);
		}
	}
	make_printable(s->error);
	curl_multi_remove_handle(t->multi, s->curl);
	stats_add(t->stats, bytes_fetched, s->size);
	s->request = NULL;
	return true;
}
