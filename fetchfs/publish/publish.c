/* SPDX-License-Identifier: MIT */
/*
 * fetchfs publish: a new revision from a source. The order of what is written makes it safe to be killed at any time: objects first, then one sync, then the
 * revision's manifest in history/, and last, in one step, the manifest that clients read.
 */
#include "fetchfs/publish/publish.h"
#include "common/io.h"
#include "fetchfs/publish/build.h"
#include "fetchfs/publish/keys.h"
#include "fetchfs/publish/learn.h"
#include "fetchfs/publish/publish_profiles.h"
#include "fetchfs/publish/source.h"

#include <jansson.h>
#include <time.h>

#define DAY ((int64_t)24 * 60 * 60)
#define DEFAULT_DAYS 365
#define DEFAULT_LEVEL 12	/* measured: docs/publish.md */
#define MAX_LEVEL 22
#define MAX_JOBS 256

struct publish {
	/* what was asked for */
	const char *key, *passphrase_file;
	const char *tags[64];
	size_t tag_count;
	uint64_t jobs, level, days;
	bool dry_run, json, repack;
	const char *repository_path, *source;
	/* what is worked with */
	struct trouble trouble;
	struct repository repository;
	struct view view;
	bool has_view, has_revision;
	struct signify_secret secret;
	struct tree tree;
	struct arena stored;		/* contents and blobs */
	struct publish_profiles profiles;
	struct ingest *ingest;
	struct known_catalogs known;
	struct progress progress;
	struct build_result built;
	struct manifest manifest;
	enum { CHANGED, RENEWED, UNCHANGED } outcome;
	struct timespec start;
};

static struct publish settings = { .level = DEFAULT_LEVEL, .days = DEFAULT_DAYS };

static int number_option(const char *name, const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (parse_number(value, min, max, ret) == 0)
		return 0;
	message_error("--%s: expected a number from %llu to %llu, not '%s'", name, (unsigned long long)min, (unsigned long long)max, value);
	return EXIT_USAGE;
}

static int add_tag(struct publish *p, const char *value)
{
	if (!manifest_name_valid(value)) {
		message_error("'%s' cannot be a tag: up to %d letters, digits, '.', '_' and '-', the first a letter or digit", value,
			      MANIFEST_NAME_MAX);
		return EXIT_USAGE;
	}
	if (p->tag_count == ARRAY_SIZE(p->tags)) {
		message_error("too many tags for one publish (at most %zu)", ARRAY_SIZE(p->tags));
		return EXIT_USAGE;
	}
	p->tags[p->tag_count++] = value;
	return 0;
}

static int on_option(void *context, int id, const char *value)
{
	struct publish *p = context;

	switch (id) {
	case 'k':
		p->key = value;
		return 0;
	case 't':
		return add_tag(p, value);
	case 'j':
		return number_option("jobs", value, 1, MAX_JOBS, &p->jobs);
	case 'l':
		return number_option("level", value, 1, MAX_LEVEL, &p->level);
	case 'e':
		return number_option("expires", value, 1, 36525, &p->days);
	case 'f':
		p->passphrase_file = value;
		return 0;
	case 'p':
		return publish_profiles_give(&p->profiles, value);
	case 'r':
		p->repack = true;
		return 0;
	case 'D':
		return publish_profiles_drop(&p->profiles, value);
	case 'd':
		p->dry_run = true;
		return 0;
	case 'J':
		p->json = true;
		return 0;
	case 'q':
		message_set_quiet(true);
		return 0;
	}
	return 0;
}

/* Opening: the key, the lock, the last revision. */

static errint_t check_key(struct publish *p)
{
	const struct keyring *k = &p->view.keyring;
	errint_t r = keys_read_secret(p->key, p->passphrase_file, &p->secret, &p->trouble);

	if (r < 0)
		return r;
	for (size_t i = 0; i < k->key_count; i++)
		if (memcmp(k->keys[i].keynum, p->secret.keynum, SIGNIFY_KEYNUM_SIZE) == 0 &&
		    memcmp(k->keys[i].key, p->secret.key + 32, 32) == 0)
			return 0;
	return trouble_set(&p->trouble, -ENOKEY, EXIT_NO_PERMISSION, "the key %s.sec may not publish in %s: its keyring does not hold it", p->key,
			   p->repository_path);
}

