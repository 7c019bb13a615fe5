/* SPDX-License-Identifier: MIT */
/* What a publish does about profiles; see publish_profiles.h. */
#include "fetchfs/publish/publish_profiles.h"
#include "fetchfs/format/object.h"

static int add_word(const char **list, size_t *count, const char *value)
{
	if (*count == MANIFEST_MAX_PROFILES) {
		message_error("more than %d profiles", MANIFEST_MAX_PROFILES);
		return EXIT_USAGE;
	}
	list[(*count)++] = value;
	return 0;
}

int publish_profiles_give(struct publish_profiles *p, const char *value)
{
	return add_word(p->given, &p->given_count, value);
}

int publish_profiles_drop(struct publish_profiles *p, const char *value)
{
	return add_word(p->dropped, &p->dropped_count, value);
}

static bool is_dropped(const struct publish_profiles *p, const char *name)
{
	for (size_t i = 0; i < p->dropped_count; i++)
		if (strcmp(p->dropped[i], name) == 0)
			return true;
	return false;
}

static errint_t keep_profile(struct publish_profiles *p, struct view *last, const struct manifest_profile *m, struct trouble *t)
{
	_cleanup_free_ void *data = NULL;
	char *text;
	errint_t r = reader_get_object(last->reader, &m->recording.digest, m->recording.stored_size, m->recording.size, &data, t);

	if (r < 0)
		return r;
	text = malloc((size_t)m->recording.size + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, data, m->recording.size);
	text[m->recording.size] = '\0';
	return profiles_add(&p->profiles, m->name, text, m->name, t);
}

errint_t publish_profiles_load(struct publish_profiles *p, struct view *last, struct trouble *t)
{
	errint_t r = 0;

	for (size_t i = 0; r == 0 && i < p->dropped_count; i++)
		if (!last || !manifest_find_profile(&last->manifest, p->dropped[i]))
			r = trouble_set(t, -ENOENT, EXIT_NO_INPUT, "there is no profile '%s' to drop", p->dropped[i]);
	for (size_t i = 0; r == 0 && i < p->given_count; i++)
		r = profiles_read(&p->profiles, p->given[i], t);
	for (size_t i = 0; r == 0 && last && i < last->manifest.profile_count; i++) {
		const struct manifest_profile *m = &last->manifest.profiles[i];
		if (!is_dropped(p, m->name) && !profiles_find(&p->profiles, m->name))
			r = keep_profile(p, last, m, t);
	}
	return r;
}

static errint_t store_object(struct ingest *ingest, const void *data, size_t size, struct manifest_root *ret)
{
	bool is_new;

	ret->size = (uint32_t)size;
	digest_of(data, size, &ret->digest);
	return ingest ? ingest_object(ingest, &ret->digest, data, ret->size, &ret->stored_size, &is_new) : 0;
}

static errint_t store_profile(struct publish_profiles *p, size_t index, struct view *v, struct ingest *ingest, struct manifest_profile *ret)
{
	const struct profile *profile = p->profiles.list[index];
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ void *list = NULL;
	size_t size;
	errint_t r = profile_format(profile, &text, &size);

	snprintf(ret->name, sizeof(ret->name), "%s", profile->name);
	if (r == -EFBIG)
		return trouble_set(v->trouble, r, EXIT_DATA, "profile '%s' is too long when it is written out (over 64 MiB)", profile->name);
	if (r == 0)
		r = store_object(ingest, text, size, &ret->recording);
	if (r < 0 || !ingest)
		return r;
	r = profile_plan_make(v, profile, &list, &size, &p->summaries[index]);
	return r < 0 ? r : store_object(ingest, list, size, &ret->list);
}

/* A dry run has no new catalogs to make lists from: what the last revision has stands for them. */
static void borrow_list(struct manifest_profile *p, const struct manifest *last)
{
	const struct manifest_profile *old = last ? manifest_find_profile(last, p->name) : NULL;

	if (!old)
		return;
	p->list = old->list;
	if (digest_equal(&p->recording.digest, &old->recording.digest))
		p->recording = old->recording;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct manifest_profile *)a)->name, ((const struct manifest_profile *)b)->name);
}

errint_t publish_profiles_store(struct publish_profiles *p, struct reader *reader, struct ingest *ingest, const struct manifest *last,
				struct manifest *m, struct trouble *t)
{
	struct view v = { .reader = reader, .trouble = t, .root_record = m->root, .revision = m->revision };
	errint_t r = 0;

	m->profiles = calloc(p->profiles.count + 1, sizeof(*m->profiles));
	if (!m->profiles)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < p->profiles.count; i++) {
		r = store_profile(p, i, &v, ingest, &m->profiles[i]);
		if (!ingest)
			borrow_list(&m->profiles[i], last);
	}
	m->profile_count = p->profiles.count;
	qsort(m->profiles, m->profile_count, sizeof(*m->profiles), compare_names);
	p->made = ingest;
	/* The reader is the caller's. */
	view_drop(v.root);
	for (size_t i = 0; i < VIEW_OBJECTS; i++)
		free(v.objects[i].data);
	return r;
}

bool publish_profiles_equal(const struct manifest *a, const struct manifest *b)
{
	if (a->profile_count != b->profile_count)
		return false;
	for (size_t i = 0; i < a->profile_count; i++) {
		const struct manifest_profile *x = &a->profiles[i], *y = &b->profiles[i];
		if (strcmp(x->name, y->name) != 0 || !digest_equal(&x->list.digest, &y->list.digest) ||
		    !digest_equal(&x->recording.digest, &y->recording.digest))
			return false;
	}
	return true;
}

void publish_profiles_report(const struct publish_profiles *p)
{
	char size[16];

	for (size_t i = 0; p->made && i < p->profiles.count; i++) {
		const struct profile_plan_summary *s = &p->summaries[i];
		message_note("profile %s: %lu objects, %s; %lu of %lu lines name what the tree does not have; %lu packs are left out", p->profiles.list[i]->name,
			     (unsigned long)s->objects, format_size(s->stored_bytes, size), (unsigned long)s->missing, (unsigned long)s->lines,
			     (unsigned long)s->left_out);
	}
}

json_t *publish_profiles_json(const struct publish_profiles *p)
{
	json_t *list = json_array();

	for (size_t i = 0; p->made && i < p->profiles.count; i++) {
		const struct profile_plan_summary *s = &p->summaries[i];
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", p->profiles.list[i]->name, "objects",
						      (json_int_t)s->objects, "stored_bytes", (json_int_t)s->stored_bytes, "left_out",
						      (json_int_t)s->left_out, "lines", (json_int_t)s->lines, "missing", (json_int_t)s->missing));
	}
	return list;
}

void publish_profiles_done(struct publish_profiles *p)
{
	profiles_done(&p->profiles);
}
