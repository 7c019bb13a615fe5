/* SPDX-License-Identifier: MIT */
/*
 * Network configurations in one form: cloud-init's versions 1 and 2, OpenStack's network_data.json, and Debian's interfaces(5) as far as hypervisors write
 * it. Every address is checked. Knows nothing of the interfaces that are there.
 */
#ifndef SPORE_CONTEXTUALIZE_NETCONFIG_H
#define SPORE_CONTEXTUALIZE_NETCONFIG_H

#include "common/arena.h"
#include "contextualize/context.h"
#include "contextualize/diag.h"

#define NETCONFIG_MAX_LINKS 64
#define NETCONFIG_MAX_ITEMS 64		/* addresses, routes, servers: each, of one link */

struct net_address {
	char text[46];	/* without prefix */
	unsigned prefix;
	bool v6;
};

struct net_route {
	struct net_address to;		/* prefix 0: default */
	char via[46];			/* "" : on the link */
	int64_t metric;			/* -1: unset */
	bool on_link;
};

struct net_link {
	const char *id;			/* name in the configuration */
	const char *name;		/* to be matched; NULL: any (then mac is set) */
	char mac[18];			/* lower case, "" where none was given */
	const char *set_name;		/* NULL: as it is */
	const char *unsupported;	/* "bond", "vlan" …: passed on only; NULL: an Ethernet link */
	bool dhcp4, dhcp6, accept_ra_off;
	int64_t mtu;			/* 0: unset */
	struct net_address *address;
	size_t addresses;
	struct net_route *route;
	size_t routes;
	const char **dns, **search;
	size_t dns_count, search_count;
};

struct netconfig {
	struct arena arena;
	struct net_link link[NETCONFIG_MAX_LINKS];
	size_t links;
	const char **dns, **search;	/* of no link in particular */
	size_t dns_count, search_count;
};

/* Errors go to diag, and what they concern is left out. -EBADMSG: nothing of it can be used (one error in diag). -ENOMEM. */
errint_t netconfig_read(struct netconfig *n, enum network_format format, const char *data, size_t size, struct diag_list *diag);
void netconfig_done(struct netconfig *n);

/* "192.0.2.1/24", "2001:db8::1", "0.0.0.0" with a mask beside it ("255.255.255.0", "24", NULL). False: not an address. */
bool net_address_parse(const char *text, const char *mask, struct net_address *ret);

#endif
