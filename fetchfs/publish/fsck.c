/* SPDX-License-Identifier: MIT */
/*
 * fetchfs fsck: is everything there that the manifest and its tags promise, and is it what it should be? Goes on after what it finds, so that one run tells all.
 * Changes nothing.
 */
#include "common/arena.h"
#include "common/io.h"
#include "fetchfs/format/object.h"
#include "fetchfs/format/pack.h"
#include "fetchfs/format/profile_list.h"
#include "fetchfs/publish/publish.h"
#include "fetchfs/publish/table.h"
#include "fetchfs/publish/viewer.h"

#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

struct fsck {
	struct viewer viewer;
	bool quick;
	struct arena arena;
	struct table objects, catalogs;		/* that were looked at */
	uint64_t object_count, catalog_count, stored_bytes, revisions, problems;
	json_t *findings;
	struct progress progress;
};

static struct fsck settings;

static int on_option(void *context, int id, const char *value)
{
	struct fsck *f = context;

	if (id == 'q')
		f->quick = true;
	else
		return viewer_on_option(&f->viewer, id, value);
	return 0;
}

/* Notes a problem and takes the trouble away, so that the next one can be noted. */
static void found(struct fsck *f)
{
	struct trouble *t = &f->viewer.trouble;

	f->problems++;
	if (f->viewer.json)
		json_array_append_new(f->findings, json_string(t->text));
	else
		printf("%s\n", t->text);
	*t = (struct trouble){ .exit_code = 0 };
}

static bool digest_key_equal(const void *value, const void *key)
{
	return digest_equal(value, key);
}

