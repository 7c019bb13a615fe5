/* SPDX-License-Identifier: MIT */
/*
 * Network configurations made real (network.h). Programs are started without a shell; every argument was checked by netconfig.c.
 */
#include "contextualize/apply/network.h"

#include "common/io.h"

#include <dirent.h>
#include <fnmatch.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

errint_t network_interfaces(struct net_interfaces *ret)
{
	_cleanup_free_ char *dir = ctx_path("/sys/class/net");
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *e;

	ret->count = 0;
	if (!dir)
		return -ENOMEM;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d)) && ret->count < NETWORK_MAX_INTERFACES) {
		struct net_interface *i = &ret->item[ret->count];
		_cleanup_free_ char *mac = NULL;
		char path[320];

		if (e->d_name[0] == '.' || strcmp(e->d_name, "lo") == 0 || strlen(e->d_name) >= sizeof i->name)
			continue;
		snprintf(path, sizeof path, "/sys/class/net/%s/address", e->d_name);
		*i = (struct net_interface){ .link = NULL };
		strcpy(i->name, e->d_name);
		if (ctx_read(path, 256, &mac, NULL) == 0 && strlen(mac) == 17)
			strcpy(i->mac, mac);
		ret->count++;
	}
	closedir(d);
	return 0;
}

static bool link_matches(const struct net_link *l, const struct net_interface *i)
{
	if (l->unsupported || (!*l->mac && !l->name))
		return false;
	if (*l->mac && strcmp(l->mac, i->mac) != 0)
		return false;
	return !l->name || fnmatch(l->name, i->name, 0) == 0;
}

size_t network_match(const struct netconfig *n, struct net_interfaces *i, struct diag_list *diag)
{
	size_t found = 0;

	for (size_t l = 0; l < n->links; l++) {
		const struct net_link *link = &n->link[l];
		bool any = false;

		for (size_t k = 0; k < i->count; k++)
			if (!i->item[k].link && link_matches(link, &i->item[k])) {
				i->item[k].link = link;
				any = true;
				found++;
			}
		if (!any && !link->unsupported)
			diag_add(diag, DIAG_WARNING, 0, 0, "network: no interface %s%s%s is there", link->id, *link->mac ? " with address " : "", link->mac);
	}
	return found;
}

/* ---- texts ---- */

static void render_routes(FILE *f, const struct net_link *l)
{
	for (size_t i = 0; i < l->routes; i++) {
		const struct net_route *r = &l->route[i];

		fprintf(f, "\n[Route]\nDestination=%s/%u\n", r->to.text, r->to.prefix);
		if (*r->via)
			fprintf(f, "Gateway=%s\n", r->via);
		if (r->metric >= 0)
			fprintf(f, "Metric=%lld\n", (long long)r->metric);
		if (r->on_link)
			fputs("GatewayOnLink=yes\n", f);
	}
}

char *network_render_networkd(const struct netconfig *n, const struct net_link *l, const struct net_interface *i)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	/* By address where there is one: the OS may give the interface another name than the initrd did. */
	if (*i->mac)
		fprintf(f, "[Match]\nPermanentMACAddress=%s\n", i->mac);
	else
		fprintf(f, "[Match]\nName=%s\n", i->name);
	if (l->mtu)
		fprintf(f, "\n[Link]\nMTUBytes=%lld\n", (long long)l->mtu);
	fputs("\n[Network]\n", f);
	fprintf(f, "DHCP=%s\n", l->dhcp4 && l->dhcp6 ? "yes" : l->dhcp4 ? "ipv4" : l->dhcp6 ? "ipv6" : "no");
	/* The root file system comes over this interface. */
	fputs("KeepConfiguration=yes\n", f);
	if (l->accept_ra_off)
		fputs("IPv6AcceptRA=no\n", f);
	for (size_t k = 0; k < l->addresses; k++)
		fprintf(f, "Address=%s/%u\n", l->address[k].text, l->address[k].prefix);
	for (size_t k = 0; k < l->dns_count; k++)
		fprintf(f, "DNS=%s\n", l->dns[k]);
	for (size_t k = 0; k < n->dns_count; k++)
		fprintf(f, "DNS=%s\n", n->dns[k]);
	for (size_t k = 0; k < l->search_count; k++)
		fprintf(f, "Domains=%s\n", l->search[k]);
	for (size_t k = 0; k < n->search_count; k++)
		fprintf(f, "Domains=%s\n", n->search[k]);
	render_routes(f, l);
	return fclose(f) == 0 ? text : NULL;
}

char *network_render_resolv(const struct netconfig *n)
{
	char *text = NULL;
	size_t size = 0;
	bool any = n->search_count > 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n->links; i++)
		any |= n->link[i].search_count > 0;
	if (any)
		fputs("search", f);
	for (size_t k = 0; k < n->search_count; k++)
		fprintf(f, " %s", n->search[k]);
	for (size_t i = 0; i < n->links; i++)
		for (size_t k = 0; k < n->link[i].search_count; k++)
			fprintf(f, " %s", n->link[i].search[k]);
	if (any)
		putc('\n', f);
	for (size_t k = 0; k < n->dns_count; k++)
		fprintf(f, "nameserver %s\n", n->dns[k]);
	for (size_t i = 0; i < n->links; i++)
		for (size_t k = 0; k < n->link[i].dns_count; k++)
			fprintf(f, "nameserver %s\n", n->link[i].dns[k]);
	return fclose(f) == 0 ? text : NULL;
}

