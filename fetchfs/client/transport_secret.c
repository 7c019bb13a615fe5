/* SPDX-License-Identifier: MIT */
/* Credentials, headers and private files; see transport_secret.h. */
#include "fetchfs/client/transport_secret.h"
#include "common/io.h"
#include "fetchfs/client/broker.h"

#include <sodium.h>
#include <strings.h>
#include <sys/stat.h>

#define LINE_MAX_SIZE 8192

/* A request would break with these, or they belong to the connection. */
static const char *const reserved[] = { "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "range", "expect",
					"accept-encoding", "keep-alive", "proxy-connection", "proxy-authorization", "if-range" };

/* Where user and password of a URL begin and end (at the @). False: there are none. */
static bool find_user(const char *url, const char **ret_begin, const char **ret_end)
{
	const char *begin = strstr(url, "://"), *at = NULL;

	if (!begin)
		return false;
	begin += 3;
	for (const char *p = begin; *p && !strchr("/?#", *p); p++)
		if (*p == '@')
			at = p;
	if (!at)
		return false;
	*ret_begin = begin;
	*ret_end = at;
	return true;
}

errint_t secret_split_url(const char *url, char **ret_url, char **ret_user)
{
	const char *begin, *end;

	*ret_user = NULL;
	if (!find_user(url, &begin, &end)) {
		*ret_url = strdup(url);
		return *ret_url ? 0 : -ENOMEM;
	}
	*ret_url = io_format("%.*s%s", (int)(begin - url), url, end + 1);
	*ret_user = strndup(begin, (size_t)(end - begin));
	if (*ret_url && *ret_user)
		return 0;
	free(*ret_url);
	secret_free(*ret_user);
	*ret_url = *ret_user = NULL;
	return -ENOMEM;
}

void secret_hide(char *text)
{
	const char *begin, *end;

	/* One URL, of which every character may stand in a password. */
	if (find_user(text, &begin, &end))
		memset(text + (begin - text), 'x', (size_t)(end - begin));
	/* A list of options or proxies, where schemes may be missing. */
	for (char *at = strchr(text, '@'); at; at = strchr(at + 1, '@'))
		for (char *p = at; p > text && !strchr("/|;,", p[-1]); p--)
			p[-1] = 'x';
}

void secret_free(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

static errint_t check_private(const char *path, const struct stat *st, char ret_error[SECRET_ERROR_SIZE])
{
	if (st->st_mode & 077) {
		snprintf(ret_error, SECRET_ERROR_SIZE, "%.120s holds a secret, and others than its owner may use it (mode %04o): chmod 600 it", path,
			 (unsigned)st->st_mode & 07777);
		return -EPERM;
	}
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		snprintf(ret_error, SECRET_ERROR_SIZE, "%.120s holds a secret, and belongs to another user (%u): chown it", path, (unsigned)st->st_uid);
		return -EPERM;
	}
	return 0;
}

errint_t secret_read_file(const char *path, bool private, char **ret, size_t *ret_size, char ret_error[SECRET_ERROR_SIZE])
{
	/* A FIFO without a writer would hang here. */
	_cleanup_close_ int fd = broker_open(path);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		errint_t r = fd < 0 ? fd : -errno;
		snprintf(ret_error, SECRET_ERROR_SIZE, "cannot read %.120s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)(4 * MIB) || (private && st.st_size > (off_t)SECRET_FILE_MAX)) {
		snprintf(ret_error, SECRET_ERROR_SIZE, "cannot use %.120s: %s", path, S_ISREG(st.st_mode) ? "it is too large" : "not a file");
		return -EINVAL;
	}
	if (private) {
		errint_t r = check_private(path, &st, ret_error);
		if (r < 0)
			return r;
	}
	*ret = malloc((size_t)st.st_size + 1);
	if (!*ret)
		return -ENOMEM;
	n = io_pread_full(fd, *ret, (size_t)st.st_size, 0);
	if (n < 0) {
		snprintf(ret_error, SECRET_ERROR_SIZE, "cannot read %.120s: %s", path, strerror((int)-n));
		free(*ret);
		*ret = NULL;
		return (errint_t)n;
	}
	(*ret)[n] = '\0';
	*ret_size = (size_t)n;
	return 0;
}

