/* SPDX-License-Identifier: MIT */
/*
 * Takes user data apart (userdata.h).
 */
#include "contextualize/formats/userdata.h"

#include "contextualize/formats/decode.h"

#include <strings.h>

struct userdata_walk {
	struct userdata *u;
	struct diag_list *diag;
	unsigned depth;
};

static const struct userdata_magic {
	const char *start;
	enum part_kind kind;
	const char *name;
} userdata_magics[] = {
	/* Longer ones before those that they begin with. */
	{ "#cloud-config-archive", PART_UNSUPPORTED, "a #cloud-config-archive" },
	{ "#cloud-config-jsonp", PART_UNSUPPORTED, "a JSON patch (#cloud-config-jsonp)" },
	{ "#cloud-config", PART_CLOUD_CONFIG, "#cloud-config" },
	{ "#cloud-boothook", PART_BOOTHOOK, "#cloud-boothook" },
	{ "#include-once", PART_UNSUPPORTED, "an #include-once list" },
	{ "#include", PART_UNSUPPORTED, "an #include list" },
	{ "#part-handler", PART_UNSUPPORTED, "a #part-handler (Python code for cloud-init)" },
	{ "#upstart-job", PART_UNSUPPORTED, "an #upstart-job" },
	{ "## template: jinja", PART_UNSUPPORTED, "a Jinja template (## template: jinja)" },
	{ "#!", PART_SCRIPT, "a script" },
	{ "<powershell", PART_UNSUPPORTED, "a PowerShell script" },
	{ "rem cmd", PART_UNSUPPORTED, "a Windows batch file" },
	{ "[amiconfig]", PART_UNSUPPORTED, "an amiconfig section ([amiconfig])" },
	{ "[cernvm]", PART_UNSUPPORTED, "an amiconfig section ([cernvm])" },
};

static bool userdata_is_ignition(const char *data, size_t size)
{
	size_t head = MIN(size, (size_t)4096);

	return data[0] == '{' && memmem(data, head, "\"ignition\"", 10) && memmem(data, head, "\"version\"", 9);
}

static const struct userdata_magic *userdata_magic_of(const char *data, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(userdata_magics); i++) {
		const struct userdata_magic *m = &userdata_magics[i];
		size_t n = strlen(m->start);

		if (size >= n && strncasecmp(data, m->start, n) == 0)
			return m;
	}
	return NULL;
}

/* Blank lines and a byte order mark do no harm but before a script, whose first two bytes the kernel reads. */
static size_t userdata_leading(const char *data, size_t size)
{
	size_t i = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < size && (data[i] == '\n' || data[i] == '\r' || data[i] == ' ' || data[i] == '\t'))
		i++;
	return i;
}

enum part_kind userdata_sniff(const char *data, size_t size, const char **ret_name)
{
	size_t skip = userdata_leading(data, size);
	const struct userdata_magic *m;
	struct mime_part mime;
	const char *name = NULL;
	enum part_kind kind = PART_UNKNOWN;

	if (skip == size)
		kind = PART_EMPTY;
	else if (decode_is_gzip(data, size))
		kind = PART_GZIP;
	else if ((m = userdata_magic_of(data + skip, size - skip)))
		kind = m->kind, name = m->name;
	else if (userdata_is_ignition(data + skip, size - skip))
		kind = PART_UNSUPPORTED, name = "an Ignition configuration (for Fedora CoreOS and Flatcar; no cloud-init system reads it)";
	else if (mime_parse_head(data + skip, size - skip, &mime))
		kind = PART_MIME;
	if (ret_name)
		*ret_name = name ? name : part_kind_name(kind);
	return kind;
}

const char *part_kind_name(enum part_kind kind)
{
	static const char *const name[] = {
		[PART_EMPTY] = "empty", [PART_CLOUD_CONFIG] = "cloud-config", [PART_SCRIPT] = "script", [PART_BOOTHOOK] = "boothook",
		[PART_MIME] = "MIME message", [PART_GZIP] = "gzip", [PART_UNSUPPORTED] = "not supported", [PART_UNKNOWN] = "unknown",
	};

	return name[kind];
}

static errint_t userdata_walk_text(struct userdata_walk *w, const char *data, size_t size, const char *type, const char *name, unsigned line);

static bool userdata_charge(struct userdata_walk *w, size_t size)
{
	if (size > USERDATA_MAX_SIZE - w->u->total) {
		diag_add(w->diag, DIAG_ERROR, 0, 0, "more than 16 MiB when unpacked: refused");
		return false;
	}
	w->u->total += size;
	return true;
}

static errint_t userdata_walk_gzip(struct userdata_walk *w, const char *data, size_t size, const char *name)
{
	_cleanup_free_ char *plain = NULL;
	size_t plain_size = 0;
	errint_t r = decode_gzip(data, size, &plain, &plain_size);

	if (r == -EFBIG)
		diag_add(w->diag, DIAG_ERROR, 0, 0, "gzip data that unpack to more than 16 MiB: refused");
	else if (r == -EBADMSG)
		diag_add(w->diag, DIAG_ERROR, 0, 0, "gzip data that are corrupt or cut off");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	/* Lines are those of what is packed: for a whole file that is still the best place to name. */
	return userdata_walk_text(w, plain, plain_size, NULL, name, 0);
}