static errint_t open_repository(struct publish *p)
{
	struct view_options o = { .where = p->repository_path };
	errint_t r = 0;

	p->repository.fd = p->repository.lock = -1;
	if (!p->dry_run)
		r = repository_open(p->repository_path, true, &p->repository, &p->trouble);
	if (r < 0)
		return r;
	r = view_open(&p->view, &o, &p->trouble);
	p->has_view = r == 0 || r == -ENODATA;
	p->has_revision = r == 0;
	if (!p->has_view)
		return r;
	if (source_date(&p->manifest.time) < 0)
		return trouble_set(&p->trouble, -EINVAL, EXIT_USAGE, "SOURCE_DATE_EPOCH is no number of seconds");
	if (p->manifest.time > p->view.keyring.expires)
		return trouble_set(&p->trouble, TRUST_E_EXPIRED, EXIT_DATA,
				   "the keyring of %s has expired: no client would take a revision; sign a new one with the root key",
				   p->repository_path);
	return p->dry_run ? 0 : check_key(p);
}

static unsigned default_jobs(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)MIN(n, MAX_JOBS);
}

static errint_t start_ingest(struct publish *p)
{
	struct ingest_options o = {
		.repository = p->dry_run ? NULL : &p->repository, .source = strcmp(p->source, "-") == 0 ? "" : p->source,
		.arena = &p->stored, .jobs = p->jobs ? (unsigned)p->jobs : default_jobs(), .level = (int)p->level,
		.repack = p->repack, .progress = &p->progress, .trouble = &p->trouble,
	};
	errint_t r;

	p->stored.max = SIZE_MAX;
	r = publish_profiles_load(&p->profiles, p->has_revision ? &p->view : NULL, &p->trouble);
	if (r < 0)
		return r;
	o.profiles = &p->profiles.profiles;
	r = ingest_new(&o, &p->ingest);
	if (r < 0 || !p->has_revision)
		return r;
	return learn_revision(&p->view, p->ingest, &p->known);
}

/* The new revision. */