static errint_t authorization_basic(const char *pair, char **ret)
{
	size_t length = strlen(pair), size = sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL);
	_cleanup_free_ char *encoded = malloc(size);

	if (!encoded)
		return -ENOMEM;
	sodium_bin2base64(encoded, size, (const unsigned char *)pair, length, sodium_base64_VARIANT_ORIGINAL);
	*ret = io_format("Authorization: Basic %s", encoded);
	sodium_memzero(encoded, size);
	return *ret ? 0 : -ENOMEM;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

errint_t secret_parse_credentials(const char *text, size_t size, char **ret, char ret_error[SECRET_ERROR_SIZE])
{
	size_t length = size;
	bool good, has_colon = false, has_space = false;
	errint_t r = 0;
	char *line;

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	good = length > 0 && length <= LINE_MAX_SIZE && text[0] != ':';
	for (size_t i = 0; good && i < length; i++) {
		good = !is_control(text[i]);
		has_colon |= text[i] == ':';
		has_space |= text[i] == ' ';
	}
	if (!good || (!has_colon && has_space)) {
		snprintf(ret_error, SECRET_ERROR_SIZE, "expected one line, either a token without spaces or USER:PASSWORD");
		return -EINVAL;
	}
	line = strndup(text, length);
	if (!line)
		return -ENOMEM;
	if (has_colon)
		r = authorization_basic(line, ret);
	else if (!(*ret = io_format("Authorization: Bearer %s", line)))
		r = -ENOMEM;
	secret_free(line);
	return r;
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void secret_unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p;) {
		int high = *p == '%' ? hex_value(p[1]) : -1, low = high >= 0 ? hex_value(p[2]) : -1;
		if (low >= 0 && (high || low)) {
			*to++ = (char)(high << 4 | low);
			p += 3;
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
}

errint_t secret_from_url(const char *user, char **ret)
{
	char *pair = strchr(user, ':') ? strdup(user) : io_format("%s:", user);
	errint_t r;

	if (!pair)
		return -ENOMEM;
	secret_unescape(pair);
	r = authorization_basic(pair, ret);
	secret_free(pair);
	return r;
}

/* RFC 9110, 5.6.2: token. */
static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *header_fault(const char *line, size_t length)
{
	size_t name = 0;

	while (name < length && is_token(line[name]))
		name++;
	if (name == 0 || name == length || line[name] != ':')
		return "expected 'Name: value'";
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strlen(reserved[i]) == name && strncasecmp(reserved[i], line, name) == 0)
			return "this header is the connection's own and cannot be set";
	if (length > LINE_MAX_SIZE)
		return "too long";
	for (size_t i = name; i < length; i++)
		if (is_control(line[i]) && line[i] != '\t')
			return "a control character";
	/* curl takes a header without a value for one that is to be left out. */
	for (name++; name < length; name++)
		if (line[name] != ' ' && line[name] != '\t')
			return NULL;
	return "the value is missing";
}

errint_t secret_parse_headers(const char *text, size_t size, struct secret_headers *ret, char ret_error[SECRET_ERROR_SIZE])
{
	unsigned number = 1;

	memset(ret, 0, sizeof(*ret));
	for (const char *p = text, *end = text + size; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *next = newline ? newline + 1 : end;
		size_t length = (size_t)((newline ? newline : end) - p);
		const char *fault;
		if (length > 0 && p[length - 1] == '\r')
			length--;
		if (length > 0 && *p != '#') {
			fault = header_fault(p, length);
			if (!fault && ret->count == SECRET_MAX_HEADERS)
				fault = "too many headers";
			if (fault) {
				snprintf(ret_error, SECRET_ERROR_SIZE, "line %u: %s", number, fault);
				secret_headers_done(ret);
				return -EINVAL;
			}
			ret->lines[ret->count] = strndup(p, length);
			if (!ret->lines[ret->count]) {
				secret_headers_done(ret);
				return -ENOMEM;
			}
			ret->count++;
		}
		p = next;
	}
	return 0;
}

void secret_headers_done(struct secret_headers *h)
{
	while (h->count > 0)
		secret_free(h->lines[--h->count]);
}
