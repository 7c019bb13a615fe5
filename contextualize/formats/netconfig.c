/* SPDX-License-Identifier: MIT */
/*
 * Network configurations (netconfig.h).
 */
#include "contextualize/formats/netconfig.h"

#include "common/yaml_tree.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

struct netconfig_reader {
	struct netconfig *n;
	struct diag_list *diag;
};

/* ---- addresses ---- */

static bool net_prefix_parse(const char *text, bool v6, unsigned *ret)
{
	char *end;
	unsigned long v;

	if (!v6 && strchr(text, '.')) {
		struct in_addr mask;
		uint32_t bits;

		if (inet_pton(AF_INET, text, &mask) != 1)
			return false;
		bits = ~ntohl(mask.s_addr);
		if (bits & (bits + 1))
			return false;	/* holes */
		*ret = bits ? (unsigned)__builtin_clz(bits) : 32;
		return true;
	}
	if (v6 && strchr(text, ':')) {
		uint8_t mask[16];

		if (inet_pton(AF_INET6, text, mask) != 1)
			return false;
		*ret = 0;
		while (*ret < 128 && mask[*ret / 8] & (0x80 >> *ret % 8))
			(*ret)++;
		for (unsigned i = *ret; i < 128; i++)
			if (mask[i / 8] & (0x80 >> i % 8))
				return false;	/* holes */
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	v = strtoul(text, &end, 10);
	*ret = (unsigned)v;
	return !*end && v <= (v6 ? 128 : 32);
}

bool net_address_parse(const char *text, const char *mask, struct net_address *ret)
{
	uint8_t binary[16];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof ret->text)
		return false;
	memcpy(ret->text, text, n);
	ret->text[n] = '\0';
	ret->v6 = strchr(ret->text, ':') != NULL;
	if (inet_pton(ret->v6 ? AF_INET6 : AF_INET, ret->text, binary) != 1)
		return false;
	ret->prefix = ret->v6 ? 128 : 32;
	if (slash)
		return net_prefix_parse(slash + 1, ret->v6, &ret->prefix);
	return !mask || net_prefix_parse(mask, ret->v6, &ret->prefix);
}

static bool net_is_address(const char *text)
{
	struct net_address a;

	return text && !strchr(text, '/') && net_address_parse(text, NULL, &a);
}

static bool net_mac_parse(const char *text, char ret[18])
{
	if (!text || strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' && text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		ret[i] = i % 3 == 2 ? ':' : (char)tolower((unsigned char)text[i]);
	}
	ret[17] = '\0';
	return true;
}

/* Names of interfaces become file names and arguments. */
static bool net_name_is_valid(const char *text)
{
	return text && *text && strlen(text) < 16 && *text != '-' && *text != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@") == strlen(text);
}

static bool net_domain_is_valid(const char *text)
{
	return text && *text && strlen(text) < 254 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text);
}

/* ---- adding to a link ---- */

static void net_error(struct netconfig_reader *r, const struct ytree_node *n, const char *what, const char *text)
{
	diag_add(r->diag, DIAG_ERROR, n ? n->line : 0, n ? n->column : 0, "network: %s '%.60s' cannot be understood: ignored", what, text ? text : "");
}

static errint_t net_add_address(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n, const char *text, const char *mask)
{
	struct net_address a, *grown;

	if (!text || !net_address_parse(text, mask, &a) || l->addresses >= NETCONFIG_MAX_ITEMS)
		return net_error(r, n, "address", text), 0;
	grown = arena_grow(&r->n->arena, l->address, l->addresses, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	l->address = grown;
	grown[l->addresses++] = a;
	return 0;
}

static errint_t net_add_route(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n, const char *to, const char *mask,
			      const char *via, int64_t metric, bool on_link)
{
	struct net_route route = { .metric = metric, .on_link = on_link }, *grown;
	bool is_default = to && (strcmp(to, "default") == 0 || strcmp(to, "0/0") == 0);

	if (via && !net_is_address(via))
		return net_error(r, n, "gateway", via), 0;
	if (is_default)
		to = via && strchr(via, ':') ? "::/0" : "0.0.0.0/0";
	if (!to || !net_address_parse(to, mask, &route.to) || l->routes >= NETCONFIG_MAX_ITEMS)
		return net_error(r, n, "route to", to), 0;
	if (via)
		snprintf(route.via, sizeof route.via, "%s", via);
	grown = arena_grow(&r->n->arena, l->route, l->routes, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	l->route = grown;
	grown[l->routes++] = route;
	return 0;
}

static errint_t net_add_string(struct netconfig_reader *r, const char ***list, size_t *count, const char *text)
{
	const char **grown;

	if (*count >= NETCONFIG_MAX_ITEMS)
		return 0;
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*list)[i], text) == 0)
			return 0;
	grown = arena_grow(&r->n->arena, *list, *count, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[*count] = arena_string(&r->n->arena, text);
	return grown[*count] ? (*count)++, 0 : -ENOMEM;
}