static errint_t remember(struct fsck *f, struct table *t, const struct digest *d, bool *ret_new)
{
	struct digest *kept;

	*ret_new = !table_find(t, le64_get(d->bytes), d, digest_key_equal);
	if (!*ret_new)
		return 0;
	kept = arena_alloc(&f->arena, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	*kept = *d;
	return table_add(t, le64_get(d->bytes), kept);
}

/* A pack's own index against its contents. */
static errint_t check_pack(struct fsck *f, const struct catalog_object *o, const void *data)
{
	struct pack p;
	struct pack_cursor cursor = { 0 };
	struct pack_entry e;
	char text[DIGEST_TEXT_SIZE];

	digest_to_text(&o->digest, text);
	if (pack_open(data, o->size, &p) < 0)
		return trouble_set(&f->viewer.trouble, -EBADMSG, EXIT_DATA, "pack %s is malformed", text);
	while (pack_next(&p, &cursor, &e)) {
		struct digest d;
		digest_of(p.data + e.offset, e.length, &d);
		if (!digest_equal(&d, &e.digest))
			return trouble_set(&f->viewer.trouble, -EBADMSG, EXIT_DATA, "pack %s: a content does not match its digest", text);
	}
	return 0;
}

/* The extents of a catalog that lie in one object are checked against the pack's index as a whole: contents are named by digest there. */
static errint_t check_object(struct fsck *f, const struct catalog_object *o)
{
	_cleanup_free_ void *data = NULL;
	char path[OBJECT_PATH_SIZE];
	struct stat st;
	bool is_new;
	errint_t r = remember(f, &f->objects, &o->digest, &is_new);

	if (r < 0 || !is_new)
		return r;
	f->object_count++;
	f->stored_bytes += o->stored_size;
	progress_update(&f->progress, f->stored_bytes, 0, NULL);
	object_path(&o->digest, path);
	if (f->quick && reader_directory(f->viewer.view.reader) >= 0) {
		if (fstatat(reader_directory(f->viewer.view.reader), path, &st, 0) < 0)
			r = trouble_errno(&f->viewer.trouble, -errno, "object %s is missing", path);
		else if (st.st_size != (off_t)o->stored_size)
			r = trouble_set(&f->viewer.trouble, -EBADMSG, EXIT_DATA, "object %s has %lld bytes, not %lu", path, (long long)st.st_size,
					(unsigned long)o->stored_size);
		return r;
	}
	r = reader_get_object(f->viewer.view.reader, &o->digest, o->stored_size, o->size, &data, &f->viewer.trouble);
	if (r == 0 && o->kind == CATALOG_OBJECT_PACK)
		r = check_pack(f, o, data);
	return r;
}

static errint_t check_objects(struct fsck *f, const struct catalog *c)
{
	for (uint32_t i = 0; i < c->objects; i++) {
		struct catalog_object o;
		errint_t r = catalog_object(c, i, &o);
		if (r == 0)
			r = check_object(f, &o);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			found(f);
	}
	return 0;
}

/* Each file's extents against the packs' contents that they name; only where the packs are read anyway. */
static errint_t check_extents(struct fsck *f, const struct view_catalog *vc)
{
	struct view *v = &f->viewer.view;

	for (uint32_t i = 0; i < vc->c.inodes; i++) {
		struct view_place p = { .catalog = (struct view_catalog *)vc, .index = i };
		struct catalog_extent e;
		if (catalog_inode(&vc->c, i, &p.inode) < 0 || !S_ISREG(p.inode.mode))
			continue;
		for (uint32_t n = 0; catalog_extent(&vc->c, &p.inode, n, &e) == 0; n++) {
			struct catalog_object o;
			const void *data;
			if (e.object == CATALOG_NONE || catalog_object(&vc->c, e.object, &o) < 0 || o.kind != CATALOG_OBJECT_PACK)
				continue;
			errint_t r = view_extent(v, &p, &e, &data);
			if (r == -ENOMEM)
				return r;
			if (r < 0) {
				/* A missing pack has been told of once already. */
				v->trouble->exit_code = 0;
				break;
			}
		}
	}
	return 0;
}

static errint_t check_catalog(void *context, const struct view_catalog *c)
{
	struct fsck *f = context;
	bool is_new;
	errint_t r = remember(f, &f->catalogs, &c->digest, &is_new);
	uint64_t before = f->problems;

	if (r < 0 || !is_new)
		return r;
	f->catalog_count++;
	r = check_objects(f, &c->c);
	if (r == 0 && !f->quick && f->problems == before)
		r = check_extents(f, c);
	return r;
}

/* That the walk comes to every entry is all: it has looked at names and links then. */
static errint_t check_entry(void *context, const struct walk_entry *e)
{
	(void)context;
	(void)e;
	return 0;
}

static errint_t check_tree(struct fsck *f, const struct manifest_root *root, uint64_t revision)
{
	static const struct walk_visitor visitor = { .visit = check_entry, .catalog = check_catalog };
	struct view *v = &f->viewer.view;
	struct view_place place;
	errint_t r;

	view_drop(v->root);
	v->root = NULL;
	v->root_record = *root;
	v->revision = revision;
	f->revisions++;
	r = view_root(v, &place);
	if (r == 0)
		r = walk(v, &place, &visitor, f);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		found(f);
	return 0;
}

/* history/REVISION of the latest is the manifest itself, and each one that is there is signed and of its revision. */
static errint_t check_history(struct fsck *f)
{
	struct view *v = &f->viewer.view;

	for (uint64_t n = v->manifest.revision; n > 0; n--) {
		_cleanup_free_ char *name = io_format("history/%llu", (unsigned long long)n), *data = NULL;
		struct manifest m;
		size_t size;
		errint_t r = name ? reader_get(v->reader, name, MANIFEST_MAX_SIZE, &data, &size, v->trouble) : -ENOMEM;
		if (r == -ENOMEM)
			return r;
		/* Old ones may have been removed; the latest must be there. */
		if (r == -ENOENT && n != v->manifest.revision)
			break;
		if (r == 0)
			r = trust_open_manifest(&v->keyring, data, size, 0, &m);
		if (r == 0) {
			if (m.revision != n)
				r = trouble_set(v->trouble, -EBADMSG, EXIT_DATA, "%s is of revision %llu", name, (unsigned long long)m.revision);
			manifest_done(&m);
		}
		if (r == -ENOENT)
			trouble_set(v->trouble, r, EXIT_DATA, "%s is missing", name);
		else if (r < 0)
			trouble_set(v->trouble, r, EXIT_DATA, "%s is damaged or signed with an unknown key", name);
		if (r < 0)
			found(f);
	}
	return 0;
}

/* An object that a profile has of its own. *ret stays NULL with --quick, which looks at the size only. */
static errint_t get_profile_part(struct fsck *f, const struct manifest_root *part, void **ret)
{
	struct reader *reader = f->viewer.view.reader;
	char path[OBJECT_PATH_SIZE];
	struct stat st;

	f->object_count++;
	f->stored_bytes += part->stored_size;
	if (!f->quick || reader_directory(reader) < 0)
		return reader_get_object(reader, &part->digest, part->stored_size, part->size, ret, &f->viewer.trouble);
	object_path(&part->digest, path);
	if (fstatat(reader_directory(reader), path, &st, 0) < 0)
		return -errno;
	return st.st_size == (off_t)part->stored_size ? 0 : -EBADMSG;
}

/* What the list names is there; what the tree names too has been looked at. */
static errint_t check_list(struct fsck *f, const struct manifest_profile *p, const void *data)
{
	struct profile_list_object o;
	struct profile_list l;
	errint_t r = profile_list_open(data, p->list.size, &l);

	for (uint32_t i = 0; r == 0 && profile_list_get(&l, i, &o); i++) {
		struct catalog_object object = { .digest = o.digest, .stored_size = o.stored_size, .size = o.size, .kind = o.kind };
		if (o.kind == PROFILE_LIST_CATALOG && table_find(&f->catalogs, le64_get(o.digest.bytes), &o.digest, digest_key_equal))
			continue;
		r = check_object(f, &object);
		if (r < 0 && r != -ENOMEM) {
			found(f);
			r = 0;
		}
	}
	return r;
}

static errint_t check_profile(struct fsck *f, const struct manifest_profile *p)
{
	struct trouble *t = &f->viewer.trouble;
	_cleanup_free_ void *list = NULL, *recording = NULL;
	errint_t r = get_profile_part(f, &p->list, &list);

	if (r == 0 && list)
		r = check_list(f, p, list);
	if (r < 0 && r != -ENOMEM) {
		t->exit_code = 0;
		trouble_set(t, r, EXIT_DATA, "the list of profile '%s' is missing or damaged; publish with that profile again", p->name);
		found(f);
		r = 0;
	}
	if (r == 0)
		r = get_profile_part(f, &p->recording, &recording);
	if (r < 0 && r != -ENOMEM) {
		t->exit_code = 0;
		trouble_set(t, r, EXIT_DATA, "the recording of profile '%s' is missing or damaged; publish with that profile again", p->name);
		found(f);
		r = 0;
	}
	return r;
}

static void check_expiry(struct fsck *f)
{
	const struct view *v = &f->viewer.view;
	int64_t now = (int64_t)time(NULL);

	if (now > v->keyring.expires) {
		trouble_set(&f->viewer.trouble, TRUST_E_EXPIRED, EXIT_DATA, "the keyring has expired: clients refuse the repository");
		found(f);
	}
	if (now > v->manifest.expires) {
		trouble_set(&f->viewer.trouble, TRUST_E_EXPIRED, EXIT_DATA, "the manifest has expired: clients refuse it; publish again");
		found(f);
	}
}

static errint_t check_all(struct fsck *f, const char *where)
{
	struct view *v = &f->viewer.view;
	struct manifest_root root;
	errint_t r = viewer_open(&f->viewer, where, false);

	if (r < 0)
		return r;
	root = v->root_record;
	check_expiry(f);
	progress_begin(&f->progress, "checking", true);
	r = check_history(f);
	if (r == 0)
		r = check_tree(f, &root, v->revision);
	for (size_t i = 0; r == 0 && !f->viewer.tag && i < v->manifest.tag_count; i++)
		r = check_tree(f, &v->manifest.tags[i].root, v->manifest.tags[i].revision);
	for (size_t i = 0; r == 0 && i < v->manifest.profile_count; i++)
		r = check_profile(f, &v->manifest.profiles[i]);
	progress_end(&f->progress);
	return r;
}

static void report(const struct fsck *f, const char *where)
{
	char size[16];
	json_t *j;

	if (f->viewer.json) {
		j = json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:O}", "ok", f->problems == 0, "verified", f->viewer.view.trusted, "revision",
			      (json_int_t)f->viewer.view.manifest.revision, "catalogs", (json_int_t)f->catalog_count, "objects",
			      (json_int_t)f->object_count, "stored_bytes", (json_int_t)f->stored_bytes, "problems", f->findings);
		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		return;
	}
	if (f->problems)
		message_error("%s: %llu problems found", where, (unsigned long long)f->problems);
	else
		message_note("%s is whole: revision %llu, %llu catalogs, %llu objects, %s%s", where,
			     (unsigned long long)f->viewer.view.manifest.revision, (unsigned long long)f->catalog_count,
			     (unsigned long long)f->object_count, format_size(f->stored_bytes, size),
			     f->viewer.view.trusted ? "" : " (the keyring's signature was not checked: give -K KEY.pub)");
}

static int run(void *context, int operands, char **operand)
{
	struct fsck *f = context;
	errint_t r;
	int code;

	(void)operands;
	f->arena.max = SIZE_MAX;
	f->findings = json_array();
	r = check_all(f, operand[0]);
	if (r == 0)
		report(f, operand[0]);
	code = viewer_close(&f->viewer, r);
	json_decref(f->findings);
	table_done(&f->objects);
	table_done(&f->catalogs);
	arena_done(&f->arena);
	return code ? code : f->problems ? EXIT_DATA : 0;
}

static const struct option_spec options[] = {
	VIEWER_KEY_OPTION,
	{ 0, "quick", NULL, "look at the objects' sizes only (local repositories)", 'q' },
	VIEWER_JSON_OPTION,
	{ 0 }
};

const struct command fsck_command = {
	.name = "fsck", .operands = "REPO", .summary = "check that a repository is whole", .options = options, .on_option = on_option,
	.min_operands = 1, .max_operands = 1, .run = run, .context = &settings,
};
