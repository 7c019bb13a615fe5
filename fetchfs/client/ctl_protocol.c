/* SPDX-License-Identifier: MIT */
/* The lines of the control protocol; see ctl_protocol.h and docs/format-ctl.md. */
#include "fetchfs/client/ctl_protocol.h"
#include "common/message.h"

static const char *const kinds[] = { [CTL_JSON] = "json", [CTL_TEXT] = "text", [CTL_ERROR] = "error" };

/* Each call cuts the next word off; NULL at the end, or where there is none between two blanks. */
static char *next_word(char **rest)
{
	char *word = *rest, *end;

	if (!word || *word == '\0' || *word == ' ')
		return NULL;
	end = strchr(word, ' ');
	if (end)
		*end++ = '\0';
	*rest = end;
	return word;
}

static bool is_verb(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= CTL_VERB_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz-") == size;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* %XX to bytes, in place. */
static errint_t decode(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		int high, low;
		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		high = hex_digit(p[1]);
		low = high < 0 ? -1 : hex_digit(p[2]);
		if (low < 0 || high + low == 0)
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		p += 2;
	}
	*to = '\0';
	return 0;
}

/* "fetchfs-ctl" and the version, which both lines begin with. */
static errint_t parse_greeting(char **rest)
{
	const char *name = next_word(rest), *version = name ? next_word(rest) : NULL;
	uint64_t number;

	if (!version || strcmp(name, CTL_NAME) != 0 || parse_number(version, 0, UINT32_MAX, &number) < 0)
		return -EINVAL;
	return number == CTL_VERSION ? 0 : -EPROTONOSUPPORT;
}

errint_t ctl_request_parse(char *line, size_t size, struct ctl_request *ret)
{
	char *rest = line;
	errint_t r;

	memset(ret, 0, sizeof(*ret));
	line[size] = '\0';
	for (size_t i = 0; i < size; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			return -EINVAL;
	r = parse_greeting(&rest);
	if (r < 0)
		return r;
	ret->verb = next_word(&rest);
	if (!ret->verb || !is_verb(ret->verb))
		return -EINVAL;
	while (rest) {
		char *word = next_word(&rest);
		if (!word)
			return -EINVAL;
		if (ret->count == CTL_ARGUMENTS_MAX)
			return -E2BIG;
		r = decode(word);
		if (r < 0)
			return r;
		ret->arguments[ret->count++] = word;
	}
	return 0;
}

static size_t encode(const char *text, char *to)
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x21 || c > 0x7e || c == '%')
			used += (size_t)sprintf(to + used, "%%%02x", c);
		else
			to[used++] = (char)c;
	}
	return used;
}

errint_t ctl_request_format(const char *verb, size_t count, char *const *arguments, char **ret)
{
	size_t used, room = CTL_REQUEST_MAX;
	char *line;

	if (!is_verb(verb))
		return -EINVAL;
	if (count > CTL_ARGUMENTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		if (!*arguments[i])
			return -EINVAL;
		room += 3 * strlen(arguments[i]) + 1;
	}
	line = malloc(room);
	if (!line)
		return -ENOMEM;
	used = (size_t)sprintf(line, CTL_NAME " %d %s", CTL_VERSION, verb);
	for (size_t i = 0; i < count; i++) {
		line[used++] = ' ';
		used += encode(arguments[i], line + used);
	}
	line[used++] = '\n';
	line[used] = '\0';
	if (used > CTL_REQUEST_MAX) {
		free(line);
		return -EMSGSIZE;
	}
	*ret = line;
	return 0;
}

size_t ctl_head_format(enum ctl_kind kind, size_t body_size, char ret[CTL_HEAD_MAX])
{
	return (size_t)snprintf(ret, CTL_HEAD_MAX, CTL_NAME " %d %s %zu\n", CTL_VERSION, kinds[kind], body_size);
}

errint_t ctl_head_parse(const char *line, size_t size, enum ctl_kind *ret_kind, size_t *ret_body_size)
{
	char copy[CTL_HEAD_MAX], *rest = copy, *kind, *length;
	uint64_t number;
	errint_t r;

	if (size >= sizeof(copy) || memchr(line, '\0', size))
		return -EINVAL;
	memcpy(copy, line, size);
	copy[size] = '\0';
	r = parse_greeting(&rest);
	if (r < 0)
		return r;
	kind = next_word(&rest);
	length = kind ? next_word(&rest) : NULL;
	if (!length || rest || parse_number(length, 0, UINT32_MAX, &number) < 0)
		return -EINVAL;
	if (number > CTL_BODY_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0) {
			*ret_kind = (enum ctl_kind)i;
			*ret_body_size = (size_t)number;
			return 0;
		}
	}
	return -EINVAL;
}

/* The empty line that ends a request's head. */
static bool has_end(const char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		if (text[i] == '\n' && (text[i + 1] == '\n' || (text[i + 1] == '\r' && i + 2 < size && text[i + 2] == '\n')))
			return true;
	return false;
}

void ctl_http_parse(const char *request, size_t size, struct ctl_http *ret)
{
	const char *end = memchr(request, '\n', size);
	char line[256], *rest = line, *method, *path, *version;
	size_t length;

	*ret = (struct ctl_http){ .status = 400 };
	ret->complete = has_end(request, size) || size >= CTL_HTTP_MAX;
	if (!ret->complete)
		return;
	length = end ? (size_t)(end - request) : size;
	if (length > 0 && request[length - 1] == '\r')
		length--;
	if (length >= sizeof(line) || memchr(request, '\0', length) || !has_end(request, size))
		return;
	memcpy(line, request, length);
	line[length] = '\0';
	method = next_word(&rest);
	path = method ? next_word(&rest) : NULL;
	version = path ? next_word(&rest) : NULL;
	if (!version || rest || strncmp(version, "HTTP/1.", 7) != 0 || *path != '/')
		return;
	ret->head = strcmp(method, "HEAD") == 0;
	path[strcspn(path, "?")] = '\0';
	if (!ret->head && strcmp(method, "GET") != 0)
		ret->status = 405;
	else
		ret->status = strcmp(path, "/metrics") == 0 ? 200 : 404;
}