/* One text, or a list of texts, to name servers or search domains. A text may hold several, separated by blanks. */
static errint_t net_add_strings(struct netconfig_reader *r, const struct ytree_node *n, bool dns, const char ***list, size_t *count)
{
	size_t items = !n || n->kind == YTREE_NULL || n->kind == YTREE_MAP ? 0 : n->kind == YTREE_LIST ? n->count : 1;
	errint_t e = 0;

	for (size_t i = 0; i < items && e == 0; i++) {
		const struct ytree_node *item = n->kind == YTREE_LIST ? n->item[i] : n;
		const char *text = ytree_text(item);
		char *copy = text ? arena_string(&r->n->arena, text) : NULL, *save = NULL;

		for (char *word = copy ? strtok_r(copy, " ,\t", &save) : NULL; word && e == 0; word = strtok_r(NULL, " ,\t", &save)) {
			if (dns ? net_is_address(word) : net_domain_is_valid(word))
				e = net_add_string(r, list, count, word);
			else
				net_error(r, item, dns ? "name server" : "search domain", word);
		}
	}
	return e;
}

static struct net_link *net_add_link(struct netconfig_reader *r, const char *id)
{
	struct net_link *l;

	if (r->n->links >= NETCONFIG_MAX_LINKS) {
		diag_add(r->diag, DIAG_ERROR, 0, 0, "network: more than %d interfaces: the rest is ignored", NETCONFIG_MAX_LINKS);
		return NULL;
	}
	l = &r->n->link[r->n->links];
	*l = (struct net_link){ .id = arena_string(&r->n->arena, id ? id : "") };
	return l->id ? r->n->links++, l : NULL;
}

static void net_set_mtu(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	if (n && n->kind != YTREE_NULL && !ytree_number(n, 68, 65535, &l->mtu))
		net_error(r, n, "mtu", ytree_text(n));
}

static void net_set_mac(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	if (n && n->kind != YTREE_NULL && !net_mac_parse(ytree_text(n), l->mac))
		net_error(r, n, "hardware address", ytree_text(n));
}

static bool net_true(const struct ytree_node *n)
{
	bool b = false;

	return n && ytree_bool(n, &b) && b;
}

static int64_t net_metric(const struct ytree_node *n)
{
	int64_t v = -1;

	return n && ytree_number(n, 0, UINT32_MAX, &v) ? v : -1;
}

/* ---- version 2 ---- */

static errint_t v2_routes(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	errint_t e = 0;

	for (size_t i = 0; n && n->kind == YTREE_LIST && i < n->count && e == 0; i++) {
		const struct ytree_node *x = n->item[i];

		e = net_add_route(r, l, x, ytree_text(ytree_get(x, "to")), NULL, ytree_text(ytree_get(x, "via")), net_metric(ytree_get(x, "metric")),
				  net_true(ytree_get(x, "on-link")));
	}
	return e;
}

static errint_t v2_addresses(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	errint_t e = 0;

	for (size_t i = 0; n && n->kind == YTREE_LIST && i < n->count && e == 0; i++) {
		const struct ytree_node *x = n->item[i];

		/* {"192.0.2.1/24": {lifetime: 0}} */
		if (x->kind == YTREE_MAP && x->count == 1)
			x = x->item[0];
		e = net_add_address(r, l, x, ytree_text(x), NULL);
	}
	return e;
}

