/* SPDX-License-Identifier: MIT */
/*
 * Applies a context to a new root file system before its OS starts. This header is what the files of apply/ share. What goes wrong with
 * one thing is noted in diag, and the rest goes on; an error is returned only where going on makes no sense (no memory, disk full).
 */
#ifndef SPORE_CONTEXTUALIZE_APPLY_H
#define SPORE_CONTEXTUALIZE_APPLY_H

#include "contextualize/apply/accounts.h"
#include "contextualize/apply/root.h"
#include "contextualize/context.h"
#include "contextualize/formats/cloud_config.h"
#include "contextualize/formats/userdata.h"

#define APPLY_MAX_RANDOM 16

struct apply_options {
	const char *root;	/* directory of the new root, as this program sees it */
	const char *state;	/* directory on scratch, as this program sees it */
	const char *state_in_os;	/* the same, as the OS will see it */
	const char *machine;	/* SMBIOS' UUID or "": a disk that comes up in another machine is a clone */
};

struct apply_random {
	const char *user;
	char password[21];
};

struct apply {
	const struct apply_options *options;
	struct arena arena;
	struct diag_list *diag;
	struct root root;
	struct accounts accounts;
	bool have_accounts, have_systemd;
	const char *os_id;		/* ID of os-release */
	struct context *context;
	struct userdata *userdata;	/* vendor's parts first */
	struct cloud_config config;
	bool new_instance;		/* this instance-id has not been applied yet */
	const char *default_user;	/* NULL: there is none */
	struct apply_random random[APPLY_MAX_RANDOM];	/* passwords to tell on the console */
	size_t randoms;
	const char *instance_dir, *instance_dir_in_os;
	/* what was done, for the summary */
	unsigned users, files, scripts;
	unsigned scripts_to_run;	/* of the scripts: those that have not run in this instance */
	bool handed_on;			/* to the OS' own cloud-init */
};

/* Fills a with what was found in context_dir (or kept on scratch), applies it. apply_done in any case. */
errint_t apply_run(struct apply *a, const struct apply_options *o, const char *context_dir, struct diag_list *diag);
void apply_done(struct apply *a);

/* state.c */
errint_t apply_load(struct apply *a, const char *context_dir);
errint_t apply_keep(struct apply *a);
errint_t apply_mark_done(struct apply *a);

/* users.c, ssh.c */
errint_t apply_users(struct apply *a);
errint_t apply_authorized_keys(struct apply *a, const struct account_user *u, const char *const *keys, size_t count);
errint_t apply_ssh(struct apply *a);

/* system.c, files.c */
errint_t apply_hostname(struct apply *a);
errint_t apply_timezone(struct apply *a);
errint_t apply_locale(struct apply *a);
errint_t apply_identity(struct apply *a);
errint_t apply_files(struct apply *a);

/* units.c */
errint_t apply_units(struct apply *a);

/* handover.c */
errint_t apply_handover(struct apply *a);

/* A helper: notes an error of doing something with a path; returns e where it is fatal (-ENOMEM, -ENOSPC, -EROFS, -EDQUOT), else 0. */
errint_t apply_failed(struct apply *a, errint_t e, const char *what, const char *path);

#endif
