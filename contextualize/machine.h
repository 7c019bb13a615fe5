/* SPDX-License-Identifier: MIT */
/*
 * What the machine says of itself without a network: SMBIOS strings, kernel command line, Spore's configuration, names of network interfaces.
 * Reads below $SPORE_ROOT; changes nothing.
 */
#ifndef SPORE_CONTEXTUALIZE_MACHINE_H
#define SPORE_CONTEXTUALIZE_MACHINE_H

#include "common/arena.h"

/* "ds=nocloud;s=URL/;h=HOST;i=ID" as cloud-init reads it. */
struct seed_request {
	bool asked;		/* ds=nocloud or ds=nocloud-net was there */
	const char *seed;	/* s= or seedfrom=; NULL: none */
	const char *hostname, *instance_id;
};

struct machine {
	struct arena arena;
	/* "" where it is not there */
	const char *sys_vendor, *product_name, *product_serial, *product_uuid, *chassis_asset_tag, *hypervisor_uuid;
	const char *command_line;
	const char *datasource;		/* auto, none, nocloud, configdrive, openstack, ec2, credentials */
	const char *metadata_url;	/* setting or $SPORE_METADATA_URL: instead of http://169.254.169.254; NULL: that */
	struct seed_request seed;	/* of the command line, else of the serial number, else of a type 11 string */
	bool dmi_trusted;		/* x86: what SMBIOS does not name is not there */
};

errint_t machine_read(struct machine *m);
void machine_done(struct machine *m);

/* A setting: spore.KEY=VALUE of the command line, else KEY=VALUE of /etc/spore/image.conf; NULL: neither. Belongs to m. */
const char *machine_setting(struct machine *m, const char *key);

/* Parses a ds= value or a serial number; strings are kept in the arena. False: it asks for nothing. */
bool machine_parse_seed(struct arena *arena, const char *text, struct seed_request *ret);

/* May this source be used, as far as datasource= restricts? */
bool machine_allows(const struct machine *m, const char *source);

#endif