static void v2_match(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	const struct ytree_node *match = ytree_get(n, "match"), *name = ytree_get(match, "name"), *set_name = ytree_get(n, "set-name");

	if (!match) {
		l->name = net_name_is_valid(l->id) ? l->id : NULL;
	} else {
		net_set_mac(r, l, ytree_get(match, "macaddress"));
		if (name && (ytree_text(name) && strpbrk(ytree_text(name), "*?[")))
			l->name = arena_string(&r->n->arena, ytree_text(name));
		else if (name && net_name_is_valid(ytree_text(name)))
			l->name = arena_string(&r->n->arena, ytree_text(name));
		else if (name)
			net_error(r, name, "interface name", ytree_text(name));
		if (ytree_get(match, "driver"))
			diag_add(r->diag, DIAG_WARNING, match->line, match->column, "network: match by driver is not supported: ignored");
		if (!l->name && !*l->mac)
			diag_add(r->diag, DIAG_ERROR, match->line, match->column, "network: %s matches by neither macaddress nor name: ignored", l->id);
	}
	if (set_name && net_name_is_valid(ytree_text(set_name)))
		l->set_name = arena_string(&r->n->arena, ytree_text(set_name));
	else if (set_name)
		net_error(r, set_name, "set-name", ytree_text(set_name));
}

static errint_t v2_link(struct netconfig_reader *r, const char *id, const struct ytree_node *n)
{
	struct net_link *l = net_add_link(r, id);
	const struct ytree_node *ns = ytree_get(n, "nameservers"), *g4 = ytree_get(n, "gateway4"), *g6 = ytree_get(n, "gateway6");
	bool ra = true;
	errint_t e;

	if (!l)
		return 0;
	v2_match(r, l, n);
	net_set_mtu(r, l, ytree_get(n, "mtu"));
	l->dhcp4 = net_true(ytree_get(n, "dhcp4"));
	l->dhcp6 = net_true(ytree_get(n, "dhcp6"));
	if (ytree_get(n, "accept-ra") && ytree_bool(ytree_get(n, "accept-ra"), &ra))
		l->accept_ra_off = !ra;
	e = v2_addresses(r, l, ytree_get(n, "addresses"));
	if (e == 0 && ytree_text(g4))
		e = net_add_route(r, l, g4, "0.0.0.0/0", NULL, ytree_text(g4), -1, false);
	if (e == 0 && ytree_text(g6))
		e = net_add_route(r, l, g6, "::/0", NULL, ytree_text(g6), -1, false);
	if (e == 0)
		e = v2_routes(r, l, ytree_get(n, "routes"));
	if (e == 0)
		e = net_add_strings(r, ytree_get(ns, "addresses"), true, &l->dns, &l->dns_count);
	if (e == 0)
		e = net_add_strings(r, ytree_get(ns, "search"), false, &l->search, &l->search_count);
	return e;
}

static errint_t v2_read(struct netconfig_reader *r, const struct ytree_node *root)
{
	static const char *const others[] = { "bonds", "bridges", "vlans", "wifis", "tunnels", "vrfs", "dummy-devices", "modems" };
	const struct ytree_node *links = ytree_get(root, "ethernets");
	errint_t e = 0;

	for (size_t i = 0; links && links->kind == YTREE_MAP && i < links->count && e == 0; i++) {
		const char *id = ytree_text(links->item[2 * i]);

		if (id && links->item[2 * i + 1]->kind == YTREE_MAP)
			e = v2_link(r, id, links->item[2 * i + 1]);
		else if (id && links->item[2 * i + 1]->kind != YTREE_NULL)
			net_error(r, links->item[2 * i], "ethernets", id);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const struct ytree_node *n = ytree_get(root, others[i]);

		if (n)
			diag_add(r->diag, DIAG_WARNING, n->line, n->column, "network: %s are not set up in the initrd: left to the OS", others[i]);
	}
	return e;
}

/* ---- version 1 ---- */

static errint_t v1_subnet(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	const char *type = ytree_text(ytree_get(n, "type")), *gateway = ytree_text(ytree_get(n, "gateway"));
	const struct ytree_node *routes = ytree_get(n, "routes");
	errint_t e = 0;

	if (!type)
		return net_error(r, n, "subnet type", ""), 0;
	if (strcmp(type, "dhcp") == 0 || strcmp(type, "dhcp4") == 0)
		l->dhcp4 = true;
	else if (strcmp(type, "dhcp6") == 0 || strncmp(type, "ipv6_dhcpv6", 11) == 0)
		l->dhcp6 = true;
	else if (strcmp(type, "static") == 0 || strcmp(type, "static6") == 0)
		e = net_add_address(r, l, n, ytree_text(ytree_get(n, "address")), ytree_text(ytree_get(n, "netmask")));
	else if (strcmp(type, "manual") != 0 && strncmp(type, "ipv6_slaac", 10) != 0)
		net_error(r, n, "subnet type", type);
	if (e == 0 && gateway)
		e = net_add_route(r, l, n, "default", NULL, gateway, -1, false);
	for (size_t i = 0; routes && routes->kind == YTREE_LIST && i < routes->count && e == 0; i++) {
		const struct ytree_node *x = routes->item[i], *to = ytree_get(x, "network");

		e = net_add_route(r, l, x, ytree_text(to ? to : ytree_get(x, "destination")), ytree_text(ytree_get(x, "netmask")),
				  ytree_text(ytree_get(x, "gateway")), net_metric(ytree_get(x, "metric")), false);
	}
	if (e == 0)
		e = net_add_strings(r, ytree_get(n, "dns_nameservers"), true, &l->dns, &l->dns_count);
	if (e == 0)
		e = net_add_strings(r, ytree_get(n, "dns_search"), false, &l->search, &l->search_count);
	return e;
}

