/* SPDX-License-Identifier: MIT */
/*
 * What #cloud-config texts ask for, as plain structures: the keys that Spore supports, checked for type and range. Knows the keys; must not
 * know how a machine is changed (apply/ does).
 */
#ifndef SPORE_CONTEXTUALIZE_CLOUD_CONFIG_H
#define SPORE_CONTEXTUALIZE_CLOUD_CONFIG_H

#include "common/yaml_tree.h"
#include "contextualize/diag.h"

enum tri { TRI_UNSET, TRI_FALSE, TRI_TRUE };

struct string_list {
	const char **item;
	size_t count;
};

struct cloud_user {
	const char *name;
	const char *gecos, *homedir, *primary_group, *shell;
	const char *hashed_password;	/* passwd or hashed_passwd */
	const char *plain_password;
	struct string_list groups, ssh_keys, sudo;
	bool sudo_set;			/* "sudo: false" is a set, empty list */
	enum tri lock_password;
	int64_t uid;			/* -1: unset */
	bool system, no_create_home;
};

struct cloud_file {
	const char *path;
	const char *content;		/* decoded */
	size_t size;
	const char *owner;		/* "user:group", NULL: root:root */
	int mode;			/* -1: unset */
	bool append;
};

struct cloud_group {
	const char *name;
	struct string_list members;
};

struct cloud_password {
	const char *user, *value;
	bool hashed, random;
};

/* A command of runcmd or bootcmd: one shell line, or an argument vector. */
struct cloud_command {
	const char *line;		/* NULL: argv */
	struct string_list argv;
};

struct cloud_config {
	struct arena arena;
	const char *hostname, *fqdn;
	enum tri preserve_hostname, manage_etc_hosts, ssh_pwauth, disable_root, expire_passwords;
	bool users_given, default_user_listed;
	const char *default_user;	/* `user: NAME` */
	struct cloud_user default_user_changes;	/* `user: {…}`; name may be NULL */
	const char *password;
	struct cloud_user *user;
	size_t users;
	struct cloud_group *group;
	size_t groups;
	struct string_list ssh_keys;
	struct cloud_password *chpasswd;
	size_t chpasswds;
	struct cloud_file *file;
	size_t files;
	struct cloud_command *runcmd, *bootcmd;
	size_t runcmds, bootcmds;
	const char *timezone, *locale, *final_message;
};

/*
 * Reads one text and adds it to c: a top-level key replaces what an earlier text said under that key. A text that is no YAML
 * is one error in diag and changes nothing; a value of the wrong type is an error and is left out. Only -ENOMEM is returned. c begins all zero.
 */
errint_t cloud_config_read(struct cloud_config *c, const char *data, size_t size, struct diag_list *diag);
void cloud_config_done(struct cloud_config *c);

/* Does this look like a crypt(3) hash? */
bool cloud_password_is_hash(const char *text);
/* A name that useradd would take: letter or underscore, then letters, digits, _ . -, maybe a last $; at most 32 bytes. */
bool cloud_name_is_valid(const char *name);

#endif
