/* SPDX-License-Identifier: MIT */
/*
 * What is remembered on scratch: the context that was applied last (kept/), for which machine, and which instances have been applied.
 *
 *   STATE/machine                  SMBIOS' UUID of the machine that kept/ was found on
 *   STATE/kept/…                   source, instance-id, user-data, … as in /run/spore/context
 *   STATE/instances/ID/applied     once-per-instance things are done
 *   STATE/instances/ID/…           instance-id, scripts/, done/, boot/, final, boot-commands
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

static errint_t instance_dirs(struct apply *a)
{
	char id[3 * CONTEXT_MAX_ID + 1];

	context_id_file(a->context->instance_id, id);
	a->instance_dir = arena_format(&a->arena, "%s/instances/%s", a->options->state, id);
	a->instance_dir_in_os = arena_format(&a->arena, "%s/instances/%s", a->options->state_in_os, id);
	return a->instance_dir && a->instance_dir_in_os ? 0 : -ENOMEM;
}

static bool machine_is_same(const struct apply *a)
{
	_cleanup_free_ char *path = io_format("%s/machine", a->options->state), *text = NULL;
	size_t size;

	if (!path || io_read_file(path, 4096, &text, &size) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, a->options->machine) == 0;
}

/* A source was there before and is not now: the CD was taken out, the service is down. The same machine goes on with what it was given. */
static errint_t load_kept(struct apply *a)
{
	_cleanup_free_ char *kept = io_format("%s/kept", a->options->state);
	struct context old = { .source = NULL };
	errint_t r = kept ? context_load(&old, kept) : -ENOMEM;

	if (r == 0 && machine_is_same(a) && old.instance_id) {
		context_done(a->context);
		*a->context = old;
		return 0;
	}
	context_done(&old);
	if (r == 0 && !machine_is_same(a))
		diag_add(a->diag, DIAG_WARNING, 0, 0, "no data source, and what is kept on this disk is of another machine: not applied");
	return r == -ENOMEM ? r : 0;
}

errint_t apply_load(struct apply *a, const char *context_dir)
{
	_cleanup_free_ char *mark = NULL;
	errint_t r = context_load(a->context, context_dir);

	if (r < 0 && r != -ENOENT)
		return apply_failed(a, r, "cannot read the context in", context_dir), r;
	if (!a->context->instance_id)
		r = load_kept(a);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!a->context->source)
		a->context->source = "none";
	if (!a->context->instance_id)
		a->context->instance_id = *a->options->machine ? arena_format(&a->arena, "machine-%s", a->options->machine) : "unnamed";
	r = a->context->instance_id ? instance_dirs(a) : -ENOMEM;
	if (r < 0)
		return r;
	mark = io_format("%s/applied", a->instance_dir);
	a->new_instance = mark && access(mark, F_OK) != 0;
	return mark ? 0 : -ENOMEM;
}

static errint_t write_word(const char *dir, const char *name, const char *word)
{
	_cleanup_free_ char *path = io_format("%s/%s", dir, name), *line = io_format("%s\n", word);

	return path && line ? io_write_file(path, 0600, line, strlen(line)) : -ENOMEM;
}

errint_t apply_keep(struct apply *a)
{
	_cleanup_free_ char *kept = io_format("%s/kept", a->options->state);
	errint_t r = kept ? io_mkdir_p(a->instance_dir, 0700) : -ENOMEM;

	if (r == 0)
		r = write_word(a->instance_dir, "instance-id", a->context->instance_id);
	if (r == 0 && strcmp(a->context->source, "none") != 0) {
		r = context_save(a->context, kept, &a->userdata->settings);
		if (r == 0)
			r = write_word(a->options->state, "machine", a->options->machine);
	}
	return apply_failed(a, r, "cannot keep the context in", a->options->state);
}

errint_t apply_mark_done(struct apply *a)
{
	return apply_failed(a, write_word(a->instance_dir, "applied", a->context->source), "cannot write", a->instance_dir);
}
