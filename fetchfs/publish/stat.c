/* SPDX-License-Identifier: MIT */
/* fetchfs stat: what a repository holds, in figures. */
#include "fetchfs/publish/publish.h"
#include "common/arena.h"
#include "fetchfs/format/profile_list.h"
#include "fetchfs/publish/table.h"
#include "fetchfs/publish/viewer.h"

#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

struct stat_verb {
	struct viewer viewer;
	struct arena arena;
	struct table objects, contents;
	uint64_t directories, files, symlinks, others, bytes, allocated;
	uint64_t catalogs, catalog_bytes, catalog_stored;
	uint64_t packs, chunks, object_bytes, stored;
	uint64_t unique_bytes;
	struct profile_figures {
		uint32_t objects;
		uint64_t stored_bytes;
	} profiles[MANIFEST_MAX_PROFILES];
};

static struct stat_verb settings;

static int on_option(void *context, int id, const char *value)
{
	return viewer_on_option(&((struct stat_verb *)context)->viewer, id, value);
}

static bool digest_key_equal(const void *value, const void *key)
{
	return digest_equal(value, key);
}

/* *ret_new: it was not there before. */
static errint_t remember(struct stat_verb *s, struct table *t, const struct digest *d, bool *ret_new)
{
	struct digest *kept;

	*ret_new = !table_find(t, le64_get(d->bytes), d, digest_key_equal);
	if (!*ret_new)
		return 0;
	kept = arena_alloc(&s->arena, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	*kept = *d;
	return table_add(t, le64_get(d->bytes), kept);
}

static errint_t count_object(struct stat_verb *s, const struct catalog_object *o)
{
	bool is_new;
	errint_t r = remember(s, &s->objects, &o->digest, &is_new);

	if (r < 0 || !is_new)
		return r;
	s->packs += o->kind == CATALOG_OBJECT_PACK;
	s->chunks += o->kind == CATALOG_OBJECT_CHUNK;
	s->object_bytes += o->size;
	s->stored += o->stored_size;
	return 0;
}

static errint_t count_extents(struct stat_verb *s, const struct catalog *c, const struct catalog_inode *file)
{
	struct catalog_extent e;
	errint_t r;

	for (uint32_t n = 0; (r = catalog_extent(c, file, n, &e)) == 0; n++) {
		bool is_new;
		if (e.object == CATALOG_NONE)
			continue;
		r = remember(s, &s->contents, &e.digest, &is_new);
		if (r < 0)
			return r;
		s->unique_bytes += is_new ? e.length : 0;
	}
	return r == -ENOENT ? 0 : r;
}

static errint_t count_inode(struct stat_verb *s, const struct catalog *c, uint32_t index)
{
	struct catalog_inode i;
	errint_t r = catalog_inode(c, index, &i);

	if (r < 0)
		return r;
	switch (i.mode & S_IFMT) {
	case S_IFDIR:
		/* A mount point is counted as the root of its own catalog. */
		s->directories += i.nested == CATALOG_NONE;
		return 0;
	case S_IFREG:
		s->files++;
		s->bytes += i.size;
		s->allocated += i.allocated;
		return count_extents(s, c, &i);
	case S_IFLNK:
		s->symlinks++;
		return 0;
	default:
		s->others++;
		return 0;
	}
}

static errint_t count_catalog(void *context, const struct view_catalog *v)
{
	struct stat_verb *s = context;
	errint_t r = 0;

	s->catalogs++;
	s->catalog_bytes += v->c.size;
	if (!v->parent)
		s->catalog_stored += s->viewer.view.root_record.stored_size;
	for (uint32_t i = 0; r == 0 && i < v->c.nested; i++) {
		struct catalog_nested n;
		r = catalog_nested(&v->c, i, &n);
		s->catalog_stored += r == 0 ? n.stored_size : 0;
	}
	for (uint32_t i = 0; r == 0 && i < v->c.objects; i++) {
		struct catalog_object o;
		r = catalog_object(&v->c, i, &o);
		if (r == 0)
			r = count_object(s, &o);
	}
	for (uint32_t i = 0; r == 0 && i < v->c.inodes; i++)
		r = count_inode(s, &v->c, i);
	return r;
}

/* What each profile of the latest revision lists. */
static errint_t count_profile(struct stat_verb *s, const struct manifest_profile *p, struct profile_figures *ret)
{
	struct view *v = &s->viewer.view;
	struct profile_list_object o;
	_cleanup_free_ void *data = NULL;
	struct profile_list l;
	errint_t r = reader_get_object(v->reader, &p->list.digest, p->list.stored_size, p->list.size, &data, v->trouble);

	if (r < 0)
		return r;
	r = profile_list_open(data, p->list.size, &l);
	if (r < 0)
		return trouble_set(v->trouble, r, EXIT_DATA, "the list of profile '%s' is malformed, or of a newer version", p->name);
	ret->objects = l.count;
	for (uint32_t i = 0; profile_list_get(&l, i, &o); i++)
		ret->stored_bytes += o.stored_size;
	return 0;
}

static errint_t count_profiles(struct stat_verb *s)
{
	const struct manifest *m = &s->viewer.view.manifest;
	errint_t r = 0;

	for (size_t i = 0; r == 0 && i < m->profile_count; i++)
		r = count_profile(s, &m->profiles[i], &s->profiles[i]);
	return r;
}

static errint_t nothing(void *context, const struct walk_entry *e)
{
	(void)context;
	(void)e;
	return 0;
}

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 1;
}