static errint_t v1_link(struct netconfig_reader *r, const struct ytree_node *n, const char *type)
{
	const char *name = ytree_text(ytree_get(n, "name"));
	const struct ytree_node *subnets = ytree_get(n, "subnets");
	struct net_link *l = net_add_link(r, name);
	errint_t e = 0;

	if (!l)
		return 0;
	net_set_mac(r, l, ytree_get(n, "mac_address"));
	net_set_mtu(r, l, ytree_get(n, "mtu"));
	if (strcmp(type, "physical") != 0)
		l->unsupported = arena_string(&r->n->arena, type);
	if (!net_name_is_valid(name) && !*l->mac)
		return net_error(r, n, "interface name", name), 0;
	/* With an address the name is what the interface is to be called. */
	if (*l->mac)
		l->set_name = net_name_is_valid(name) ? l->id : NULL;
	else
		l->name = l->id;
	for (size_t i = 0; subnets && subnets->kind == YTREE_LIST && i < subnets->count && e == 0; i++)
		e = v1_subnet(r, l, subnets->item[i]);
	return e;
}

static errint_t v1_item(struct netconfig_reader *r, const struct ytree_node *n)
{
	const char *type = ytree_text(ytree_get(n, "type"));
	errint_t e;

	if (!type)
		return net_error(r, n, "item without a type", ""), 0;
	if (strcmp(type, "nameserver") == 0) {
		e = net_add_strings(r, ytree_get(n, "address"), true, &r->n->dns, &r->n->dns_count);
		return e < 0 ? e : net_add_strings(r, ytree_get(n, "search"), false, &r->n->search, &r->n->search_count);
	}
	if (strcmp(type, "physical") == 0 || strcmp(type, "loopback") == 0)
		return strcmp(type, "loopback") == 0 ? 0 : v1_link(r, n, type);
	diag_add(r->diag, DIAG_WARNING, n->line, n->column, "network: an item of type %.30s is not set up in the initrd: left to the OS", type);
	return 0;
}

static errint_t v1_read(struct netconfig_reader *r, const struct ytree_node *root)
{
	const struct ytree_node *items = ytree_get(root, "config");
	errint_t e = 0;

	if (items && ytree_text(items) && strcmp(ytree_text(items), "disabled") == 0)
		return 0;
	if (!items || items->kind != YTREE_LIST)
		return net_error(r, root, "version 1 without a list", "config"), 0;
	for (size_t i = 0; i < items->count && e == 0; i++)
		e = v1_item(r, items->item[i]);
	return e;
}

/* ---- network_data.json ---- */

static errint_t openstack_services(struct netconfig_reader *r, const struct ytree_node *services, const char ***dns, size_t *count)
{
	errint_t e = 0;

	for (size_t i = 0; services && services->kind == YTREE_LIST && i < services->count && e == 0; i++) {
		const char *type = ytree_text(ytree_get(services->item[i], "type"));

		if (type && strcmp(type, "dns") == 0)
			e = net_add_strings(r, ytree_get(services->item[i], "address"), true, dns, count);
	}
	return e;
}