/* Names a MIME part: its place in the message, and its file name where it has one. */
static const char *userdata_part_name(struct userdata_walk *w, const char *outer, unsigned number, const char *filename)
{
	return arena_format(&w->u->arena, "%s%spart %u%s%s", outer, *outer ? ", " : "", number, *filename ? " " : "", filename);
}

static errint_t userdata_walk_multipart(struct userdata_walk *w, const struct mime_part *whole, const char *name, unsigned line);

/* One part, or the whole message where it is not multipart. line: lines of the file before its body, 0 where that has no meaning any more. */
static errint_t userdata_walk_part(struct userdata_walk *w, const struct mime_part *p, const char *name, unsigned line)
{
	_cleanup_free_ char *plain = NULL;
	size_t size = 0;
	errint_t r = 0;

	if (strncmp(p->type, "multipart/", 10) == 0)
		return userdata_walk_multipart(w, p, name, line);
	if (strcmp(p->encoding, "base64") == 0)
		r = decode_base64(p->body, p->size, &plain, &size);
	else if (strcmp(p->encoding, "quoted-printable") == 0)
		r = decode_quoted_printable(p->body, p->size, &plain, &size);
	else
		return userdata_walk_text(w, p->body, p->size, p->type, name, line);
	if (r == -EBADMSG || r == -EFBIG)
		diag_add(w->diag, DIAG_ERROR, line, 0, "%s: its body is not %s", name, p->encoding);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return userdata_walk_text(w, plain, size, p->type, name, 0);
}

static errint_t userdata_walk_multipart(struct userdata_walk *w, const struct mime_part *whole, const char *name, unsigned line)
{
	unsigned number = 0, body_line = 0;
	struct mime_part part;
	size_t pos = 0;
	errint_t r = 0;

	if (!*whole->boundary) {
		diag_add(w->diag, DIAG_ERROR, line, 0, "a MIME multipart message without a boundary (of at most 70 characters)");
		return 0;
	}
	if (w->depth >= USERDATA_MAX_NESTING) {
		diag_add(w->diag, DIAG_ERROR, line, 0, "wrapped more than %d times: refused", USERDATA_MAX_NESTING);
		return 0;
	}
	w->depth++;
	while (r == 0 && mime_next(whole, &pos, &body_line, &part)) {
		const char *part_name = userdata_part_name(w, name, ++number, part.filename);

		r = part_name ? userdata_walk_part(w, &part, part_name, line + part.line) : -ENOMEM;
	}
	w->depth--;
	if (!number)
		diag_add(w->diag, DIAG_ERROR, line, 0, "a MIME multipart message without a part (boundary '%.70s')", whole->boundary);
	return r;
}

static errint_t userdata_walk_mime(struct userdata_walk *w, const char *data, size_t size, const char *name, unsigned line)
{
	struct mime_part whole;

	w->u->mime = true;
	return mime_parse_head(data, size, &whole) ? userdata_walk_part(w, &whole, name, line + whole.line) : 0;
}

static errint_t userdata_unknown(struct userdata_walk *w, const char *data, size_t size)
{
	char shown[3 * 32 + 4];
	size_t skip = userdata_leading(data, size);

	if (size - skip > 6 && (memmem(data + skip, MIN(size - skip, (size_t)512), "\nusers:", 7) ||
				memmem(data + skip, MIN(size - skip, (size_t)512), ":\n", 2) ||
				strncasecmp(data + skip, "users:", 6) == 0)) {
		diag_add(w->diag, DIAG_ERROR, 1, 1, "looks like YAML, but the first line is not #cloud-config: add it (it begins '%s')",
			 diag_show_bytes(data, size, 32, shown));
		return 0;
	}
	diag_add(w->diag, DIAG_ERROR, 1, 1, "of no known format: begins '%s'; expected #cloud-config, #!, a MIME multipart message, gzip or base64 "
		 "of one of these, or an [ucernvm-begin] block", diag_show_bytes(data, size, 32, shown));
	return 0;
}

static errint_t userdata_keep(struct userdata_walk *w, enum part_kind kind, const char *data, size_t size, const char *name, unsigned line)
{
	struct part *p;

	if (w->u->count >= USERDATA_MAX_PARTS) {
		diag_add(w->diag, DIAG_ERROR, 0, 0, "more than %d parts: the rest is ignored", USERDATA_MAX_PARTS);
		return 0;
	}
	p = &w->u->part[w->u->count];
	*p = (struct part){ kind, arena_string(&w->u->arena, name), arena_copy(&w->u->arena, data, size), size, line };
	if (!p->name || !p->data)
		return -ENOMEM;
	w->u->count++;
	return 0;
}

