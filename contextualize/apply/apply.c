/* SPDX-License-Identifier: MIT */
/*
 * The order in which a context is applied (apply.h).
 */
#include "contextualize/apply/apply.h"

static void read_os(struct apply *a)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	char *line, *save = NULL;

	a->os_id = "";
	a->have_systemd = root_exists(&a->root, "/usr/lib/systemd/systemd") || root_exists(&a->root, "/lib/systemd/systemd");
	if (root_read(&a->root, "/etc/os-release", 65536, &text, &size) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *value = line + 3;

		if (strncmp(line, "ID=", 3) != 0)
			continue;
		value += *value == '"';
		a->os_id = arena_copy(&a->arena, value, strcspn(value, "\""));
		if (!a->os_id)
			a->os_id = "";
	}
}

/* Vendor data first, so that user data win. */
static errint_t read_formats(struct apply *a)
{
	const struct context *c = a->context;
	errint_t r = 0;

	if (c->vendor_data.data)
		r = userdata_split(a->userdata, c->vendor_data.data, c->vendor_data.size, a->diag);
	if (r == 0 && c->user_data.data)
		r = userdata_split(a->userdata, c->user_data.data, c->user_data.size, a->diag);
	for (size_t i = 0; i < a->userdata->count && r == 0; i++) {
		const struct part *p = &a->userdata->part[i];

		if (p->kind != PART_CLOUD_CONFIG)
			continue;
		a->diag->part = p->name;
		a->diag->line_base = 0;
		if (p->line_base || !*p->name) {
			a->diag->part = NULL;
			a->diag->line_base = p->line_base;
		}
		r = cloud_config_read(&a->config, p->data, p->size, a->diag);
	}
	a->diag->part = NULL;
	a->diag->line_base = 0;
	return r;
}

typedef errint_t apply_step(struct apply *a);

/* identity and ssh: what a copy of a disk must not share */
static apply_step *const once_steps[] = {
	apply_identity, apply_users, apply_ssh, apply_hostname, apply_timezone, apply_locale, apply_files, apply_units, apply_mark_done,
};
static apply_step *const every_boot_steps[] = { apply_hostname, apply_units };

static errint_t run_steps(struct apply *a)
{
	apply_step *const *steps = a->new_instance ? once_steps : every_boot_steps;
	size_t count = a->new_instance ? ARRAY_SIZE(once_steps) : ARRAY_SIZE(every_boot_steps);
	errint_t r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = steps[i](a);
	return r;
}

errint_t apply_run(struct apply *a, const struct apply_options *o, const char *context_dir, struct diag_list *diag)
{
	char *run = ctx_path("/run");
	errint_t r;

	*a = (struct apply){ .options = o, .diag = diag, .root = { .fd = -1, .run = -1 } };
	a->context = calloc(1, sizeof *a->context);
	a->userdata = calloc(1, sizeof *a->userdata);
	r = run && a->context && a->userdata ? root_open(&a->root, o->root, run) : -ENOMEM;
	free(run);
	if (r < 0)
		return apply_failed(a, r, "cannot open the new root", o->root), r;
	read_os(a);
	r = accounts_load(&a->accounts, &a->root);
	a->have_accounts = r == 0;
	if (r < 0 && r != -ENOENT)
		return apply_failed(a, r, "cannot read the account files in", o->root), r;
	r = apply_load(a, context_dir);
	if (r == 0)
		r = read_formats(a);
	if (r == 0)
		r = apply_keep(a);
	if (r < 0)
		return r;
	if (strcmp(a->context->source, "none") != 0 && root_exists(&a->root, "/usr/bin/cloud-init"))
		return apply_handover(a);
	return run_steps(a);
}

void apply_done(struct apply *a)
{
	accounts_done(&a->accounts);
	root_done(&a->root);
	cloud_config_done(&a->config);
	if (a->userdata)
		userdata_done(a->userdata);
	if (a->context)
		context_done(a->context);
	free(a->userdata);
	free(a->context);
	arena_done(&a->arena);
}
