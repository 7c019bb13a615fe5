/* SPDX-License-Identifier: MIT */
/*
 * One interface for all data sources, and what they share: volumes with their labels, and HTTP under one deadline. Each source is one file
 * here; it knows its protocol and nothing of what the data mean.
 */
#ifndef SPORE_CONTEXTUALIZE_SOURCE_H
#define SPORE_CONTEXTUALIZE_SOURCE_H

#include "common/http.h"
#include "common/yaml_tree.h"
#include "contextualize/context.h"
#include "contextualize/machine.h"
#include "contextualize/sources/label.h"

/* How sure a source is, without the network, that it is there. */
enum source_chance { SOURCE_NO, SOURCE_MAYBE, SOURCE_YES };

#define VOLUMES_MAX 64
#define VOLUME_NAME_MAX 64

struct volume {
	char name[VOLUME_NAME_MAX];	/* "sr0" */
	struct volume_label label;
};

struct volumes {
	struct volume item[VOLUMES_MAX];
	size_t count;
};

struct finder {
	struct machine *machine;
	struct volumes volumes;
	bool volumes_read;
	struct http_client *http;	/* NULL until the first request */
	int64_t deadline_ns;		/* of CLOCK_MONOTONIC, for everything that goes over the network */
	char problem[320];		/* why a source that should be there could not be read; "" */
};

struct source {
	const char *name;
	/* Data that need no network. -ENOENT: not there. Other errors: it is there, and problem says what is wrong. NULL: never local. */
	errint_t (*fetch_local)(struct finder *f, struct context *c);
	/* Does the machine look as if this source answered on the network? Costs nothing. NULL: never on the network. */
	enum source_chance (*probe_network)(const struct machine *m);
	errint_t (*fetch_network)(struct finder *f, struct context *c);
};

extern const struct source source_nocloud, source_configdrive, source_openstack, source_ec2, source_credentials;

/* In problem, unless something stands there. */
void finder_problem(struct finder *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finder_done(struct finder *f);

/* ---- volumes.c ---- */

/* One pass over all block devices; only volumes with one of the labels that a source asks for are kept. */
void volumes_read(struct finder *f);
/* The first with this label (letter case ignored); NULL: none. */
const struct volume *volumes_find(struct finder *f, const char *label);

struct mounted {
	char *dir;	/* owned */
	bool mounted;
};
/* Read-only at a private place; volume_unmount takes it away again. */
errint_t volume_mount(struct finder *f, const struct volume *v, struct mounted *ret);
void volume_unmount(struct mounted *m);
/* A file below dir. -ENOENT: not there. */
errint_t volume_file(const char *dir, const char *name, char **ret, size_t *ret_size);

/* ---- metadata.c ---- */

/* Milliseconds until the deadline; 0: it has passed. */
uint32_t finder_left_ms(const struct finder *f);
/*
 * GET with patience: no connection, 5xx and 429 are tried again until the deadline. 0: status 200. -ENOENT: 404 (or 410). -EACCES: 401, 403.
 * -ETIMEDOUT: nobody answered. Other statuses: -EPROTO. problem is set unless -ENOENT.
 */
errint_t finder_get(struct finder *f, const char *url, const char *const *headers, char **ret, size_t *ret_size);
/* The first of the base URLs (NULL-terminated) at which GET (method) of path answers at all, within the deadline; all are tried in turn. */
errint_t finder_first(struct finder *f, const char *const *bases, const char *method, const char *path, const char *const *headers,
		      const char **ret_base, struct http_reply *ret_reply);
/* The name of a network interface that is up, for link-local IPv6; "" where there is none. */
void finder_interface(char *ret, size_t room);

/* ---- nocloud.c, openstack.c: what several sources read ---- */

errint_t nocloud_read_metadata(struct context *c, const char *data, size_t size, struct ytree_error *ret_error);
/* meta_data.json; *ret_network (may be NULL) becomes network_config.content_path where there is one. */
errint_t openstack_read_metadata(struct context *c, const char *data, size_t size, const char **ret_network, struct ytree_error *ret_error);
errint_t openstack_read_vendor(struct context *c, const char *data, size_t size);
/* Is this a version that we know ("2018-08-27", "latest")? Its rank, higher is newer; 0: unknown. */
unsigned openstack_version_rank(const char *name, size_t length);

/* Fills instance_id where no source said one: from the machine's UUID and the user data. */
errint_t source_default_id(struct context *c, const struct machine *m);

#endif
