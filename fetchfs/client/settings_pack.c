/* SPDX-License-Identifier: MIT */
/* See settings_pack.h. A record: u32 length of the name, u32 size of the value, both. */
#include "fetchfs/client/settings_pack.h"
#include "common/io.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NAME_MAX_SIZE 64

enum kind { TEXT, OWNED_TEXT, BYTES };

/* What is not a list. Fixed-size members go as they are: both ends are of one machine. */
static const struct member {
	const char *name;
	enum kind kind;
	size_t offset, size;
} members[] = {
#define M(member) { #member, BYTES, offsetof(struct settings, member), sizeof(((struct settings *)0)->member) }
#define O(member) { #member, OWNED_TEXT, offsetof(struct settings, member), sizeof(char *) }
#define T(member) { #member, TEXT, offsetof(struct settings, member), sizeof(char *) }
	T(mountpoint), O(cache), M(in_memory), O(lower), M(quota), M(quota_percent), M(free), M(free_percent), M(no_free), M(verify), M(scrub), O(proxy), T(tag),
	T(ca_file), T(cert_file), T(key_file), T(credentials_file), T(headers_file), M(limits), T(profile), O(record), M(prefetch), M(prefetch_rate),
	M(has_prefetch), M(timeout), M(mount_timeout), M(parallel), M(memory), T(control), T(metrics), M(log), M(log_level), M(revision), M(date), M(follow), M(pin),
	T(pin_file), M(ttl), M(foreground), M(root), M(passthrough), M(opens), M(no_splice),
#undef M
#undef O
#undef T
};

static void put(FILE *f, const char *name, const void *value, size_t size)
{
	uint32_t head[2] = { (uint32_t)strlen(name), (uint32_t)size };

	fwrite(head, sizeof(head), 1, f);
	fwrite(name, head[0], 1, f);
	fwrite(value, 1, size, f);
}

static void put_text(FILE *f, const char *name, const char *text)
{
	if (text)
		put(f, name, text, strlen(text));
}

/* The daemon leaves the working directory. */
static void put_url(FILE *f, const char *url)
{
	_cleanup_free_ char *here = *url == '/' || strstr(url, "://") ? NULL : getcwd(NULL, 0);
	_cleanup_free_ char *path = here ? io_format("%s/%s", here, url) : NULL;

	put_text(f, "url", path ? path : url);
}

static void put_all(FILE *f, const struct settings *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct member *m = &members[i];
		const char *place = (const char *)s + m->offset;
		if (m->kind != BYTES)
			put_text(f, m->name, *(const char *const *)(const void *)place);
		else
			put(f, m->name, place, m->size);
	}
	for (size_t i = 0; i < s->url_count; i++)
		put_url(f, s->secret_urls[i]);
	for (size_t i = 0; i < s->key_count; i++)
		put(f, "root-key", &s->keys[i], sizeof(s->keys[i]));
}

errint_t settings_pack(const struct settings *s, int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("fetchfs-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	errint_t r = 0;

	if (fd < 0 || !f)
		r = -errno;
	else
		put_all(f, s);
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = io_write_full(fd, text, size);
	if (text)
		sodium_memzero(text, size);
	free(text);
	/* A worker that was taken over says nothing to the next one by it. */
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static errint_t take_url(struct settings *s, const char *value, size_t size)
{
	_cleanup_free_ char *url = strndup(value, size);

	/* It has no message to give where this worked before, save that memory is out. */
	return url && settings_add_url(s, url) == 0 ? 0 : -ENOMEM;
}

/* Texts that belong to nobody else are kept with the lists that -o brought. */
static errint_t take_text(struct settings *s, const char *value, size_t size, bool owned, char **place)
{
	char *text = strndup(value, size);

	if (!text || (!owned && s->text_count == SETTINGS_MAX_LISTS)) {
		free(text);
		return -ENOMEM;
	}
	if (!owned)
		s->texts[s->text_count++] = text;
	*place = text;
	return 0;
}

static errint_t take(struct settings *s, const char *name, const char *value, size_t size)
{
	if (strcmp(name, "url") == 0)
		return take_url(s, value, size);
	if (strcmp(name, "root-key") == 0) {
		if (size != sizeof(s->keys[0]) || s->key_count == SETTINGS_MAX_KEYS)
			return -EBADMSG;
		memcpy(&s->keys[s->key_count++], value, size);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct member *m = &members[i];
		char *place = (char *)s + m->offset;
		if (strcmp(m->name, name) != 0)
			continue;
		if (m->kind != BYTES)
			return take_text(s, value, size, m->kind == OWNED_TEXT, (char **)(void *)place);
		if (m->size != size)
			return -EBADMSG;
		memcpy(place, value, size);
	}
	return 0;
}

static errint_t take_all(struct settings *s, const char *at, size_t left)
{
	while (left > 0) {
		char name[NAME_MAX_SIZE];
		uint32_t head[2];
		errint_t r;
		if (left < sizeof(head))
			return -EBADMSG;
		memcpy(head, at, sizeof(head));
		at += sizeof(head);
		left -= sizeof(head);
		if (head[0] >= sizeof(name) || head[0] > left || head[1] > left - head[0])
			return -EBADMSG;
		memcpy(name, at, head[0]);
		name[head[0]] = '\0';
		r = take(s, name, at + head[0], head[1]);
		if (r < 0)
			return r;
		at += head[0] + head[1];
		left -= head[0] + head[1];
	}
	return 0;
}

errint_t settings_unpack(int fd, struct settings *s)
{
	struct stat st;
	char *text;
	errint_t r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > (off_t)SETTINGS_PACK_MAX)
		return -EBADMSG;
	text = malloc((size_t)st.st_size);
	if (!text)
		return -ENOMEM;
	r = io_pread_full(fd, text, (size_t)st.st_size, 0) == st.st_size ? take_all(s, text, (size_t)st.st_size) : -EIO;
	sodium_memzero(text, (size_t)st.st_size);
	free(text);
	if (r == 0 && (s->url_count == 0 || s->key_count == 0 || !s->mountpoint))
		r = -EBADMSG;
	return r;
}
