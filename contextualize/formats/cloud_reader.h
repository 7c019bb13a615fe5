/* SPDX-License-Identifier: MIT */
/*
 * What the readers of cloud-config keys share: checked access to values, with an error in diag for each that is of the wrong type. Only cloud_*.c include this.
 */
#ifndef SPORE_CONTEXTUALIZE_CLOUD_READER_H
#define SPORE_CONTEXTUALIZE_CLOUD_READER_H

#include "contextualize/formats/cloud_config.h"

#define CLOUD_MAX_ITEMS 1000	/* users, files, commands: each */

struct cloud_reader {
	struct cloud_config *c;
	struct diag_list *diag;
};

/* Reads one top-level key. Replaces what an earlier text said under it. Only -ENOMEM is returned. */
typedef errint_t cloud_key_function(struct cloud_reader *r, const char *key, const struct ytree_node *n);

cloud_key_function cloud_key_users, cloud_key_user, cloud_key_groups, cloud_key_chpasswd;	/* cloud_users.c */
cloud_key_function cloud_key_write_files, cloud_key_runcmd, cloud_key_bootcmd;			/* cloud_files.c */

/* "a list" … */
const char *cloud_kind_name(const struct ytree_node *n);
void cloud_type_error(struct cloud_reader *r, const char *key, const struct ytree_node *n, const char *expected);
/* Text on one line; NULL, with an error noted, where it is something else. Nothing at all is NULL without an error. */
const char *cloud_text(struct cloud_reader *r, const char *key, const struct ytree_node *n);
/* As cloud_text, without a colon: for fields of /etc/passwd. */
const char *cloud_field(struct cloud_reader *r, const char *key, const struct ytree_node *n);
/* As cloud_text: a user's or group's name. */
const char *cloud_name(struct cloud_reader *r, const char *key, const struct ytree_node *n);
/* As cloud_text: an absolute path. */
const char *cloud_path(struct cloud_reader *r, const char *key, const struct ytree_node *n);
enum tri cloud_tri(struct cloud_reader *r, const char *key, const struct ytree_node *n);
/* A list of texts, or one text. With separators (may be NULL) a text is cut at them: "a, b". */
errint_t cloud_strings(struct cloud_reader *r, const char *key, const struct ytree_node *n, const char *separators, struct string_list *ret);
/* Public keys: a list, or one text with a key per line. */
errint_t cloud_ssh_keys(struct cloud_reader *r, const char *key, const struct ytree_node *n, struct string_list *ret);
/* Is this the key, dashes taken for underscores? */
bool cloud_key_is(const char *key, const char *name);
bool cloud_key_in(const char *key, const char *const *names);
/* A warning with the nearest of names. what: " of a user", or "". */
void cloud_unknown_key(struct cloud_reader *r, const char *what, const char *key, const struct ytree_node *n, const char *const *names);

#endif