static errint_t print_json(const struct stat_verb *s)
{
	const struct view *v = &s->viewer.view;
	char root[DIGEST_TEXT_SIZE];
	json_t *tags = json_array(), *profiles = json_array(), *j;

	digest_to_text(&v->root_record.digest, root);
	for (size_t i = 0; i < v->manifest.tag_count; i++)
		json_array_append_new(tags, json_pack("{s:s, s:I, s:I}", "name", v->manifest.tags[i].name, "revision",
						      (json_int_t)v->manifest.tags[i].revision, "time", (json_int_t)v->manifest.tags[i].time));
	for (size_t i = 0; i < v->manifest.profile_count; i++)
		json_array_append_new(profiles, json_pack("{s:s, s:I, s:I}", "name", v->manifest.profiles[i].name, "objects",
							  (json_int_t)s->profiles[i].objects, "stored_bytes", (json_int_t)s->profiles[i].stored_bytes));
	j = json_pack("{s:s, s:I, s:s, s:I, s:I, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "name",
		      v->manifest.name, "revision", (json_int_t)v->revision, "root", root, "time", (json_int_t)v->manifest.time, "expires",
		      (json_int_t)v->manifest.expires, "verified", v->trusted, "tags", tags, "profiles", profiles, "inodes",
		      (json_int_t)(s->directories + s->files + s->symlinks + s->others), "directories", (json_int_t)s->directories, "files",
		      (json_int_t)s->files, "symlinks", (json_int_t)s->symlinks, "others", (json_int_t)s->others, "bytes", (json_int_t)s->bytes,
		      "allocated", (json_int_t)s->allocated, "unique_bytes", (json_int_t)s->unique_bytes, "packs", (json_int_t)s->packs, "chunks",
		      (json_int_t)s->chunks, "stored_bytes", (json_int_t)(s->stored + s->catalog_stored), "catalogs", (json_int_t)s->catalogs,
		      "catalog_bytes", (json_int_t)s->catalog_bytes, "catalog_stored_bytes", (json_int_t)s->catalog_stored, "dedup_ratio",
		      ratio(s->allocated, s->unique_bytes), "compression_ratio", ratio(s->object_bytes, s->stored));
	if (!j)
		return -ENOMEM;
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	return 0;
}

static void print_time(const char *what, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(text, sizeof(text), "@%lld", (long long)seconds);
	printf("%-14s%s\n", what, text);
}

static void print_plain(const struct stat_verb *s)
{
	const struct view *v = &s->viewer.view;
	char a[16], b[16], root[DIGEST_TEXT_SIZE];

	digest_to_text(&v->root_record.digest, root);
	printf("%-14s%s, revision %llu%s\n", "repository:", v->manifest.name, (unsigned long long)v->revision,
	       v->trusted ? " (signatures verified)" : " (signatures not verified: give -K KEY.pub)");
	printf("%-14s%s\n", "root:", root);
	print_time("published:", v->manifest.time);
	print_time("expires:", v->manifest.expires);
	for (size_t i = 0; i < v->manifest.tag_count; i++)
		printf("%-14s%s = revision %llu\n", "tag:", v->manifest.tags[i].name, (unsigned long long)v->manifest.tags[i].revision);
	for (size_t i = 0; i < v->manifest.profile_count; i++)
		printf("%-14s%s: %lu objects, %s\n", "profile:", v->manifest.profiles[i].name, (unsigned long)s->profiles[i].objects,
		       format_size(s->profiles[i].stored_bytes, a));
	printf("%-14s%llu files, %llu directories, %llu symbolic links, %llu others\n", "entries:", (unsigned long long)s->files,
	       (unsigned long long)s->directories, (unsigned long long)s->symlinks, (unsigned long long)s->others);
	printf("%-14s%s (%s without holes)\n", "content:", format_size(s->bytes, a), format_size(s->allocated, b));
	printf("%-14s%s in %llu packs and %llu chunks\n", "stored:", format_size(s->stored, a), (unsigned long long)s->packs,
	       (unsigned long long)s->chunks);
	printf("%-14s%llu, %s, stored as %s\n", "catalogs:", (unsigned long long)s->catalogs, format_size(s->catalog_bytes, a),
	       format_size(s->catalog_stored, b));
	printf("%-14s%.2f by deduplication, %.2f by compression\n", "ratio:", ratio(s->allocated, s->unique_bytes),
	       ratio(s->object_bytes, s->stored));
}

static int run(void *context, int operands, char **operand)
{
	struct stat_verb *s = context;
	struct walk_visitor visitor = { .visit = nothing, .catalog = count_catalog };
	struct view_place root;
	errint_t r = viewer_open(&s->viewer, operand[0], false);

	(void)operands;
	s->arena.max = SIZE_MAX;
	if (r == 0)
		r = view_root(&s->viewer.view, &root);
	if (r == 0)
		r = walk(&s->viewer.view, &root, &visitor, s);
	if (r == 0)
		r = count_profiles(s);
	if (r == 0 && s->viewer.json)
		r = print_json(s);
	else if (r == 0)
		print_plain(s);
	table_done(&s->objects);
	table_done(&s->contents);
	arena_done(&s->arena);
	return viewer_close(&s->viewer, r);
}

static const struct option_spec options[] = {
	VIEWER_KEY_OPTION,
	VIEWER_TAG_OPTION,
	VIEWER_JSON_OPTION,
	{ 0 }
};

const struct command stat_command = {
	.name = "stat", .operands = "REPO", .summary = "tell what a repository holds", .options = options, .on_option = on_option,
	.min_operands = 1, .max_operands = 1, .run = run, .context = &settings,
};