static errint_t openstack_network(struct netconfig_reader *r, struct net_link *l, const struct ytree_node *n)
{
	const char *type = ytree_text(ytree_get(n, "type")), *gateway = ytree_text(ytree_get(n, "gateway"));
	const struct ytree_node *routes = ytree_get(n, "routes");
	errint_t e = 0;

	if (!type)
		return 0;
	if (strcmp(type, "ipv4_dhcp") == 0)
		l->dhcp4 = true;
	else if (strcmp(type, "ipv6_dhcp") == 0 || strncmp(type, "ipv6_dhcpv6", 11) == 0)
		l->dhcp6 = true;
	else if (strcmp(type, "ipv4") == 0 || strcmp(type, "ipv6") == 0)
		e = net_add_address(r, l, n, ytree_text(ytree_get(n, "ip_address")), ytree_text(ytree_get(n, "netmask")));
	else if (strncmp(type, "ipv6_slaac", 10) != 0)
		net_error(r, n, "network type", type);
	if (e == 0 && gateway)
		e = net_add_route(r, l, n, "default", NULL, gateway, -1, false);
	for (size_t i = 0; routes && routes->kind == YTREE_LIST && i < routes->count && e == 0; i++)
		e = net_add_route(r, l, routes->item[i], ytree_text(ytree_get(routes->item[i], "network")),
				  ytree_text(ytree_get(routes->item[i], "netmask")), ytree_text(ytree_get(routes->item[i], "gateway")), -1, false);
	if (e == 0)
		e = net_add_strings(r, ytree_get(n, "dns_nameservers"), true, &l->dns, &l->dns_count);
	return e < 0 ? e : openstack_services(r, ytree_get(n, "services"), &l->dns, &l->dns_count);
}

/* Everything but a plain interface: OpenStack has many names for that one (ovs, bridge, vif, tap, phy, hw_veb …). */
static bool openstack_is_compound(const char *type)
{
	return type && (strcmp(type, "bond") == 0 || strcmp(type, "vlan") == 0);
}

static errint_t openstack_link(struct netconfig_reader *r, const struct ytree_node *n, const struct ytree_node *networks)
{
	const char *id = ytree_text(ytree_get(n, "id")), *type = ytree_text(ytree_get(n, "type"));
	struct net_link *l = id ? net_add_link(r, id) : NULL;
	errint_t e = 0;

	if (!l)
		return 0;
	if (openstack_is_compound(type)) {
		l->unsupported = arena_string(&r->n->arena, type);
		diag_add(r->diag, DIAG_WARNING, 0, 0, "network: link %s is a %s, which is not set up in the initrd", id, type);
	}
	net_set_mac(r, l, ytree_get(n, "ethernet_mac_address"));
	net_set_mtu(r, l, ytree_get(n, "mtu"));
	for (size_t i = 0; networks && networks->kind == YTREE_LIST && i < networks->count && e == 0; i++) {
		const char *of = ytree_text(ytree_get(networks->item[i], "link"));

		if (of && strcmp(of, id) == 0)
			e = openstack_network(r, l, networks->item[i]);
	}
	return e;
}

static errint_t openstack_read(struct netconfig_reader *r, const struct ytree_node *root)
{
	const struct ytree_node *links = ytree_get(root, "links");
	errint_t e = 0;

	for (size_t i = 0; links && links->kind == YTREE_LIST && i < MIN(links->count, (size_t)NETCONFIG_MAX_LINKS) && e == 0; i++)
		e = openstack_link(r, links->item[i], ytree_get(root, "networks"));
	return e < 0 ? e : openstack_services(r, ytree_get(root, "services"), &r->n->dns, &r->n->dns_count);
}

/* ---- interfaces(5) ---- */

struct eni_stanza {
	struct net_link *link;
	const char *address, *netmask, *gateway;
	bool is_static;
};

static errint_t eni_finish(struct netconfig_reader *r, struct eni_stanza *s)
{
	errint_t e = 0;

	if (s->link && s->is_static && s->address)
		e = net_add_address(r, s->link, NULL, s->address, s->netmask);
	if (e == 0 && s->link && s->gateway)
		e = net_add_route(r, s->link, NULL, "default", NULL, s->gateway, -1, false);
	*s = (struct eni_stanza){ .link = NULL };
	return e;
}

static errint_t eni_iface(struct netconfig_reader *r, struct eni_stanza *s, char *save)
{
	const char *name = strtok_r(NULL, " \t", &save), *family = strtok_r(NULL, " \t", &save), *method = strtok_r(NULL, " \t", &save);

	if (!net_name_is_valid(name) || !family || !method)
		return net_error(r, NULL, "iface", name), 0;
	if (strcmp(name, "lo") == 0)
		return 0;
	for (size_t i = 0; i < r->n->links; i++)
		if (strcmp(r->n->link[i].id, name) == 0)
			s->link = &r->n->link[i];
	if (!s->link)
		s->link = net_add_link(r, name);
	if (!s->link)
		return 0;
	s->link->name = s->link->id;
	s->is_static = strcmp(method, "static") == 0;
	if (strcmp(method, "dhcp") == 0 && strcmp(family, "inet6") == 0)
		s->link->dhcp6 = true;
	else if (strcmp(method, "dhcp") == 0)
		s->link->dhcp4 = true;
	return 0;
}

