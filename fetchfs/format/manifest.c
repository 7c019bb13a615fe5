/* SPDX-License-Identifier: MIT */
/* The manifest's text; see manifest.h. Parses verified text; who signed it and when it expires is trust.c's affair. */
#include "fetchfs/format/manifest.h"
#include "fetchfs/format/object.h"
#include "fetchfs/format/text.h"

enum manifest_key { KEY_NAME, KEY_REVISION, KEY_TIME, KEY_EXPIRES, KEY_KEYRING, KEY_ROOT, KEY_INODES, KEY_BYTES, KEY_TAG, KEY_PROFILE, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = { "name", "revision", "time", "expires", "keyring", "root", "inodes", "bytes", "tag",
	"profile" };

#define ALL_REQUIRED ((1u << KEY_TAG) - 1)

/* "b2-<hex> STORED SIZE" */
static errint_t parse_object(struct text_line *l, struct manifest_root *ret)
{
	const char *word;
	size_t length;
	uint64_t stored, size;

	if (text_word(l, &word, &length) < 0 || digest_from_text(word, length, &ret->digest) < 0)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_number(word, length, &stored) < 0)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_number(word, length, &size) < 0)
		return -EBADMSG;
	/* Compression never doubles anything, so a greater stored size is nonsense. */
	if (size > OBJECT_MAX_SIZE || stored > 2 * OBJECT_MAX_SIZE)
		return -EBADMSG;
	ret->stored_size = (uint32_t)stored;
	ret->size = (uint32_t)size;
	return 0;
}

/* To the end of the value. */
static errint_t parse_root(struct text_line *l, struct manifest_root *ret)
{
	errint_t r = parse_object(l, ret);

	return r == 0 && l->value_length > 0 ? -EBADMSG : r;
}

/* Makes room for one more where count is a power of two, or 0. */
static errint_t grow(void **array, size_t count, size_t size)
{
	void *larger;

	if (count & (count - 1))
		return 0;
	larger = realloc(*array, (count ? 2 * count : 1) * size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

static errint_t parse_tag(struct manifest *m, struct text_line *l)
{
	struct manifest_tag t = { .name = "" };
	const char *word;
	size_t length;

	if (m->tag_count == MANIFEST_MAX_TAGS)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_name(word, length, t.name) < 0)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_number(word, length, &t.revision) < 0 || t.revision == 0)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_time(word, length, &t.time) < 0 || parse_root(l, &t.root) < 0)
		return -EBADMSG;
	if (m->tag_count > 0 && strcmp(m->tags[m->tag_count - 1].name, t.name) >= 0)
		return -EBADMSG;
	if (grow((void **)&m->tags, m->tag_count, sizeof(t)) < 0)
		return -ENOMEM;
	m->tags[m->tag_count++] = t;
	return 0;
}

static errint_t parse_profile(struct manifest *m, struct text_line *l)
{
	struct manifest_profile p = { .name = "" };
	const char *word;
	size_t length;

	if (m->profile_count == MANIFEST_MAX_PROFILES)
		return -EBADMSG;
	if (text_word(l, &word, &length) < 0 || text_name(word, length, p.name) < 0 || parse_object(l, &p.list) < 0 ||
	    parse_root(l, &p.recording) < 0)
		return -EBADMSG;
	if (m->profile_count > 0 && strcmp(m->profiles[m->profile_count - 1].name, p.name) >= 0)
		return -EBADMSG;
	if (grow((void **)&m->profiles, m->profile_count, sizeof(p)) < 0)
		return -ENOMEM;
	m->profiles[m->profile_count++] = p;
	return 0;
}

static errint_t parse_value(struct manifest *m, enum manifest_key key, struct text_line *l)
{
	switch (key) {
	case KEY_NAME:
		return text_name(l->value, l->value_length, m->name);
	case KEY_REVISION:
		return text_value_number(l, &m->revision);
	case KEY_TIME:
		return text_value_time(l, &m->time);
	case KEY_EXPIRES:
		return text_value_time(l, &m->expires);
	case KEY_KEYRING:
		return text_value_number(l, &m->keyring_serial);
	case KEY_ROOT:
		return parse_root(l, &m->root);
	case KEY_INODES:
		return text_value_number(l, &m->inodes);
	case KEY_BYTES:
		return text_value_number(l, &m->bytes);
	case KEY_TAG:
		return parse_tag(m, l);
	case KEY_PROFILE:
		return parse_profile(m, l);
	default:
		return 0;	/* unknown keys are for later readers */
	}
}