errint_t network_write_networkd(const struct netconfig *n, const struct net_interfaces *interfaces)
{
	errint_t r = 0;

	for (size_t k = 0; k < interfaces->count && r == 0; k++) {
		const struct net_interface *i = &interfaces->item[k];
		_cleanup_free_ char *path = NULL, *text = NULL;

		if (!i->link)
			continue;
		path = io_format("/run/systemd/network/10-spore-%s.network", i->name);
		text = network_render_networkd(n, i->link, i);
		/* networkd reads as its own user. */
		r = path && text ? ctx_write(path, 0644, text, strlen(text)) : -ENOMEM;
	}
	return r;
}

/* ---- ip ---- */

struct network_run {
	struct diag_list *diag;
	bool failed;
};

/* Starts ip with these arguments (NULL ends them) and waits. */
static void run_ip(struct network_run *run, const char *const *arguments)
{
	char *argv[20], line[256] = "";
	size_t used = 0;
	pid_t pid;
	int status = -1, code;

	argv[0] = strdup("ip");
	for (size_t i = 0; arguments[i] && i + 2 < ARRAY_SIZE(argv); i++) {
		argv[i + 1] = strdup(arguments[i]);
		argv[i + 2] = NULL;
		used += (size_t)snprintf(line + used, sizeof line - used, " %s", arguments[i]);
		used = MIN(used, sizeof line - 1);
	}
	code = posix_spawnp(&pid, "ip", NULL, NULL, argv, environ);
	if (code == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (code != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		run->failed = true;
		diag_add(run->diag, DIAG_ERROR, 0, 0, "network: 'ip%s' failed%s%s", line, code ? ": " : "", code ? strerror(code) : "");
	}
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
}

#define RUN_IP(run, ...) run_ip(run, (const char *const[]){ __VA_ARGS__, NULL })

/* A new name is given while the interface is down. */
static void apply_name(struct network_run *run, struct net_interfaces *all, struct net_interface *i)
{
	const char *name = i->link->set_name;

	if (!name || strcmp(name, i->name) == 0)
		return;
	for (size_t k = 0; k < all->count; k++)
		if (strcmp(all->item[k].name, name) == 0) {
			diag_add(run->diag, DIAG_WARNING, 0, 0, "network: %s keeps its name, since another interface is called %s", i->name, name);
			return;
		}
	RUN_IP(run, "link", "set", "dev", i->name, "down");
	RUN_IP(run, "link", "set", "dev", i->name, "name", name);
	snprintf(i->name, sizeof i->name, "%s", name);
}

static void apply_route(struct network_run *run, const struct net_route *r, const char *device)
{
	const char *arguments[12];
	char to[64], metric[24];
	size_t n = 0;

	snprintf(to, sizeof to, "%s/%u", r->to.text, r->to.prefix);
	snprintf(metric, sizeof metric, "%lld", (long long)r->metric);
	arguments[n++] = r->to.v6 ? "-6" : "-4";
	arguments[n++] = "route";
	arguments[n++] = "replace";
	arguments[n++] = r->to.prefix ? to : "default";
	if (*r->via) {
		arguments[n++] = "via";
		arguments[n++] = r->via;
	}
	arguments[n++] = "dev";
	arguments[n++] = device;
	if (r->metric >= 0) {
		arguments[n++] = "metric";
		arguments[n++] = metric;
	}
	if (r->on_link)
		arguments[n++] = "onlink";
	arguments[n] = NULL;
	run_ip(run, arguments);
}

static void apply_interface(struct network_run *run, struct net_interfaces *all, struct net_interface *i)
{
	const struct net_link *l = i->link;
	char mtu[24];

	apply_name(run, all, i);
	if (l->mtu) {
		snprintf(mtu, sizeof mtu, "%lld", (long long)l->mtu);
		RUN_IP(run, "link", "set", "dev", i->name, "mtu", mtu);
	}
	RUN_IP(run, "link", "set", "dev", i->name, "up");
	for (size_t k = 0; k < l->addresses; k++) {
		char address[64];

		snprintf(address, sizeof address, "%s/%u", l->address[k].text, l->address[k].prefix);
		RUN_IP(run, l->address[k].v6 ? "-6" : "-4", "addr", "replace", address, "dev", i->name);
	}
	/* Routes on the link first: gateways may lie behind them. */
	for (int with_gateway = 0; with_gateway < 2; with_gateway++)
		for (size_t k = 0; k < l->routes; k++)
			if ((*l->route[k].via != '\0') == with_gateway)
				apply_route(run, &l->route[k], i->name);
}

errint_t network_apply(const struct netconfig *n, struct net_interfaces *interfaces, struct diag_list *diag)
{
	struct network_run run = { .diag = diag };
	_cleanup_free_ char *dhcp = NULL, *resolv = network_render_resolv(n);
	size_t size = 0;
	FILE *f = open_memstream(&dhcp, &size);
	errint_t r = 0;

	if (!f || !resolv) {
		if (f)
			fclose(f);
		return -ENOMEM;
	}
	for (size_t k = 0; k < interfaces->count; k++) {
		struct net_interface *i = &interfaces->item[k];

		if (!i->link)
			continue;
		apply_interface(&run, interfaces, i);
		if (i->link->dhcp4 || i->link->dhcp6)
			fprintf(f, "%s\n", i->name);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	r = ctx_write("/run/spore/net/dhcp-interfaces", 0644, dhcp, size);
	if (r == 0 && *resolv)
		r = ctx_write("/run/spore/net/resolv.conf", 0644, resolv, strlen(resolv));
	return r;
}
