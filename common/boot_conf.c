/* SPDX-License-Identifier: MIT */
/*
 * The parser of spore/boot.conf; see boot_conf.h. Freestanding: what looks like a C library function is done by hand here, since the firmware has none.
 */
#include "common/boot_conf.h"

struct parser {
	const char *text;
	size_t size;
	struct boot_conf *conf;
	struct boot_conf_text default_name;
	bool have_timeout;
	uint32_t line;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool equal(const struct parser *p, struct boot_conf_text t, const char *word)
{
	uint32_t i = 0;

	while (i < t.size && word[i] && p->text[t.offset + i] == word[i])
		i++;
	return i == t.size && word[i] == '\0';
}

static bool same(const struct parser *p, struct boot_conf_text a, struct boot_conf_text b)
{
	if (a.size != b.size)
		return false;
	for (uint32_t i = 0; i < a.size; i++)
		if (p->text[a.offset + i] != p->text[b.offset + i])
			return false;
	return true;
}

static enum boot_conf_error check_name(const struct parser *p, struct boot_conf_text t)
{
	if (t.size > BOOT_CONF_MAX_NAME)
		return BOOT_CONF_E_NAME;
	for (uint32_t i = 0; i < t.size; i++) {
		char c = p->text[t.offset + i];
		bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
		if (!known)
			return BOOT_CONF_E_NAME;
	}
	return BOOT_CONF_OK;
}

/* No component may be ".."; none of the characters may be one that a FAT name cannot hold. */
static enum boot_conf_error check_path(const struct parser *p, struct boot_conf_text t)
{
	static const char forbidden[] = "\\:*?\"<>|";
	const char *s = p->text + t.offset;

	if (t.size < 2 || t.size > BOOT_CONF_MAX_PATH || s[0] != '/')
		return BOOT_CONF_E_PATH;
	for (uint32_t i = 0; i < t.size; i++) {
		for (const char *f = forbidden; *f; f++)
			if (s[i] == *f)
				return BOOT_CONF_E_PATH;
		if (s[i] != '/')
			continue;
		if (i + 1 == t.size || s[i + 1] == '/')
			return BOOT_CONF_E_PATH;
		if (i + 2 < t.size && s[i + 1] == '.' && s[i + 2] == '.' && (i + 3 == t.size || s[i + 3] == '/'))
			return BOOT_CONF_E_PATH;
	}
	return BOOT_CONF_OK;
}

static enum boot_conf_error set_timeout(struct parser *p, struct boot_conf_text t)
{
	uint32_t value = 0;

	if (p->have_timeout)
		return BOOT_CONF_E_REPEATED;
	for (uint32_t i = 0; i < t.size; i++) {
		char c = p->text[t.offset + i];
		if (c < '0' || c > '9')
			return BOOT_CONF_E_NUMBER;
		value = value * 10 + (uint32_t)(c - '0');
		if (value > BOOT_CONF_MAX_TIMEOUT)
			return BOOT_CONF_E_NUMBER;
	}
	p->have_timeout = true;
	p->conf->timeout = value;
	return BOOT_CONF_OK;
}

static enum boot_conf_error set_text(struct boot_conf_text *field, struct boot_conf_text t, uint32_t max)
{
	if (field->size)
		return BOOT_CONF_E_REPEATED;
	if (t.size > max)
		return BOOT_CONF_E_LONG;
	*field = t;
	return BOOT_CONF_OK;
}

/* The entry that ends here must be complete. */
static enum boot_conf_error finish_entry(struct parser *p)
{
	struct boot_conf *c = p->conf;

	if (c->count == 0 || c->entries[c->count - 1].linux_path.size)
		return BOOT_CONF_OK;
	p->line = c->entries[c->count - 1].line;
	return BOOT_CONF_E_NO_LINUX;
}

static enum boot_conf_error begin_entry(struct parser *p, struct boot_conf_text name)
{
	static const struct boot_conf_text none;
	struct boot_conf *c = p->conf;
	enum boot_conf_error e = finish_entry(p);

	if (e == BOOT_CONF_OK)
		e = check_name(p, name);
	if (e != BOOT_CONF_OK)
		return e;
	for (uint32_t i = 0; i < c->count; i++)
		if (same(p, c->entries[i].name, name))
			return BOOT_CONF_E_REPEATED;
	if (c->count == BOOT_CONF_MAX_ENTRIES)
		return BOOT_CONF_E_MANY;
	struct boot_conf_entry *n = &c->entries[c->count++];
	n->name = name;
	n->title = n->linux_path = n->initrd_path = n->options = none;
	n->line = p->line;
	return BOOT_CONF_OK;
}

static enum boot_conf_error entry_key(struct parser *p, struct boot_conf_text key, struct boot_conf_text value, bool *ret_known)
{
	struct boot_conf *c = p->conf;
	bool is_linux = equal(p, key, "linux"), is_initrd = equal(p, key, "initrd");
	bool is_title = equal(p, key, "title"), is_options = equal(p, key, "options");