static errint_t parse_line(struct manifest *m, struct text_line *l, unsigned *seen)
{
	unsigned key = 0;

	while (key < KEY_COUNT && !text_key_is(l, key_names[key]))
		key++;
	if (key < KEY_TAG && text_once(seen, key) < 0)
		return -EBADMSG;
	return parse_value(m, (enum manifest_key)key, l);
}

static errint_t parse_version(struct text_cursor *c)
{
	struct text_line l;
	uint64_t version;

	if (text_next(c, &l) < 0 || !text_key_is(&l, "spore-manifest") || text_value_number(&l, &version) < 0 || version == 0)
		return -EBADMSG;
	return version == 1 ? 0 : -EPROTONOSUPPORT;
}

static errint_t parse_all(struct text_cursor *c, struct manifest *m)
{
	struct text_line l;
	unsigned seen = 0;
	errint_t r = parse_version(c);

	while (r == 0) {
		r = text_next(c, &l);
		if (r == 0)
			r = parse_line(m, &l, &seen);
	}
	if (r != -ENODATA)
		return r;
	return seen == ALL_REQUIRED && m->revision > 0 ? 0 : -EBADMSG;
}

errint_t manifest_parse(const char *text, size_t size, struct manifest *ret, unsigned *ret_line)
{
	struct text_cursor c = { .at = text, .end = text + size };
	errint_t r;

	*ret = (struct manifest){ .name = "" };
	r = size <= MANIFEST_MAX_SIZE ? parse_all(&c, ret) : -EBADMSG;
	if (ret_line)
		*ret_line = c.line;
	if (r < 0)
		manifest_done(ret);
	return r;
}

void manifest_done(struct manifest *m)
{
	free(steal_ptr(m->tags));
	free(steal_ptr(m->profiles));
	m->tag_count = m->profile_count = 0;
}

static void print_object(FILE *f, const struct manifest_root *root, char end)
{
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(&root->digest, text);
	fprintf(f, "%s %lu %lu%c", text, (unsigned long)root->stored_size, (unsigned long)root->size, end);
}

errint_t manifest_format(const struct manifest *m, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "spore-manifest: 1\nname: %s\nrevision: %llu\ntime: %lld\nexpires: %lld\nkeyring: %llu\nroot: ", m->name,
		(unsigned long long)m->revision, (long long)m->time, (long long)m->expires, (unsigned long long)m->keyring_serial);
	print_object(f, &m->root, '\n');
	fprintf(f, "inodes: %llu\nbytes: %llu\n", (unsigned long long)m->inodes, (unsigned long long)m->bytes);
	for (size_t i = 0; i < m->tag_count; i++) {
		const struct manifest_tag *t = &m->tags[i];
		fprintf(f, "tag: %s %llu %lld ", t->name, (unsigned long long)t->revision, (long long)t->time);
		print_object(f, &t->root, '\n');
	}
	for (size_t i = 0; i < m->profile_count; i++) {
		fprintf(f, "profile: %s ", m->profiles[i].name);
		print_object(f, &m->profiles[i].list, ' ');
		print_object(f, &m->profiles[i].recording, '\n');
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	if (*ret_size > MANIFEST_MAX_SIZE)
		return -EFBIG;
	*ret_text = steal_ptr(text);
	return 0;
}

const struct manifest_tag *manifest_find_tag(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->tag_count; i++)
		if (strcmp(m->tags[i].name, name) == 0)
			return &m->tags[i];
	return NULL;
}

const struct manifest_profile *manifest_find_profile(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->profile_count; i++)
		if (strcmp(m->profiles[i].name, name) == 0)
			return &m->profiles[i];
	return NULL;
}