static errint_t set_tag(struct publish *p, const char *name)
{
	struct manifest *m = &p->manifest;
	struct manifest_tag tag = { .revision = m->revision, .time = m->time, .root = m->root };
	size_t at = 0;

	snprintf(tag.name, sizeof(tag.name), "%s", name);
	while (at < m->tag_count && strcmp(m->tags[at].name, name) < 0)
		at++;
	if (at < m->tag_count && strcmp(m->tags[at].name, name) == 0) {
		m->tags[at] = tag;
		return 0;
	}
	if (m->tag_count == MANIFEST_MAX_TAGS)
		return trouble_set(&p->trouble, -E2BIG, EXIT_DATA, "%s has %d tags already, as many as there may be", p->repository_path,
				   MANIFEST_MAX_TAGS);
	struct manifest_tag *larger = realloc(m->tags, (m->tag_count + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	m->tags = larger;
	memmove(&m->tags[at + 1], &m->tags[at], (m->tag_count - at) * sizeof(tag));
	m->tags[at] = tag;
	m->tag_count++;
	return 0;
}

static bool tags_unchanged(const struct publish *p)
{
	for (size_t i = 0; i < p->tag_count; i++) {
		const struct manifest_tag *t = manifest_find_tag(&p->view.manifest, p->tags[i]);
		if (!t || t->revision != p->view.manifest.revision)
			return false;
	}
	return true;
}

static errint_t make_manifest(struct publish *p)
{
	const struct manifest *last = p->has_revision ? &p->view.manifest : NULL;
	struct manifest *m = &p->manifest;
	errint_t r = 0;

	strcpy(m->name, p->view.keyring.name);
	m->keyring_serial = p->view.keyring.serial;
	m->expires = m->time + (int64_t)p->days * DAY;
	m->root = p->built.root;
	m->inodes = p->built.inodes;
	m->bytes = p->built.bytes;
	m->revision = last ? last->revision + 1 : 1;
	if (last && last->tag_count) {
		m->tags = malloc(last->tag_count * sizeof(*m->tags));
		if (!m->tags)
			return -ENOMEM;
		memcpy(m->tags, last->tags, last->tag_count * sizeof(*m->tags));
		m->tag_count = last->tag_count;
	}
	r = publish_profiles_store(&p->profiles, p->view.reader, p->dry_run ? NULL : p->ingest, last, m, &p->trouble);
	if (r < 0)
		return r;
	if (last && digest_equal(&last->root.digest, &m->root.digest) && tags_unchanged(p) && publish_profiles_equal(last, m)) {
		/* The same again; only a manifest whose time is half over is signed anew, so that a regular publish keeps it alive. */
		p->outcome = last->expires - m->time < (int64_t)p->days * DAY / 2 ? RENEWED : UNCHANGED;
		m->revision = last->revision;
		return 0;
	}
	for (size_t i = 0; r == 0 && i < p->tag_count; i++)
		r = set_tag(p, p->tags[i]);
	return r;
}

static errint_t write_manifest(struct publish *p)
{
	_cleanup_free_ char *text = NULL, *data = NULL, *comment = keys_comment(p->key);
	char name[64];
	size_t size;
	errint_t r = comment ? manifest_format(&p->manifest, &text, &size) : -ENOMEM;

	if (r == 0)
		r = signify_sign_embedded(&p->secret, comment, text, size, &data, &size);
	if (r == 0)
		r = repository_sync(&p->repository);
	snprintf(name, sizeof(name), REPOSITORY_HISTORY "/%llu", (unsigned long long)p->manifest.revision);
	/* The history keeps when a revision was published, not when it was signed anew. */
	if (r == 0 && p->outcome != RENEWED)
		r = repository_put_text(&p->repository, name, data, size);
	if (r == 0)
		r = repository_put_text(&p->repository, MANIFEST_FILE, data, size);
	return r < 0 ? trouble_errno(&p->trouble, r, "cannot write the manifest of %s", p->repository_path) : 0;
}

static errint_t read_source(struct publish *p)
{
	int directory = reader_directory(p->view.reader);
	errint_t r, finished;

	progress_begin(&p->progress, "reading", true);
	tree_init(&p->tree);
	r = source_read(p->source, directory, &p->tree, p->ingest, &p->trouble);
	if (r == 0) {
		finished = ingest_finish(p->ingest);
		r = finished;
	}
	progress_end(&p->progress);
	return r;
}

static errint_t publish(struct publish *p)
{
	errint_t r = open_repository(p);

	if (r == 0)
		r = start_ingest(p);
	if (r == 0)
		r = read_source(p);
	if (r == 0) {
		struct build_options o = { .tree = &p->tree, .ingest = p->ingest, .trouble = &p->trouble,
			.known_catalog = known_catalog_size, .context = &p->known };
		r = build_catalogs(&o, &p->built);
	}
	if (r == 0)
		r = make_manifest(p);
	if (r == 0 && !p->dry_run && p->outcome != UNCHANGED)
		r = write_manifest(p);
	return r;
}

/* What is said in the end. */

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static int print_json(const struct publish *p)
{
	const struct ingest_counts *c = ingest_counts(p->ingest);
	char root[DIGEST_TEXT_SIZE];
	json_t *j, *profiles = publish_profiles_json(&p->profiles);

	digest_to_text(&p->manifest.root.digest, root);
	j = json_pack("{s:s, s:I, s:b, s:b, s:s, s:I, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:I, s:o, s:f}", "name", p->manifest.name, "revision",
		      (json_int_t)p->manifest.revision, "changed", p->outcome == CHANGED, "dry_run", p->dry_run, "root", root, "inodes",
		      (json_int_t)p->manifest.inodes, "files", (json_int_t)p->built.files, "bytes", (json_int_t)p->manifest.bytes, "catalogs",
		      (int)p->built.catalogs, "new_catalogs", (int)p->built.new_catalogs, "new_contents", (json_int_t)c->new_contents,
		      "new_bytes", (json_int_t)c->new_bytes, "new_objects", (json_int_t)c->objects, "new_stored_bytes",
		      (json_int_t)c->stored_bytes, "profiles", profiles, "seconds", seconds_since(&p->start));
	if (!j || json_dumpf(j, stdout, JSON_INDENT(2)) < 0 || puts("") < 0 || fflush(stdout) != 0) {
		message_error("cannot write the summary");
		json_decref(j);
		return EXIT_SOFTWARE;
	}
	json_decref(j);
	return 0;
}

static int report(const struct publish *p)
{
	static const char *const done[] = { "published", "unchanged, signed again for", "unchanged:" };
	static const char *const would[] = { "would publish", "unchanged, would sign again", "unchanged:" };
	const struct ingest_counts *c = ingest_counts(p->ingest);
	char bytes[16], new_bytes[16], stored[16];

	message_note("%s %s revision %llu: %llu files, %s; new: %s, stored as %s in %llu objects, %.1f s",
		     (p->dry_run ? would : done)[p->outcome], p->manifest.name, (unsigned long long)p->manifest.revision,
		     (unsigned long long)p->built.files, format_size(p->manifest.bytes, bytes), format_size(c->new_bytes, new_bytes),
		     format_size(c->stored_bytes, stored), (unsigned long long)c->objects, seconds_since(&p->start));
	publish_profiles_report(&p->profiles);
	return p->json ? print_json(p) : 0;
}

static void publish_done(struct publish *p)
{
	ingest_free(p->ingest);
	publish_profiles_done(&p->profiles);
	known_catalogs_done(&p->known);
	tree_done(&p->tree);
	arena_done(&p->stored);
	manifest_done(&p->manifest);
	if (p->has_view)
		view_close(&p->view);
	repository_close(&p->repository);
	signify_secret_wipe(&p->secret);
}

static int run(void *context, int operands, char **operand)
{
	struct publish *p = context;
	errint_t r;
	int code;

	(void)operands;
	if (!p->key && !p->dry_run) {
		message_error("the key that signs (-k KEYBASE) is needed; see 'fetchfs publish --help'");
		return EXIT_USAGE;
	}
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	p->repository_path = operand[0];
	p->source = operand[1];
	r = publish(p);
	code = r < 0 ? trouble_report(&p->trouble, r) : report(p);
	publish_done(p);
	return code;
}

static const struct option_spec options[] = {
	{ 'k', "key", "KEYBASE", "sign with KEYBASE.sec", 'k' },
	{ 't', "tag", "TAG", "name the new revision (may be given several times)", 't' },
	{ 'j', "jobs", "JOBS", "worker threads (default: one for each processor)", 'j' },
	{ 'l', "level", "LEVEL", "zstd's level, 1 to 22 (default: 12)", 'l' },
	{ 'e', "expires", "DAYS", "how long clients take the manifest for valid (default: 365)", 'e' },
	{ 0, "profile", "[NAME=]FILE", "clients fetch ahead what FILE names (default NAME: boot); may be given several times", 'p' },
	{ 0, "repack", NULL, "lay out anew what profiles name also where the repository holds it already", 'r' },
	{ 0, "drop-profile", "NAME", "do not keep this profile of the last revision (may be given several times)", 'D' },
	{ 0, "passphrase-file", "FILE", "passphrase of an encrypted key: the first line of FILE", 'f' },
	{ 0, "dry-run", NULL, "read and compare, but write nothing", 'd' },
	{ 0, "json", NULL, "print a summary in JSON", 'J' },
	{ 'q', "quiet", NULL, "print errors and warnings only", 'q' },
	{ 0 }
};

const struct command publish_command = {
	.name = "publish", .operands = "REPO SOURCE",
	.summary = "publish a directory, a tar (gz, xz, zst too) or - (a tar on standard input) as a new revision",
	.options = options, .on_option = on_option, .min_operands = 2, .max_operands = 2, .run = run, .context = &settings,
};