	*ret_known = is_linux || is_initrd || is_title || is_options;
	if (!*ret_known)
		return BOOT_CONF_OK;
	if (c->count == 0)
		return BOOT_CONF_E_OUTSIDE;
	struct boot_conf_entry *n = &c->entries[c->count - 1];
	if (is_title)
		return set_text(&n->title, value, BOOT_CONF_MAX_TITLE);
	if (is_options)
		return set_text(&n->options, value, BOOT_CONF_MAX_OPTIONS);
	enum boot_conf_error e = check_path(p, value);
	if (e != BOOT_CONF_OK)
		return e;
	return set_text(is_linux ? &n->linux_path : &n->initrd_path, value, BOOT_CONF_MAX_PATH);
}

static enum boot_conf_error parse_key(struct parser *p, struct boot_conf_text key, struct boot_conf_text value)
{
	bool known;
	enum boot_conf_error e;

	/* An empty "options" is what an image without a command line has. */
	if (value.size == 0)
		return equal(p, key, "options") ? BOOT_CONF_OK : BOOT_CONF_E_VALUE;
	if (equal(p, key, "timeout"))
		return set_timeout(p, value);
	if (equal(p, key, "entry"))
		return begin_entry(p, value);
	if (equal(p, key, "default")) {
		e = check_name(p, value);
		return e != BOOT_CONF_OK ? e : set_text(&p->default_name, value, BOOT_CONF_MAX_NAME);
	}
	e = entry_key(p, key, value, &known);
	if (!known && p->conf->ignored++ == 0)
		p->conf->ignored_line = p->line;
	return e;
}

/* text[begin..end) is one line without its end. */
static enum boot_conf_error parse_line(struct parser *p, size_t begin, size_t end)
{
	const char *s = p->text;

	for (size_t i = begin; i < end; i++)
		if (((unsigned char)s[i] < ' ' && !is_blank(s[i])) || s[i] == 0x7f)
			return BOOT_CONF_E_CHARACTER;
	while (begin < end && is_blank(s[begin]))
		begin++;
	while (begin < end && is_blank(s[end - 1]))
		end--;
	if (begin == end || s[begin] == '#')
		return BOOT_CONF_OK;
	size_t key_end = begin;
	while (key_end < end && !is_blank(s[key_end]))
		key_end++;
	size_t value = key_end;
	while (value < end && is_blank(s[value]))
		value++;
	return parse_key(p, (struct boot_conf_text){ (uint32_t)begin, (uint32_t)(key_end - begin) },
			 (struct boot_conf_text){ (uint32_t)value, (uint32_t)(end - value) });
}

static void find_default(struct parser *p)
{
	struct boot_conf *c = p->conf;

	if (p->default_name.size == 0)
		return;
	for (uint32_t i = 0; i < c->count; i++) {
		if (!same(p, c->entries[i].name, p->default_name))
			continue;
		c->default_entry = i;
		return;
	}
	c->default_unknown = true;
}

static enum boot_conf_error parse_all(struct parser *p)
{
	size_t begin = 0;

	/* The byte order mark of editors that write one. */
	if (p->size >= 3 && p->text[0] == '\xef' && p->text[1] == '\xbb' && p->text[2] == '\xbf')
		begin = 3;
	while (begin < p->size) {
		size_t end = begin;
		while (end < p->size && p->text[end] != '\n')
			end++;
		p->line++;
		enum boot_conf_error e = parse_line(p, begin, end);
		if (e != BOOT_CONF_OK)
			return e;
		begin = end + 1;
	}
	return finish_entry(p);
}

enum boot_conf_error boot_conf_parse(const char *text, size_t size, struct boot_conf *ret)
{
	struct parser p = { .text = text, .size = size, .conf = ret };

	ret->timeout = ret->count = ret->default_entry = 0;
	ret->ignored = ret->ignored_line = ret->error_line = 0;
	ret->default_unknown = false;
	if (size > BOOT_CONF_MAX_SIZE)
		return BOOT_CONF_E_SIZE;
	enum boot_conf_error e = parse_all(&p);
	if (e != BOOT_CONF_OK) {
		ret->error_line = p.line;
		return e;
	}
	find_default(&p);
	return ret->count ? BOOT_CONF_OK : BOOT_CONF_E_NO_ENTRY;
}

const char *boot_conf_error_text(enum boot_conf_error e)
{
	switch (e) {
	case BOOT_CONF_OK: return "no error";
	case BOOT_CONF_E_SIZE: return "the file is larger than 16 KiB";
	case BOOT_CONF_E_CHARACTER: return "a control character is in the line";
	case BOOT_CONF_E_VALUE: return "the key has no value";
	case BOOT_CONF_E_NUMBER: return "the timeout is no number from 0 to 3600";
	case BOOT_CONF_E_NAME: return "a name has 1 to 64 letters, digits, '.', '_' or '-'";
	case BOOT_CONF_E_PATH: return "a path begins with '/', has at most 255 bytes, and none of \\ : * ? \" < > | or '..'";
	case BOOT_CONF_E_LONG: return "the text is too long (title: 128 bytes, options: 4096 bytes)";
	case BOOT_CONF_E_OUTSIDE: return "the key stands before the first entry";
	case BOOT_CONF_E_REPEATED: return "it is given twice";
	case BOOT_CONF_E_MANY: return "there are more than 16 entries";
	case BOOT_CONF_E_NO_LINUX: return "the entry has no 'linux' line";
	case BOOT_CONF_E_NO_ENTRY: return "the file has no entry";
	}
	return "unknown error";
}