static errint_t eni_option(struct netconfig_reader *r, struct eni_stanza *s, const char *word, char *rest)
{
	struct ytree_node value = { .kind = YTREE_SCALAR, .text = rest ? rest : "", .length = rest ? strlen(rest) : 0 };

	/* dns_nameservers and dns-nameservers are the same. */
	if (strcmp(word, "address") == 0)
		s->address = rest;
	else if (strcmp(word, "netmask") == 0)
		s->netmask = rest;
	else if (strcmp(word, "gateway") == 0)
		s->gateway = rest;
	else if (strcmp(word, "hwaddress") == 0 && s->link)
		net_mac_parse(rest ? strncmp(rest, "ether ", 6) == 0 ? rest + 6 : rest : NULL, s->link->mac);
	else if (strcmp(word, "mtu") == 0 && s->link)
		net_set_mtu(r, s->link, &value);
	else if (strncmp(word, "dns", 3) == 0 && word[3] && strcmp(word + 4, "nameservers") == 0)
		return net_add_strings(r, &value, true, &r->n->dns, &r->n->dns_count);
	else if (strncmp(word, "dns", 3) == 0 && word[3] && strcmp(word + 4, "search") == 0)
		return net_add_strings(r, &value, false, &r->n->search, &r->n->search_count);
	return 0;
}

static errint_t eni_read(struct netconfig_reader *r, const char *data, size_t size)
{
	struct eni_stanza s = { .link = NULL };
	char *copy = arena_copy(&r->n->arena, data, size), *save = NULL, *words;
	errint_t e = copy ? 0 : -ENOMEM;

	for (char *line = copy ? strtok_r(copy, "\r\n", &save) : NULL; line && e == 0; line = strtok_r(NULL, "\r\n", &save)) {
		char *word = strtok_r(line, " \t", &words), *rest;

		if (!word || *word == '#' || strcmp(word, "auto") == 0 || strncmp(word, "allow-", 6) == 0 || strcmp(word, "source") == 0)
			continue;
		if (strcmp(word, "iface") == 0) {
			e = eni_finish(r, &s);
			if (e == 0)
				e = eni_iface(r, &s, words);
			continue;
		}
		rest = words && *words ? words + strspn(words, " \t") : NULL;
		if (rest)
			for (char *end = rest + strlen(rest); end > rest && (end[-1] == ' ' || end[-1] == '\t'); end--)
				end[-1] = '\0';
		e = eni_option(r, &s, word, rest);
	}
	return e < 0 ? e : eni_finish(r, &s);
}

/* ---- all ---- */

static errint_t netconfig_tree(struct netconfig_reader *r, enum network_format format, const char *data, size_t size)
{
	struct ytree_node *root = NULL, *inner;
	struct ytree_error error;
	errint_t e;

	e = format == NETWORK_DATA ? ytree_parse_json(&r->n->arena, data, size, &root, &error)
				   : ytree_parse_yaml(&r->n->arena, data, size, &root, &error);
	if (e == -EBADMSG)
		diag_add(r->diag, DIAG_ERROR, error.line, error.column, "the network configuration is not %s: %s", format == NETWORK_DATA ? "JSON" : "YAML",
			 error.text);
	if (e < 0)
		return e;
	inner = ytree_get(root, "network");
	if (format != NETWORK_DATA && inner && inner->kind == YTREE_MAP)
		root = inner;
	if (root->kind != YTREE_MAP) {
		diag_add(r->diag, DIAG_ERROR, root->line, root->column, "the network configuration is not a map of keys");
		return -EBADMSG;
	}
	return format == NETWORK_DATA ? openstack_read(r, root) : format == NETWORK_V1 ? v1_read(r, root) : v2_read(r, root);
}

errint_t netconfig_read(struct netconfig *n, enum network_format format, const char *data, size_t size, struct diag_list *diag)
{
	struct netconfig_reader r = { n, diag };

	if (format == NETWORK_NONE) {
		diag_add(diag, DIAG_ERROR, 1, 0, "the network configuration is of no known format (version 1, version 2, network_data.json)");
		return -EBADMSG;
	}
	return format == NETWORK_ENI ? eni_read(&r, data, size) : netconfig_tree(&r, format, data, size);
}

void netconfig_done(struct netconfig *n)
{
	arena_done(&n->arena);
	memset(n, 0, sizeof *n);
}