/* What a MIME type says that the first bytes need not; PART_UNKNOWN: look at the bytes. */
static enum part_kind userdata_kind_of_type(const char *type, const char **ret_name)
{
	static const struct { const char *type; enum part_kind kind; } types[] = {
		{ "text/cloud-config", PART_CLOUD_CONFIG }, { "text/cloud-boothook", PART_BOOTHOOK },
		{ "text/x-include-url", PART_UNSUPPORTED }, { "text/x-include-once-url", PART_UNSUPPORTED },
		{ "text/cloud-config-archive", PART_UNSUPPORTED }, { "text/cloud-config-jsonp", PART_UNSUPPORTED },
		{ "text/part-handler", PART_UNSUPPORTED }, { "text/jinja2", PART_UNSUPPORTED }, { "text/upstart-job", PART_UNSUPPORTED },
		{ "text/x-shellscript-per-boot", PART_UNSUPPORTED }, { "text/x-shellscript-per-once", PART_UNSUPPORTED },
	};

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, type) == 0) {
			*ret_name = types[i].type;
			return types[i].kind;
		}
	return PART_UNKNOWN;
}

static errint_t userdata_leaf(struct userdata_walk *w, const char *data, size_t size, const char *type, const char *name, unsigned line)
{
	const char *what = NULL;
	enum part_kind kind = userdata_sniff(data, size, &what), said = userdata_kind_of_type(type, &what);
	size_t skip = userdata_leading(data, size);
	errint_t r;

	if (said != PART_UNKNOWN && kind != PART_EMPTY)
		kind = said;
	w->diag->part = name;
	w->diag->line_base = 0;
	if (line || !*name) {
		w->diag->part = NULL;
		w->diag->line_base = line;
	}
	switch (kind) {
	case PART_EMPTY:
		r = 0;
		break;
	case PART_UNSUPPORTED:
		diag_add(w->diag, DIAG_WARNING, 1, 0, "this is %s%s, which is not supported yet: ignored", type == what ? "of type " : "", what);
		r = 0;
		break;
	case PART_SCRIPT:
		/* The kernel wants #! as the first two bytes. */
		r = userdata_keep(w, kind, data + skip, size - skip, name, line);
		break;
	case PART_CLOUD_CONFIG:
	case PART_BOOTHOOK:
		r = userdata_keep(w, kind, data, size, name, line);
		break;
	default:
		r = userdata_unknown(w, data, size);
		break;
	}
	w->diag->part = NULL;
	w->diag->line_base = 0;
	return r;
}

/* Whole text in base64? Only where what comes out is something known: many words are base64 too. */
static bool userdata_is_base64(const char *data, size_t size, char **ret, size_t *ret_size)
{
	if (!decode_looks_base64(data, size) || decode_base64(data, size, ret, ret_size) < 0)
		return false;
	if (userdata_sniff(*ret, *ret_size, NULL) != PART_UNKNOWN || memmem(*ret, *ret_size, "[ucernvm-begin]", 15))
		return true;
	free(*ret);
	*ret = NULL;
	return false;
}

static errint_t userdata_walk_plain(struct userdata_walk *w, const char *data, size_t size, const char *type, const char *name, unsigned line)
{
	_cleanup_free_ char *text = malloc(size + 1), *plain = NULL;
	size_t plain_size = 0, skip;
	errint_t r;

	if (!text)
		return -ENOMEM;
	memcpy(text, data, size);
	text[size] = '\0';
	w->diag->part = line || !*name ? NULL : name;
	w->diag->line_base = line;
	r = settings_extract(&w->u->settings, &w->u->arena, text, size, w->diag);
	w->diag->part = NULL;
	w->diag->line_base = 0;
	if (r < 0)
		return r;
	skip = userdata_leading(text, size);
	if (userdata_sniff(text, size, NULL) == PART_MIME) {
		for (size_t i = 0; i < skip; i++)
			line += text[i] == '\n';
		return userdata_walk_mime(w, text + skip, size - skip, name, line);
	}
	if (userdata_is_base64(text, size, &plain, &plain_size))
		return userdata_walk_text(w, plain, plain_size, NULL, name, 0);
	return userdata_leaf(w, text, size, type, name, line);
}

static errint_t userdata_walk_text(struct userdata_walk *w, const char *data, size_t size, const char *type, const char *name, unsigned line)
{
	errint_t r;

	if (w->depth >= USERDATA_MAX_NESTING) {
		diag_add(w->diag, DIAG_ERROR, 0, 0, "wrapped more than %d times: refused", USERDATA_MAX_NESTING);
		return 0;
	}
	if (!userdata_charge(w, size))
		return 0;
	w->depth++;
	if (decode_is_gzip(data, size))
		r = userdata_walk_gzip(w, data, size, name);
	else
		r = userdata_walk_plain(w, data, size, type, name, line);
	w->depth--;
	return r;
}

errint_t userdata_split(struct userdata *u, const char *data, size_t size, struct diag_list *diag)
{
	struct userdata_walk w = { .u = u, .diag = diag };

	return userdata_walk_text(&w, data, size, NULL, "", 0);
}

void userdata_done(struct userdata *u)
{
	arena_done(&u->arena);
	memset(u, 0, sizeof *u);
}
