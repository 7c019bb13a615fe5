/* SPDX-License-Identifier: MIT */
/*
 * A network configuration made real: matched to the interfaces that are there, carried out with busybox' ip, and written for systemd-networkd.
 */
#ifndef SPORE_CONTEXTUALIZE_NETWORK_H
#define SPORE_CONTEXTUALIZE_NETWORK_H

#include "contextualize/formats/netconfig.h"

#define NETWORK_MAX_INTERFACES 64

struct net_interface {
	char name[16];
	char mac[18];
	const struct net_link *link;	/* NULL: the configuration does not speak of it */
};

struct net_interfaces {
	struct net_interface item[NETWORK_MAX_INTERFACES];
	size_t count;
};

/* The interfaces of /sys/class/net (below $SPORE_ROOT) but lo. */
errint_t network_interfaces(struct net_interfaces *ret);
/* Finds each link's interface; what has none is a warning. Returns how many were found. */
size_t network_match(const struct netconfig *n, struct net_interfaces *i, struct diag_list *diag);

/* The text of a .network file (free). name: of the interface as it is now. */
char *network_render_networkd(const struct netconfig *n, const struct net_link *l, const struct net_interface *i);
/* resolv.conf (free); NULL: no memory. "" : no name server. */
char *network_render_resolv(const struct netconfig *n);

/* Writes /run/systemd/network/10-spore-*.network for all matched interfaces. */
errint_t network_write_networkd(const struct netconfig *n, const struct net_interfaces *i);
/* Runs ip for all matched interfaces; writes /run/spore/net/{resolv.conf,dhcp-interfaces}. */
errint_t network_apply(const struct netconfig *n, struct net_interfaces *i, struct diag_list *diag);

#endif
